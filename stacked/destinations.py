"""Where results go: a new array, or an array, a map or an HDF5 dataset of the caller's, for those beyond memory."""

from typing import Any

import numpy as np

from stacked import hdf5
from stacked.errors import mismatch
from stacked.rows import Array


def destination(out: Any, shape: tuple[int, int], dtype: np.dtype[Any]) -> Array:
    """A new array, or `out` when it is given and takes results of this shape and dtype.

    Raises
    ------
    StackedError
        When `out` is no array and no open HDF5 dataset, has another shape or dtype, or cannot be written to.
    """
    if out is None:
        return np.empty(shape, dtype)
    received = _unsuitable(out, shape, dtype)
    if received:
        expected = f"an array or an open HDF5 dataset to write to, of shape {shape} and dtype {dtype}"
        raise mismatch("out", expected=expected, received=received, remedy="pass such a one, or leave it out")
    taken: Array = out  # or what takes rows as an array does
    return taken


def check_apart(rows: Any, out: Any) -> None:
    """Raise when results would overwrite rows before these are read.

    In the very place of the rows they may go, for a block is read before it is written.
    """
    arrays = isinstance(rows, np.ndarray) and isinstance(out, np.ndarray)
    if arrays and np.may_share_memory(rows, out) and _place(rows) != _place(out):
        remedy = "pass memory of its own"
        raise mismatch(
            "out", expected="an array apart from the rows", received="one that overlaps them", remedy=remedy
        )


def _place(array: Array) -> tuple[int, tuple[int, ...]]:
    return array.__array_interface__["data"][0], array.strides


def _unsuitable(out: Any, shape: tuple[int, int], dtype: np.dtype[Any]) -> str:
    """What is wrong with `out`, as it was received; nothing where it will do."""
    is_dataset = hdf5.is_dataset(out)
    if not is_dataset and not isinstance(out, np.ndarray):
        return type(out).__name__
    if is_dataset and not out:
        return "one whose file is closed"
    if out.shape != shape or out.dtype != dtype:
        return f"shape {out.shape} and dtype {out.dtype}"
    writable = out.file.mode == "r+" if is_dataset else out.flags.writeable
    return "" if writable else "one that is only read"
