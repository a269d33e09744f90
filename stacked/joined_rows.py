"""Tables of one width and dtype, one after the other, as rows; nothing is copied together."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stacked.rows import Array


class JoinedRows:
    """Rows that lie in several arrays or memory maps.

    Parameters
    ----------
    n_columns : int
        Of every table.
    dtype : numpy.dtype
        Of every table.
    """

    def __init__(self, n_columns: int, dtype: np.dtype[Any]) -> None:
        self.n_columns, self.dtype = n_columns, dtype
        self._tables: list[tuple[int, Array]] = []  # each with the number of its first row

    @property
    def shape(self) -> tuple[int, int]:
        """(n, n_columns)"""
        return len(self), self.n_columns

    def append(self, table: Array) -> None:
        """Put the rows of a table, shape `(n, n_columns)`, after those there are."""
        self._tables.append((len(self), table))

    def __len__(self) -> int:
        if not self._tables:
            return 0
        first, table = self._tables[-1]
        return first + len(table)

    def __getitem__(self, index: slice) -> Array:
        start, stop, _ = index.indices(len(self))
        parts = [table[max(start - first, 0) : max(stop - first, 0)] for first, table in self._tables]
        filled = [part for part in parts if len(part)]
        return filled[0] if len(filled) == 1 else np.concatenate(parts)

    def take(self, numbers: NDArray[np.integer[Any]]) -> Array:
        """The rows of these numbers, shape `(...)`, each from 0 to n - 1; the result has shape `(..., n_columns)`."""
        out = np.empty((*numbers.shape, self.n_columns), self.dtype)
        for first, table in self._tables:
            here = (numbers >= first) & (numbers < first + len(table))
            out[here] = table[numbers[here] - first]
        return out
