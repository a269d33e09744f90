"""Transfer: hidden layers of a feedforward network that begin as the encoders of a stack."""

from collections.abc import Sequence
from typing import Protocol

import torch

from stacked.dense import Dense
from stacked.errors import mismatch
from stacked.provenance import Provenance
from stacked.scaling import Scaling


class Encoder(Protocol):
    """A stack, or a feedforward network, whose hidden layers are its encoder."""

    @property
    def encoder_layers(self) -> list[Dense]: ...

    @property
    def scaling(self) -> Scaling | None: ...

    @property
    def scaling_kind(self) -> str: ...

    @property
    def provenance(self) -> Provenance: ...

    @property
    def dtype(self) -> torch.dtype: ...

    @property
    def device(self) -> torch.device: ...


def encoders_of(source: Encoder) -> list[Dense]:
    """The dense layers of an encoder, bottom first."""
    if not hasattr(type(source), "encoder_layers"):
        received, remedy = type(source).__name__, "pass the trained stack itself"
        expected = "a StackedAutoencoder, or a network whose hidden layers are taken over"
        raise mismatch("stack", expected=expected, received=received, remedy=remedy)
    return source.encoder_layers


def copy_encoders(theirs: Sequence[Dense], hidden: Sequence[Dense]) -> None:
    """Copy weights and biases of encoders into the lowest hidden layers.

    Raises
    ------
    StackedError
        When a layer differs from the one it would replace in size or activation; nothing is copied then.
    """
    if len(theirs) > len(hidden):
        expected, remedy = f"at most {len(hidden)} encoder layers", "make a deeper network"
        raise mismatch("stack", expected=expected, received=f"{len(theirs)}", remedy=remedy)
    for number, (mine, layer) in enumerate(zip(hidden, theirs, strict=False), start=1):
        if _described(mine) != _described(layer):
            remedy = "make the network with the sizes and activations of the stack"
            name = f"encoder layer {number} of the stack"
            raise mismatch(name, expected=_described(mine), received=_described(layer), remedy=remedy)
    for mine, layer in zip(hidden, theirs, strict=False):
        mine.load_state_dict(layer.state_dict())


def _described(layer: Dense) -> str:
    return f"{tuple(layer.weight.shape)} {layer.activation.name}"
