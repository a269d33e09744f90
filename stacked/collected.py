"""Rows that come block by block: held in memory while they are few, else in a temporary file.

The file is read through a memory map that cannot be written to, and is there for as long as the map or a view of it.
Its folder is locked by this process, so that the file of a killed one is removed by whoever makes the next.
"""

import contextlib
import itertools
import weakref
from collections import deque
from collections.abc import Iterable, Iterator
from io import RawIOBase

import numpy as np

from stacked import orders
from stacked.files import blaming
from stacked.rows import Array
from stacked.temporary_folder import temporary_folder

_WHAT = "a copy of a table that is larger than memory (TMPDIR names the folder)"


def collected(blocks: Iterable[Array]) -> Array:
    """The blocks, one after the other, as one array.

    Parameters
    ----------
    blocks : iterable of arrays
        One at least, each of shape `(some, ...)`, alike in all but their length.

    Returns
    -------
    array
        Shape `(n, ...)`. In memory, if it takes at most `orders.MIXING_BYTES`; else a memory map of a temporary file,
        which is gone when the map and its views are.

    Raises
    ------
    StackedError
        When the file cannot be written. What the blocks raise is passed on.
    """
    held, coming, n_bytes = deque[Array](), iter(blocks), 0
    for block in coming:
        held.append(block)
        n_bytes += block.nbytes
        if n_bytes > orders.MIXING_BYTES:
            return _in_a_file(itertools.chain(_let_go(held), coming))
    return _in_memory(held)


def _in_memory(held: deque[Array]) -> Array:
    whole = np.empty((sum(map(len, held)), *held[0].shape[1:]), held[0].dtype)
    start = 0
    for block in _let_go(held):
        whole[start : start + len(block)] = block
        start += len(block)
    return whole


def _let_go(held: deque[Array]) -> Iterator[Array]:
    """The blocks one by one, none of which is kept, so that no table is in memory twice."""
    while held:
        yield held.popleft()


def _in_a_file(blocks: Iterator[Array]) -> Array:
    with contextlib.ExitStack() as life:
        path = life.enter_context(temporary_folder(_WHAT)) / "rows"
        n_rows = 0
        with path.open("wb", buffering=0) as file:
            for block in blocks:
                with blaming(path.parent.parent, _WHAT):
                    _write(file, block)
                n_rows += len(block)
        mapped = np.memmap(path, block.dtype, "r", shape=(n_rows, *block.shape[1:]))
        weakref.finalize(mapped.base, life.pop_all().close)  # the base is the map itself, which every view keeps
    return mapped


def _write(file: RawIOBase, block: Array) -> None:
    left = np.ascontiguousarray(block).reshape(-1).view(np.uint8)
    while len(left):  # the system may take a part only, of a disk that is nearly full for one
        left = left[file.write(left.data) :]
