"""Some of the rows of a table, such as those of one side of a split."""

from threading import Event

import numpy as np
import torch
from numpy.typing import NDArray

from stacked import orders
from stacked.lazy_rows import LazyRows
from stacked.orders import Order
from stacked.readers import read_into
from stacked.rows import Array, Rows, stored_of


class PickedRows(LazyRows):
    """Rows of a table that are read slice by slice, never more of the table at a time than a piece of an epoch.

    Parameters
    ----------
    source : Rows
        The table, shape `(n, n_inputs)`.
    numbers : array of int64
        Of the rows, ascending.
    """

    def __init__(self, source: Rows, numbers: NDArray[np.int64]) -> None:
        self._source, self._numbers, self.dtype = source, numbers, np.dtype(source.dtype)
        self._piece = Order(source, torch.from_numpy(numbers)).piece

    @property
    def shape(self) -> tuple[int, ...]:
        return len(self._numbers), self._source.shape[1]

    def __getitem__(self, index: slice) -> Array:
        numbers = np.ascontiguousarray(self._numbers[index])
        out = np.empty((len(numbers), self._source.shape[1]), self.dtype)
        if len(numbers) > 0:
            read_into(out, self._source, numbers, self._piece, Event())
        return out


def picked(rows: Rows, numbers: NDArray[np.int64]) -> Rows:
    """The rows of these ascending numbers: gathered in memory where they are few enough to be shuffled as a whole."""
    stored = stored_of(rows)
    part = PickedRows(stored, numbers)
    few = len(part) * part.shape[1] * part.dtype.itemsize <= orders.MIXING_BYTES
    kept = part[:] if few else part
    if isinstance(rows, LazyRows) and rows is not stored:
        scaled: Rows = rows.over(kept)
        return scaled
    return kept
