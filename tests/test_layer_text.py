"""Layers as text: what it says is what the settings say, for every kind and every field."""

import dataclasses

import pytest
from conftest import KINDS

from stacked import (
    Contractive,
    Denoising,
    Gaussian,
    KLSparsity,
    L1Sparsity,
    Masking,
    Plain,
    SaltAndPepper,
    Sparse,
    StackedError,
    TopK,
    Variational,
)
from stacked.autoencoders import SETTINGS
from stacked.layer_text import layers_from

FIRST = {Masking: "mask", Gaussian: "gaussian", SaltAndPepper: "salt_and_pepper", L1Sparsity: "l1", TopK: "top_k"}


@pytest.mark.parametrize(
    ("text", "layer"),
    [
        ("plain:7", Plain(7)),
        ("denoising:7", Denoising(7)),
        ("denoising:500:mask=0.3", Denoising(500, corruption=Masking(0.3))),
        ("denoising:7:gaussian=1e-1", Denoising(7, corruption=Gaussian(0.1))),
        ("denoising:7:low=-1:salt_and_pepper=0.2", Denoising(7, corruption=SaltAndPepper(0.2, low=-1))),
        ("sparse:7", Sparse(7)),
        ("sparse:7:target=0.2:memory=0.9", Sparse(7, penalty=KLSparsity(0.1, target=0.2, memory=0.9))),
        ("sparse:7:weight=3", Sparse(7, penalty=KLSparsity(3))),
        ("sparse:7:l1=0.5:unit_norm=true", Sparse(7, penalty=L1Sparsity(0.5), unit_norm=True)),
        ("sparse:7:top_k=2:activation=relu", Sparse(7, penalty=TopK(2), activation="relu")),
        ("contractive:7:weight=0.5", Contractive(7, weight=0.5)),
        ("variational:7:hidden=9:warm_up=2", Variational(7, hidden=9, warm_up=2)),
        (" plain : 7 : tied = True ", Plain(7, tied=True)),
        ("plain:7:tied=false", Plain(7, tied=False)),
    ],
)
def test_a_text_is_read_as_meant(text, layer):
    assert layers_from(text) == (layer,)


def written(settings):
    """The text of a layer, with every value it holds."""
    pairs = [f"{type(settings).__name__.lower()}:{settings.n_units}"]
    for field in dataclasses.fields(settings)[1:]:
        value = getattr(settings, field.name)
        if isinstance(value, SETTINGS):
            first, *others = dataclasses.astuple(value)
            names = [FIRST.get(type(value), "weight"), *(inner.name for inner in dataclasses.fields(value)[1:])]
            pairs += [f"{name}={one}" for name, one in zip(names, (first, *others), strict=True) if one is not None]
        else:
            pairs.append(f"{field.name}={value}")
    return ":".join(pairs)


def test_every_field_of_every_kind_can_be_written():
    assert layers_from(", ".join(map(written, KINDS.values()))) == tuple(KINDS.values())


@pytest.mark.parametrize("near", ["Sparse", "spars", "sprase"])
def test_the_nearest_name_is_told(near):
    with pytest.raises(StackedError, match=r"^layer 2, '.*perhaps you mean 'sparse'$"):
        layers_from(f"plain:3,{near}:3")
