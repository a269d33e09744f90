"""The order of the rows in an epoch: which ones are shuffled together, and which train after which.

A table of up to `MIXING_BYTES` is shuffled as a whole. A larger one is mixed: pieces of neighbouring rows come in
random order, as many as fill half of a buffer of `MIXING_BYTES` are shuffled together, and half follows half, so that
one can be read while the other trains. The order does not depend on where the rows lie, except that the pieces of a
dataset in chunks are whole chunks, for a chunk in two pieces would be unpacked twice.
"""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from stacked.examples import Numbers, as_tensor, numbers_in
from stacked.hdf5_rows import DatasetRows
from stacked.randomness import Stream
from stacked.rows import Rows, stored_of

MIXING_BYTES = 2**29
"""Bytes of rows that are held in memory to be shuffled: a whole table, or two halves of a mixing buffer."""

PIECES = 256
"""Pieces that half of the buffer holds. Two rows of a minibatch are neighbours in the file with a chance of 1/256."""


class Order:
    """In what order some rows of a table are trained on.

    The random numbers are drawn as the portions are asked for, and number no more than the rows of one portion.

    Parameters
    ----------
    rows : Rows
        The table, whose shape, dtype and chunks count.
    numbers : Tensor or range
        Of the rows that take part, ascending.

    Attributes
    ----------
    is_whole : bool
        Whether all rows are shuffled together.
    half : int
        The most rows that are shuffled together when not all are.
    piece : int
        How many rows of the table make a piece.
    """

    def __init__(self, rows: Rows, numbers: Numbers) -> None:
        row_bytes = rows.shape[1] * np.dtype(rows.dtype).itemsize
        self._numbers = numbers
        self.is_whole = len(numbers) * row_bytes <= MIXING_BYTES
        self.half = max(1, MIXING_BYTES // 2 // row_bytes)
        stored = stored_of(rows)
        chunk = stored.chunk_rows if isinstance(stored, DatasetRows) else 1
        chunks = -(-max(1, self.half // PIECES) // chunk)
        self.piece = min(self.half, chunks * chunk)

    def shuffled(self, stream: Stream) -> Iterator[Tensor]:
        """The numbers of one epoch, in portions that are shuffled together."""
        if self.is_whole:
            yield numbers_in(stream.permutation(len(self._numbers)), self._numbers)
            return
        for portion in self._portions(stream):
            yield portion[stream.permutation(len(portion))]

    def in_order(self) -> Iterator[Tensor]:
        """The numbers as they stand, in portions worth reading at once."""
        return map(as_tensor, [self._numbers] if self.is_whole else pieces_of(self._numbers, self.piece))

    def _portions(self, stream: Stream) -> Iterator[Tensor]:
        """Pieces in random order, as many together as half of the buffer holds."""
        pieces = pieces_of(self._numbers, self.piece)
        together: list[Tensor] = []
        n_rows = 0
        for which in stream.permutation(len(pieces)).tolist():
            if n_rows + len(pieces[which]) > self.half:
                yield torch.cat(together)
                together, n_rows = [], 0
            together.append(as_tensor(pieces[which]))
            n_rows += len(pieces[which])
        yield torch.cat(together)


def pieces_of(numbers: Numbers, piece: int) -> list[Numbers]:
    """Ascending numbers of rows, parted where one piece of the table ends and the next begins."""
    first, last = int(numbers[0]), int(numbers[-1])
    edges = torch.arange(first // piece + 1, last // piece + 1) * piece
    places = edges - first if isinstance(numbers, range) else torch.searchsorted(numbers, edges)
    bounds = pairwise([0, *places.tolist(), len(numbers)])
    return [numbers[start:stop] for start, stop in bounds if start < stop]


def shuffling(rows: Rows) -> str:
    """How the rows are shuffled, on which their order depends besides the random numbers."""
    order = Order(rows, range(len(rows)))
    return f"in {MIXING_BYTES} bytes" + ("" if order.is_whole else f", pieces of {order.piece} rows")
