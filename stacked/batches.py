"""Shuffled minibatches from rows of any kind, in an order that does not depend on where they lie."""

import contextlib
from collections.abc import Generator, Iterable, Iterator

import torch
from torch import Tensor

from stacked.examples import ALL, Examples, Share
from stacked.orders import Order
from stacked.randomness import Stream
from stacked.readers import Portion, in_memory_if_whole, reader_of
from stacked.rows import placed, stored_of

Minibatch = tuple[Tensor, Tensor | None]
"""Rows `(size, n_inputs)`, which the next minibatch may overwrite, and their labels `(size,)` where there are any."""


class Batches:
    """The minibatches of an epoch.

    There is one epoch at a time. It is a generator for which a thread may read ahead: where it may be left before its
    end, close it, as `contextlib.closing` does.

    Parameters
    ----------
    examples : Examples
        What is learnt from.
    size : int
        Rows a minibatch; the last one of an epoch may be smaller.
    dtype, device
        Of the minibatches.
    share : Share
        The part of every minibatch that is read and given; the whole by default.
    """

    def __init__(
        self, examples: Examples, size: int, dtype: torch.dtype, device: torch.device, share: Share = ALL
    ) -> None:
        examples = in_memory_if_whole(examples)
        self.size, self._dtype, self._device, self._share = size, dtype, device, share
        self._rows, self._n_rows = examples.rows, len(examples.numbers)
        self._labels = None if examples.labels is None else torch.from_numpy(examples.labels).to(device)
        self._order = Order(examples.rows, examples.numbers)
        self._reader = reader_of(examples.rows, self._order, device)
        self._room = self._reader.room(self._n_own(0))
        at_home = (self._room.dtype, self._room.device.type) == (dtype, device.type)
        self._as_it_is = at_home and stored_of(self._rows) is self._rows

    def shuffled(self, stream: Stream, skip: int = 0) -> Generator[Minibatch]:
        """One epoch in random order, without its first `skip` rows, a whole number of minibatches."""
        return self._epoch(self._order.shuffled(stream), skip)

    def in_order(self) -> Generator[Minibatch]:
        """One epoch as the rows stand."""
        return self._epoch(self._order.in_order(), 0)

    def first(self, n_rows: int, stream: Stream) -> Minibatch:
        """The first rows of an epoch in the order that the stream gives next; the stream stays as it is.

        They are the same for every share. What is read for them is kept for that epoch.
        """
        before, portions, n_found = stream.state(), [], 0
        for numbers in self._order.shuffled(stream):
            portions.append(numbers)
            n_found += len(numbers)
            if n_found >= n_rows:
                break
        stream.restore(before)
        if self._share != ALL:  # the epoch will read other rows
            portions[-1] = portions[-1][: len(portions[-1]) - max(0, n_found - n_rows)]
        n_rows = min(n_rows, n_found)
        with contextlib.closing(self._reader.portions(portions)) as read:
            return next(self._minibatches(read, [n_rows], self._reader.room(n_rows)))

    def _epoch(self, order: Iterator[Tensor], skip: int) -> Generator[Minibatch]:
        sizes = (self._n_own(start) for start in range(skip, self._n_rows, self.size))
        with contextlib.closing(self._reader.portions(self._own(order, skip))) as read:
            yield from self._minibatches(read, sizes, self._room)

    def _minibatches(self, portions: Iterator[Portion], sizes: Iterable[int], room: Tensor) -> Iterator[Minibatch]:
        """Minibatches of the given sizes; what a portion leaves over joins the next."""
        portion, at, left = None, 0, 0
        for size in sizes:
            x = room if size == room.shape[0] else room[:size]
            filled, labels = 0, []
            while filled < size:
                if portion is None or left == 0:
                    portion, at = next(portions), 0
                    left = len(portion.numbers)
                n = min(size - filled, left)
                portion.gather(at, n, x if n == size else x[filled : filled + n])
                if self._labels is not None:
                    numbers = portion.numbers[at : at + n].to(self._device)
                    labels.append(torch.index_select(self._labels, 0, numbers))
                at, left, filled = at + n, left - n, filled + n
            yield self._placed(x), self._joined(labels)
        for _ in portions:  # of other shares only: nothing is read, but the stream goes on as it does for them
            pass

    def _own(self, order: Iterator[Tensor], skip: int) -> Iterator[Tensor]:
        """The numbers of this share, without those before `skip`."""
        begin = 0
        for numbers in order:
            own = self._part(numbers, begin, skip)
            begin += len(numbers)
            if len(own):
                yield own

    def _part(self, numbers: Tensor, begin: int, skip: int) -> Tensor:
        """What of a portion that begins in this place of the epoch belongs to this share."""
        if self._share == ALL:
            return numbers[max(0, skip - begin) :]
        parts = [numbers[:0]]
        for first in range(max(skip, begin // self.size * self.size), begin + len(numbers), self.size):
            start, stop = self._share.part_of(min(self.size, self._n_rows - first))
            parts.append(numbers[max(0, first + start - begin) : max(0, first + stop - begin)])
        return torch.cat(parts)

    def _n_own(self, start: int) -> int:
        """How many rows of the minibatch that starts in this place of the epoch belong to this share."""
        start, stop = self._share.part_of(min(self.size, self._n_rows - start))
        return stop - start

    def _placed(self, x: Tensor) -> Tensor:
        return x if self._as_it_is else placed(self._rows, x, self._dtype, self._device)

    def _joined(self, labels: list[Tensor]) -> Tensor | None:
        if self._labels is None:
            return None
        return labels[0] if len(labels) == 1 else torch.cat([self._labels[:0], *labels])
