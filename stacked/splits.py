"""What one seed of a comparison trains on, stops by and is tested on."""

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from stacked.rows import Array, Rows


class Split(NamedTuple):
    """Labelled rows, parted.

    `x_train`, `x_test`: rows, shape `(n, n_inputs)`.
    `y_train`: classes from 0 or numbers, shape `(n,)`; NaN where there is none, in rows to pretrain on.
    `y_test`: the same, without gaps.
    `test_numbers`: by which the test rows are known in the table that they come from.
    `validation`: rows and labels that belong to neither side; None where there are none.
    `classes`: what the classes are called; empty where they are known by number, or there are none.
    """

    x_train: Rows
    y_train: Array
    x_test: Rows
    y_test: Array
    test_numbers: NDArray[np.int64] | range
    validation: tuple[Rows, Array] | None = None
    classes: tuple[str, ...] = ()


class Splits(Protocol):
    """Labelled rows that are parted for each seed."""

    @property
    def is_fixed(self) -> bool:
        """Whether all seeds have the same split."""
        ...

    def split(self, seed: int) -> Split:
        """The split of a seed, the same at every call."""
        ...
