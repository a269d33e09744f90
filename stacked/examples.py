"""Examples: rows, maybe with labels, maybe only some of them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stacked.errors import mismatch
from stacked.randomness import Stream
from stacked.rows import BLOCK, Rows, to_array

Labels = NDArray[np.int64] | NDArray[np.float64]
"""Classes, shape `(n,)`, or targets, shape `(n, n_targets)`."""
Numbers = Tensor | range
"""Of rows, ascending; those of all rows are a range, which takes no memory however many there are."""


class Examples(NamedTuple):
    """Rows `(n, n_inputs)`, labels of each if there are any, and the numbers of the rows that take part."""

    rows: Rows
    labels: Labels | None
    numbers: Numbers

    @classmethod
    def all_of(cls, rows: Rows, labels: Labels | None = None) -> Examples:
        """Every row."""
        return cls(rows, labels, range(len(rows)))

    def split(self, fraction: float, stream: Stream) -> tuple[Examples, Examples]:
        """The examples without a random share of them, and that share; both in their old order."""
        order = stream.permutation(len(self.numbers))
        aside = round(fraction * len(order))
        parts = [numbers_in(part.sort().values, self.numbers) for part in (order[aside:], order[:aside])]
        return self._replace(numbers=parts[0]), self._replace(numbers=parts[1])


def numbers_in(places: Tensor, numbers: Numbers) -> Tensor:
    """The numbers that stand in these places."""
    if isinstance(numbers, range):
        return places + numbers.start if numbers.start else places
    return numbers[places]


def as_tensor(numbers: Numbers) -> Tensor:
    """The numbers, each by itself."""
    return torch.arange(numbers.start, numbers.stop) if isinstance(numbers, range) else numbers


class Share(NamedTuple):
    """Which of several neighbouring parts of some rows, as equal as can be: number `rank` of `size`."""

    rank: int = 0
    size: int = 1

    def part_of(self, n: int) -> tuple[int, int]:
        """Where its part of n rows begins and ends; it is empty only where there are fewer rows than parts."""
        least, longer = divmod(n, self.size)
        start = self.rank * least + min(self.rank, longer)
        return start, start + least + (self.rank < longer)

    def blocks_of(self, n: int) -> tuple[int, int]:
        """Where its part of a table of n rows begins and ends, in blocks that are computed at a time."""
        start, stop = self.part_of(-(-n // BLOCK))
        return min(n, start * BLOCK), min(n, stop * BLOCK)


ALL = Share()
"""The whole of every minibatch."""


def as_labels(labels: Any, n_rows: int, n_classes: int, name: str = "labels") -> NDArray[np.int64]:
    """Class labels: whole numbers from 0 to n_classes - 1, one a row."""
    array = to_array(labels, name, "one whole number a row")
    if array.shape != (n_rows,):
        expected, remedy = f"shape ({n_rows},)", "pass one label for each row"
        raise mismatch(name, expected=expected, received=f"shape {array.shape}", remedy=remedy)
    broken = array if array.dtype.kind not in "iubf" else array[array != np.floor(array)]
    if len(broken):
        received, remedy = f"{array.dtype} values such as {broken[0]!s}", "number the classes 0, 1, 2, ..."
        raise mismatch(name, expected="whole numbers", received=received, remedy=remedy)
    low, high = array.min(), array.max()
    if low < 0 or high >= n_classes:
        received, remedy = f"values from {low} to {high}", "number the classes 0, 1, 2, ... or add classes"
        raise mismatch(name, expected=f"labels from 0 to {n_classes - 1}", received=received, remedy=remedy)
    return array.astype(np.int64)


def check_two_classes(examples: Examples) -> None:
    """Raise unless at least two classes occur: with one there is nothing to tell apart."""
    classes = np.unique(np.asarray(examples.labels)[as_tensor(examples.numbers).numpy()])
    if len(classes) < 2:
        received, remedy = f"class {classes[0]} only", "add rows of another class"
        raise mismatch("labels", expected="at least two classes", received=received, remedy=remedy)
