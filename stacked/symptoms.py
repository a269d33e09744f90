"""Signs that a training went wrong: why a loss may have left the numbers, units that tell no row from another."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from stacked.activations import Activation
from stacked.dense import Dense

NEAR = 0.01
"""A code is saturated this close to a bound of its activation, as a share of the distance between both."""
FEWEST = 10
"""With fewer rows nothing is said of units."""
LARGE = 100.0
"""Rows that reach this are suspected when a loss leaves the numbers."""


def likely_cause(sample: Tensor | None) -> str:
    """What probably made the loss infinite or NaN, and what helps, given some of the rows."""
    largest = 0.0 if sample is None else float(sample.abs().max())
    if largest >= LARGE:
        return f"likely because the rows reach {largest:g}: scale them to about [0, 1], or standardise them"
    return "likely because the steps are too long: lower the learning rate"


def signs_in_layers(layers: Sequence[Dense], x: Tensor) -> list[str]:
    """Layers half of whose units or more say the same of every row; none, as a rule.

    Parameters
    ----------
    layers : sequence of Dense
        Bottom first.
    x : Tensor
        A sample of the rows they are given, shape `(n, n_inputs)`.
    """
    signs = []
    for number, layer in enumerate(layers, start=1):
        x = layer(x)
        kinds = {"dead (0": (x == 0).all(dim=0), "saturated (at a bound": _saturated(x, layer.activation)}
        counts = {kind: int(units.sum()) for kind, units in kinds.items()}
        kind = max(counts, key=lambda kind: counts[kind])
        if len(x) >= FEWEST and 2 * counts[kind] >= x.shape[1]:
            units = f"{counts[kind]} of the {x.shape[1]} units of hidden layer {number}"
            signs.append(f"{units} are {kind} on all of {len(x):,} training rows)")
    return signs


def _saturated(codes: Tensor, activation: Activation) -> Tensor:
    """Which units are close to one bound of their activation on every row."""
    margin = NEAR * (activation.high - activation.low)
    if not math.isfinite(margin):
        return codes.new_zeros(codes.shape[1], dtype=torch.bool)
    return (codes <= activation.low + margin).all(dim=0) | (codes >= activation.high - margin).all(dim=0)


def signs_of_chance(predicted: Tensor, classes: Tensor) -> list[str]:
    """Whether a classifier is no better than one that always says the same.

    Parameters
    ----------
    predicted, classes : Tensor
        Shape `(n,)`, of a sample of rows.
    """
    counts = torch.bincount(classes)
    most, right = int(counts.max()), int(predicted.eq(classes).sum())
    if right > most or most == len(classes):
        return []
    always = f"always saying class {int(counts.argmax())}"
    return [f"it recognises {right:,} of {len(classes):,} training rows, and {always} is right for {most:,}"]
