"""Input scaling, learnt on training rows: columns of any units brought to one range.

min_max:  (x - smallest) / (largest - smallest), in [0, 1] on the training rows
standard: (x - mean) / standard deviation (that of the rows, not of what they are a sample of)

A column that is constant on the training rows becomes 0.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from stacked.devices import numpy_dtype
from stacked.errors import check_choice, mismatch
from stacked.rows import Array, Rows, blocks, to_tensor, value_range, within_0_and_1
from stacked.scaled_rows import ScaledRows

KINDS = ("none", "min_max", "standard")


@dataclass(frozen=True, eq=False)
class Scaling:
    """(x - shift) / scale.

    Parameters
    ----------
    kind : {"min_max", "standard"}
        How it was learnt.
    shift, scale : array of float64
        One number a column, shape `(n_inputs,)`; those of `scale` are positive.
    """

    kind: str
    shift: Array
    scale: Array

    def __post_init__(self) -> None:
        check_choice("scaling", self.kind, KINDS[1:])
        for name, numbers in (("shift", self.shift), ("scale", self.scale)):
            sound = np.isfinite(numbers).all() and (name == "shift" or (numbers > 0).all())
            if numbers.shape != self.shift.shape or numbers.dtype != np.float64 or not sound:
                expected, remedy = "finite float64 numbers, one a column, positive for scale", "learn it anew"
                raise mismatch(name, expected=expected, received=f"{numbers.dtype} {numbers}"[:80], remedy=remedy)

    def of(self, rows: Rows, dtype: torch.dtype) -> ScaledRows:
        """The rows, scaled as they are read, in this dtype."""
        return ScaledRows(rows, self.scale, numpy_dtype(dtype), self.shift)

    def undone(self, x: Tensor) -> Tensor:
        """Scaled rows, shape `(n, n_inputs)`, in the units they had before; float64, which large numbers need."""
        shift, scale = to_tensor(self.shift), to_tensor(self.scale)
        return x.cpu().to(torch.float64).mul(scale).add_(shift)


def learnt_scaling(kind: str, rows: Rows, name: str = "x") -> Scaling | None:
    """The scaling of this kind of the rows, in one pass; None for "none". StackedError names what is not finite."""
    check_choice("scaling", kind, KINDS)
    if kind == "none":
        return None
    value_range(rows, name)
    origin = np.asarray(rows[:1], np.float64)[0]  # from which means are taken, for they are rounded like the numbers
    low, high, mean, squares, n = np.inf, -np.inf, np.zeros_like(origin), np.zeros_like(origin), 0
    for start, block in blocks(rows):
        values = np.asarray(block, np.float64) - origin
        low, high = np.minimum(low, values.min(axis=0)), np.maximum(high, values.max(axis=0))
        difference, n = values.mean(axis=0) - mean, start + len(values)
        # Chan, Golub & LeVeque (1979): the sums of squares of two parts, and what lies between their means.
        squares += ((values - values.mean(axis=0)) ** 2).sum(axis=0) + difference**2 * start * len(values) / n
        mean += difference * len(values) / n
    shift, scale = (low, high - low) if kind == "min_max" else (mean, np.sqrt(squares / n))
    return Scaling(kind, origin + shift, np.where((high > low) & (scale > 0), scale, 1.0))


def scaling_for(kind: str, rows: Rows) -> str:
    """The kind of scaling that "auto" stands for: min_max where some value leaves [0, 1]; another kind as it is."""
    if kind != "auto":
        return kind
    return "none" if within_0_and_1(value_range(rows)) else "min_max"


def maybe_scaled(rows: Rows, scaling: Scaling | None, dtype: torch.dtype) -> Rows:
    """The rows, scaled if there is a scaling."""
    return rows if scaling is None else scaling.of(rows, dtype)


def to_description(scaling: Scaling | None) -> dict[str, Any] | None:
    """A form for JSON, from which `from_description` reads the same bits."""
    if scaling is None:
        return None
    return {"kind": scaling.kind, "shift": scaling.shift.tolist(), "scale": scaling.scale.tolist()}


def from_description(described: Any, n_inputs: int) -> Scaling | None:
    """The scaling that was described; StackedError where it is none of so many columns."""
    if described is None:
        return None
    expected, remedy = f"a kind, and {n_inputs} numbers each for shift and scale", "save the model again"
    if not isinstance(described, dict) or described.keys() != {"kind", "shift", "scale"}:
        raise mismatch("scaling", expected=expected, received=repr(described)[:80], remedy=remedy)
    numbers = [described["shift"], described["scale"]]
    if not all(
        isinstance(some, list) and len(some) == n_inputs and set(map(type, some)) <= {float} for some in numbers
    ):
        raise mismatch("scaling", expected=expected, received=repr(numbers)[:80], remedy=remedy)
    return Scaling(described["kind"], *(np.array(some, np.float64) for some in numbers))


def planned_scaling(scaling: "str | Scaling | None") -> tuple[Scaling | None, str]:
    """A scaling that was learnt already if it is one, and the kind to be learnt."""
    if scaling is None or isinstance(scaling, Scaling):
        return scaling, "none" if scaling is None else scaling.kind
    check_choice("scaling", scaling, KINDS)
    return None, scaling
