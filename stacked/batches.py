"""Shuffled minibatches from rows of any kind.

Rows that can be addressed one by one (arrays, memory maps) are gathered in a fresh random order each epoch.
Rows that only give slices (a compressed HDF5 dataset) are read in blocks: the blocks are taken in random order, as
many as fill a mixing buffer, and the buffer is shuffled. When everything fits into the buffer, both ways give the
same minibatches.
"""

import itertools
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from stacked.examples import Examples
from stacked.randomness import Stream
from stacked.rows import BLOCK, Rows, ScaledRows, addressable, scaled, to_tensor

MIXING_BYTES = 2**28
"""Size of the mixing buffer: the rows that are shuffled together."""

Minibatch = tuple[Tensor, Tensor | None]
"""Rows `(size, n_inputs)`, which the next minibatch may overwrite, and their labels `(size,)` where there are any."""


def shuffling(rows: Rows, dtype: torch.dtype) -> str:
    """How the rows are shuffled, on which their order depends besides the random numbers."""
    stored = rows.stored if isinstance(rows, ScaledRows) else rows
    fits = rows.shape[0] * rows.shape[1] * dtype.itemsize <= MIXING_BYTES
    return "as a whole" if fits or addressable(stored) else f"in a buffer of {MIXING_BYTES} bytes"


class Batches:
    """The minibatches of an epoch.

    Parameters
    ----------
    examples : Examples
        What is learnt from.
    size : int
        Rows a minibatch; the last one of an epoch may be smaller.
    dtype, device
        Of the minibatches.
    """

    def __init__(self, examples: Examples, size: int, dtype: torch.dtype, device: torch.device) -> None:
        self.size, self._dtype, self._device = size, dtype, device
        self._rows, labels, self._numbers = examples
        self._labels = None if labels is None else torch.from_numpy(labels)
        stored = self._rows.stored if isinstance(self._rows, ScaledRows) else self._rows
        self._table = to_tensor(np.asarray(stored)) if addressable(stored) else None
        if self._table is not None:
            self._room = self._table.new_empty(min(size, len(self._numbers)), self._table.shape[1])

    def shuffled(self, stream: Stream, skip: int = 0) -> Iterator[Minibatch]:
        """One epoch in random order, without its first `skip` rows, a whole number of minibatches."""
        if self._table is not None:
            return self._one_by_one(self._numbers[stream.permutation(len(self._numbers))], skip)
        return itertools.islice(self._mixed(stream), -(-skip // self.size), None)

    def first(self, n_rows: int, stream: Stream) -> Minibatch:
        """The first rows of an epoch in the order that the stream gives next; the stream stays as it is."""
        before, taken, missing = stream.state(), [], n_rows
        for x, labels in self.shuffled(stream):
            taken.append((x[:missing].clone(), None if labels is None else labels[:missing]))
            missing -= len(x)
            if missing <= 0:
                break
        stream.restore(before)
        rows, classes = zip(*taken, strict=True)
        return torch.cat(rows), None if classes[0] is None else torch.cat(classes)

    def in_order(self) -> Iterator[Minibatch]:
        """One epoch as the rows stand."""
        return self._one_by_one(self._numbers)

    def _one_by_one(self, numbers: Tensor, skip: int = 0) -> Iterator[Minibatch]:
        for start in range(skip, len(numbers), self.size):
            some = numbers[start : start + self.size]
            yield self._placed(self._read(some), some)

    def _mixed(self, stream: Stream) -> Iterator[Minibatch]:
        """Minibatches of one mixing buffer after the other; what a buffer leaves over joins the next."""
        rows = torch.empty(0, self._rows.shape[1], dtype=self._dtype)
        numbers = self._numbers[:0]
        for pieces in self._buffers(stream):
            fresh = torch.cat([self._read(piece).to(self._dtype) for piece in pieces])
            order = stream.permutation(len(fresh))
            rows = torch.cat([rows, fresh[order]])
            numbers = torch.cat([numbers, torch.cat(pieces)[order]])
            while len(rows) >= self.size:
                # In memory of its own, for sums may round differently at odd addresses.
                yield self._placed(rows[: self.size].clone(), numbers[: self.size])
                rows, numbers = rows[self.size :], numbers[self.size :]
        if len(rows):
            yield self._placed(rows, numbers)

    def _buffers(self, stream: Stream) -> Iterator[list[Tensor]]:
        """The numbers of the rows that are mixed together, in pieces that lie side by side."""
        row_bytes = self._rows.shape[1] * self._dtype.itemsize
        capacity = max(self.size, MIXING_BYTES // row_bytes)
        if len(self._numbers) <= capacity:
            yield list(torch.split(self._numbers, BLOCK))
            return
        pieces = torch.split(self._numbers, min(BLOCK, max(1, capacity // 64)))
        for some in torch.split(stream.permutation(len(pieces)), max(1, capacity // len(pieces[0]))):
            yield [pieces[i] for i in some.tolist()]

    def _read(self, numbers: Tensor) -> Tensor:
        """Rows by their numbers; ascending ones, where rows come in slices."""
        if self._table is not None:
            n = numbers.shape[0]
            room = self._room if n == self._room.shape[0] else self._room[:n]
            return torch.index_select(self._table, 0, numbers, out=room)
        first, last = int(numbers[0]), int(numbers[-1])
        if last - first > 2 * BLOCK and len(numbers) > 1:  # far apart, so what lies between is not worth reading
            return torch.cat([self._read(half) for half in numbers.chunk(2)])
        return to_tensor(np.asarray(self._rows[first : last + 1]))[numbers - first]

    def _placed(self, x: Tensor, numbers: Tensor) -> Minibatch:
        labels = None if self._labels is None else self._labels[numbers].to(self._device)
        x = x.to(self._device)
        if isinstance(self._rows, ScaledRows):
            x = scaled(x, self._rows)
        return x.to(self._dtype), labels
