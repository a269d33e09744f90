"""The arms of a comparison out of descriptions of layers: with pretraining of each kind, and without any.

All arms have the same widths and activations, so that they differ in their initial weights only.
"""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import torch

from stacked.autoencoders import LayerSettings, Plain, Sparse, Variational
from stacked.autoencoders.dense import DenseSettings
from stacked.comparison import Arm
from stacked.errors import mismatch
from stacked.layer_text import layers_from
from stacked.stack import StackedAutoencoder

RANDOM = Arm("random")


def arms_of(layers: Sequence[LayerSettings]) -> list[Arm]:
    """The layers as they are, the same without corruption and penalty ("plain"), and no pretraining ("random").

    The first is named by its kinds. There is no second one where the layers are plain already, or TopK makes part
    of them, whose activation is its penalty.
    """
    kinds = list(dict.fromkeys(type(layer).__name__.lower() for layer in layers))
    arms = [Arm("-".join(kinds), tuple(layers))]
    if kinds != ["plain"] and not any(isinstance(layer, Sparse) and layer.penalty.competitive for layer in layers):
        arms.append(Arm("plain", tuple(plain for layer in layers for plain in plain_of(layer))))
    return [*arms, RANDOM]


def arms_from(texts: Sequence[str]) -> list[Arm]:
    """The arms that texts describe, each "name=layers" with layers as `layer_text` has them, and "random".

    Raises
    ------
    StackedError
        For what is no such text, or names an arm twice.
    """
    arms = []
    for text in texts:
        name, equals, layers = (part.strip() for part in text.partition("="))
        if not equals or not name or ":" in name:
            remedy = 'write for instance "masked=denoising:100:mask=0.3"'
            raise mismatch("arm", expected="name=layers", received=repr(text), remedy=remedy)
        arms.append(Arm(name, layers_from(layers)))
    names = [arm.name for arm in [*arms, RANDOM]]
    if len(set(names)) < len(names):
        expected, remedy = "a name of its own for each, and not 'random'", "rename one"
        raise mismatch("arm", expected=expected, received=", ".join(names), remedy=remedy)
    return [*arms, RANDOM]


def plain_of(layer: LayerSettings) -> tuple[Plain, ...]:
    """Plain layers of the same widths, activations, outputs and losses."""
    if isinstance(layer, DenseSettings):
        return (Plain(**{field.name: getattr(layer, field.name) for field in fields(DenseSettings)}),)
    assert isinstance(layer, Variational), "all other kinds have one hidden layer"
    more: dict[str, Any] = {"weight_decay": layer.weight_decay, "random_bias": layer.random_bias}
    lower = Plain(layer.hidden, activation=layer.activation, output=layer.output, loss=layer.loss, **more)
    return lower, Plain(layer.n_units, activation="linear", output="linear", **more)


def hidden_layers(arms: Sequence[Arm], n_inputs: int) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """The widths and activations of the hidden layers that all arms share.

    Raises
    ------
    StackedError
        When two arms differ in them, or no arm has layers.
    """
    described = {arm.name: _described(arm, n_inputs) for arm in arms if arm.layers}
    if not described:
        raise mismatch("arms", expected="layers to pretrain", received="none", remedy="describe some")
    first, *others = described
    for name in others:
        if described[name] != described[first]:
            expected = f"hidden layers {_shown(described[first])}, as {first!r} has them"
            remedy = "give all arms the same widths and activations"
            raise mismatch(f"arm {name!r}", expected=expected, received=_shown(described[name]), remedy=remedy)
    return tuple(width for width, _ in described[first]), tuple(name for _, name in described[first])


def _described(arm: Arm, n_inputs: int) -> list[tuple[int, str]]:
    with torch.device("meta"):  # no memory is taken, for there are no values
        layers = StackedAutoencoder(arm.layers).bare_layers(n_inputs)
    return [(len(dense.bias), dense.activation.name) for layer in layers for dense in layer.encoder_layers]


def _shown(hidden: Sequence[tuple[int, str]]) -> str:
    return ", ".join(f"{width} {activation}" for width, activation in hidden)
