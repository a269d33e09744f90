"""Readers: where the rows of an epoch are gathered from, portion by portion of its order.

Rows in memory, and those in a map that are shuffled as a whole, are gathered where they lie. Others are read into a
buffer of two halves, in the dtype in which they are stored: a thread reads one portion while the one before trains.
"""

import itertools
import mmap
from collections.abc import Generator, Iterable
from threading import Event
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stacked import orders
from stacked.ahead import one_ahead
from stacked.examples import Examples, as_tensor
from stacked.lazy_rows import LazyRows
from stacked.orders import Order, pieces_of
from stacked.rows import Array, Rows, addressable, stored_of, to_tensor


class Portion(NamedTuple):
    """Rows that are shuffled together: the table that holds them, their places in it, and their numbers."""

    table: Tensor | Array
    places: Tensor
    numbers: Tensor

    def gather(self, start: int, n_rows: int, out: Tensor) -> None:
        """Fill `out`, shape `(n_rows, n_inputs)`, with so many of the rows, as they are stored."""
        places = self.places.narrow(0, start, n_rows)
        if isinstance(self.table, Tensor):
            torch.index_select(self.table, 0, places, out=out)
        else:
            out.copy_(to_tensor(self.table[places.numpy()]))


class Reader(Protocol):
    """Reads the portions of an epoch, one epoch at a time."""

    def portions(self, numbers: Iterable[Tensor]) -> Generator[Portion]:
        """Portion by portion, each valid until the next is asked for; to be closed."""
        ...

    def room(self, n_rows: int) -> Tensor:
        """Room for so many rows, as they are gathered: shape `(n_rows, n_inputs)`."""
        ...


class InPlace:
    """Rows that are gathered where they lie.

    Parameters
    ----------
    table : Array
        The rows.
    home : torch.device
        Where they are kept, and gathered.
    """

    def __init__(self, table: Array, home: torch.device) -> None:
        self._table = to_tensor(table).to(home) if addressable(table) else table
        self._home = home

    def portions(self, numbers: Iterable[Tensor]) -> Generator[Portion]:
        for some in numbers:
            places = some.to(self._home)
            yield Portion(self._table, places, places)

    def room(self, n_rows: int) -> Tensor:
        return _room(self._table, n_rows)


class Buffered:
    """Rows that are read into memory, one portion ahead.

    Parameters
    ----------
    rows : Rows
        The rows.
    order : Order
        Gives the sizes of pieces and of halves.
    """

    def __init__(self, rows: Rows, order: Order) -> None:
        self._rows, self._order = rows, order
        self._halves = [np.empty((0, rows.shape[1]), rows.dtype) for _ in range(2)]
        self._held = [np.empty(0, np.int64) for _ in range(2)]

    def portions(self, numbers: Iterable[Tensor]) -> Generator[Portion]:
        return one_ahead(self._read, zip(itertools.cycle((0, 1)), (some.numpy() for some in numbers)))

    def room(self, n_rows: int) -> Tensor:
        return _room(self._halves[0], n_rows)

    def _read(self, job: tuple[int, NDArray[np.int64]], stopping: Event) -> Portion:
        """A portion, read into one of the halves unless it is what is there, as after `Batches.first`."""
        which, numbers = job
        order = numbers.argsort()
        ascending, places = numbers[order], np.empty_like(order)
        places[order] = np.arange(len(order))
        if not np.array_equal(self._held[which], ascending):
            self._held[which] = ascending[:0]
            read_into(self._with_room(which, len(numbers)), self._rows, ascending, self._order.piece, stopping)
            self._held[which] = ascending[:0] if stopping.is_set() else ascending
        half = self._halves[which]
        return Portion(_as_table(half), torch.from_numpy(places), torch.from_numpy(numbers))

    def _with_room(self, which: int, n_rows: int) -> Array:
        """One of the halves, made anew where it is too small, in whole pieces so that this does not happen twice."""
        if len(self._halves[which]) < n_rows:
            room = min(self._order.half, -(-n_rows // self._order.piece) * self._order.piece)
            self._halves[which] = np.empty((room, self._rows.shape[1]), self._rows.dtype)
        return self._halves[which]


def reader_of(rows: Rows, order: Order, device: torch.device) -> Reader:
    """What reads the rows in this order for a model on a device."""
    stored = stored_of(rows)
    if isinstance(stored, np.ndarray) and (order.is_whole or not _is_mapped(stored)):
        return InPlace(stored, _home(stored, device))
    return Buffered(stored, order)


def in_memory_if_whole(examples: Examples) -> Examples:
    """The same examples, read into memory if their rows only give slices and are shuffled as a whole."""
    rows, order = stored_of(examples.rows), Order(examples.rows, examples.numbers)
    if isinstance(rows, np.ndarray) or not order.is_whole:
        return examples
    numbers = as_tensor(examples.numbers).numpy()
    table = np.empty((len(numbers), rows.shape[1]), rows.dtype)
    read_into(table, rows, numbers, order.piece, Event())
    kept = examples.rows.over(table) if isinstance(examples.rows, LazyRows) else table
    return Examples.all_of(kept, None if examples.labels is None else examples.labels[numbers])


def read_into(out: Array, rows: Rows, numbers: NDArray[np.int64], piece: int, stopping: Event) -> None:
    """Fill the first rows of `out` with those of ascending numbers, piece by piece until told to stop."""
    done = 0
    for part in pieces_of(torch.from_numpy(numbers), piece):
        if stopping.is_set():
            return
        some = as_tensor(part).numpy()
        first, last = int(some[0]), int(some[-1])
        # A slice of a memory map reads nothing yet, so that of these rows only those wanted are read.
        neighbours = np.asarray(rows[first : last + 1])
        np.take(neighbours, some - first, axis=0, out=out[done : done + len(some)], mode="clip")
        done += len(some)


def _as_table(array: Array) -> Tensor | Array:
    """What torch gathers from, as a tensor; anything else as it is."""
    return to_tensor(array) if addressable(array) else array


def _room(table: Tensor | Array, n_rows: int) -> Tensor:
    like = table if isinstance(table, Tensor) else to_tensor(table[:0])
    return like.new_empty(n_rows, table.shape[1])


def _is_mapped(table: Array) -> bool:
    """Whether an array lies in a memory map, whatever views lie between."""
    part: object = table
    while isinstance(part, np.ndarray):
        part = part.base
    return isinstance(part, mmap.mmap)


def _home(table: Array, device: torch.device) -> torch.device:
    """The device where it has room for the table, and twice that; memory otherwise."""
    if device.type == "cuda" and addressable(table) and table.nbytes <= orders.MIXING_BYTES:
        free, _ = torch.cuda.mem_get_info(device)
        return device if 2 * table.nbytes <= free else torch.device("cpu")
    return torch.device("cpu")
