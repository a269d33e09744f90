"""Signs that a training went wrong: why a loss may have left the numbers, units that tell no row from another."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from stacked.activations import Activation
from stacked.dense import Dense, TiedDense

NEAR = 0.01
"""A code is saturated this close to a bound of its activation, as a share of the distance between both."""
MOST = 0.9
"""A layer is reported from this share of silent units on; many a sound layer of relu units has half of them dead."""
FEWEST = 10
"""With fewer rows nothing is said of units."""
LARGE = 100.0
"""Rows that reach this are suspected when a loss leaves the numbers."""


def likely_cause(sample: Tensor | None) -> str:
    """What probably made the loss infinite or NaN, and what helps, given some of the rows."""
    largest = 0.0 if sample is None else float(sample.abs().max())
    if largest >= LARGE:
        return f"likely because the rows reach {largest:g}; scale them to about [0, 1], or standardise them"
    return "likely because the steps are too long; lower the learning rate"


def signs_in_layers(layers: Sequence[Dense | TiedDense], x: Tensor) -> list[str]:
    """Layers nearly all of whose units say the same of every row; none, as a rule.

    Parameters
    ----------
    layers : sequence of Dense or TiedDense
        Bottom first.
    x : Tensor
        A sample of the rows they are given, shape `(n, n_inputs)`.
    """
    signs = []
    for number, layer in enumerate(layers, start=1):
        x = layer(x)
        state, silent = _silent(x, layer.activation)
        count, width = int(silent.sum()), x.shape[1]
        if len(x) >= FEWEST and count >= MOST * width:
            units = f"{count} of the {width} units of hidden layer {number}"
            signs.append(f"{units} are {state} on all of {len(x):,} training rows")
    return signs


def _silent(codes: Tensor, activation: Activation) -> tuple[str, Tensor]:
    """Which units are close to one bound of their activation on every row, or 0 where it has no bound above."""
    margin = NEAR * (activation.high - activation.low)
    if not math.isfinite(margin):
        return "dead", (codes == 0).all(dim=0)
    low, high = codes <= activation.low + margin, codes >= activation.high - margin
    return "saturated", low.all(dim=0) | high.all(dim=0)


def signs_of_chance(predicted: Tensor, classes: Tensor, names: Sequence[str] = ()) -> list[str]:
    """Whether a classifier is no better than one that always says the same.

    Parameters
    ----------
    predicted, classes : Tensor
        Shape `(n,)`, of a sample of rows.
    names : sequence of str
        Of the classes, by which they are told; without them they are by number.
    """
    counts = torch.bincount(classes)
    most, right = int(counts.max()), int(predicted.eq(classes).sum())
    if right > most or most == len(classes):
        return []
    usual = int(counts.argmax())
    always = f"always saying class {repr(names[usual]) if usual < len(names) else usual}"
    return [f"it recognises {right:,} of {len(classes):,} training rows, and {always} is right for {most:,}"]


def signs_of_the_mean(predicted: Tensor, targets: Tensor) -> list[str]:
    """Whether a regressor is no better than one that always says the mean.

    Parameters
    ----------
    predicted, targets : Tensor
        Shape `(n, n_targets)`, of a sample of rows.
    """
    left = float((predicted - targets).square().sum())
    always = float((targets - targets.mean(dim=0)).square().sum())
    if len(targets) < FEWEST or left < always or always == 0:
        return []
    times = f"{left / always:.3g} times that of always saying their mean"
    return [f"its squared error on {len(targets):,} training rows is {times}"]
