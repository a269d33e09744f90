"""HDF5 files: contiguous datasets, memory maps, and what libhdf5 may raise.

A contiguous, uncompressed dataset is a plain block of numbers inside its file. Read through a memory map it is as
fast as an array in memory, and the operating system keeps what is used; every HDF5 tool can still open the file.
"""

import contextlib
import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from stacked.errors import StackedError
from stacked.paths import open_plain


def is_dataset(x: Any) -> bool:
    """Whether `x` is an open HDF5 dataset."""
    return isinstance(x, h5py.Dataset)


def is_group(x: Any) -> bool:
    """Whether `x` is an HDF5 group, as a file is."""
    return isinstance(x, h5py.Group)


_RAISED = (OSError, KeyError, ValueError, TypeError, RuntimeError, MemoryError)
"""What h5py makes of libhdf5's errors: one of the first four by their kind, a RuntimeError of kinds that it does not
know; and what an absurd size in a damaged file ends with."""


@contextlib.contextmanager
def reading(subject: str, remedy: str) -> Iterator[None]:
    """Turn what reading an HDF5 file raises into one sentence; for what calls h5py, and nothing else."""
    try:
        yield
    except StackedError:
        raise
    except _RAISED as error:
        reason = " ".join(str(error.args[0] if error.args else error).split()) or type(error).__name__
        raise StackedError(f"{subject}: it cannot be read as HDF5 ({reason}); {remedy}") from error


def n_bytes(dataset: h5py.Dataset) -> int:
    """Bytes that the values take in memory, however many the file declares; `dataset.nbytes` may overflow."""
    return math.prod(int(size) for size in dataset.shape) * int(dataset.dtype.itemsize)


def memory_map(dataset: h5py.Dataset) -> NDArray[Any] | None:
    """The dataset as a memory map that is only read.

    None when its values do not lie in one piece, as NumPy has them, in a plain file. A map that could be written to
    without changing the file would count against the memory of the process, every page of it.
    """
    offset = dataset.id.get_offset()
    stored_as_it_is = dataset.id.get_type() == h5py.h5t.py_create(dataset.dtype)
    if offset is None or dataset.file.driver != "sec2" or not stored_as_it_is:
        return None
    dataset.file.flush()
    return _mapped(dataset, offset)


def _mapped(dataset: h5py.Dataset, offset: int) -> NDArray[Any] | None:
    try:
        # A descriptor of its own, for HDF5 locks the one it has.
        with open_plain(Path(dataset.file.filename)) as file:
            found, opened = os.fstat(file.fileno()), os.fstat(dataset.file.id.get_vfd_handle())
            is_the_same_file = os.path.samestat(found, opened)  # its name may have passed to another since
            if not is_the_same_file or found.st_size < offset + n_bytes(dataset):
                return None
            return np.memmap(file, dataset.dtype, "r", offset, dataset.shape)
    except OSError:
        return None


def create_joined(
    path: Path, name: str, parts: Mapping[Path, int], n_columns: int, dtype: np.dtype[np.floating[Any]]
) -> None:
    """Write an HDF5 file of one virtual dataset: the rows of those of that name in other files, in turn.

    The others are found from the folder of the file. The rows of one that is gone are NaN.

    Parameters
    ----------
    path : Path
        The file, replaced where there is one.
    name : str
        Of the dataset, and of those it is made of.
    parts : mapping of Path to int
        How many rows are in each file.
    n_columns : int
        Of every dataset.
    dtype : numpy.dtype
        Of every dataset.
    """
    layout, start = h5py.VirtualLayout((sum(parts.values()), n_columns), dtype), 0
    for part, n_rows in parts.items():
        source = h5py.VirtualSource(os.path.relpath(part, path.parent), name, (n_rows, n_columns), dtype)
        layout[start : start + n_rows] = source
        start += n_rows
    with h5py.File(path, "w") as file:
        file.create_virtual_dataset(name, layout, fillvalue=math.nan)


def create_contiguous(path: Path, name: str, shape: tuple[int, int], dtype: np.dtype[Any], user_block: int) -> int:
    """Write an HDF5 file of one contiguous dataset, its space allocated, its values undefined.

    Parameters
    ----------
    path : Path
        The file, replaced where there is one.
    name : str
        The dataset's.
    shape : (int, int)
        Of the dataset.
    dtype : numpy.dtype
        Of the dataset.
    user_block : int
        Bytes left free at the start of the file, a power of 2 of at least 512.

    Returns
    -------
    int
        Where in the file the values begin, in bytes.
    """
    layout = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    layout.set_layout(h5py.h5d.CONTIGUOUS)
    layout.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    layout.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    with h5py.File(path, "w", userblock_size=user_block) as file:
        kind, space = h5py.h5t.py_create(dtype), h5py.h5s.create_simple(shape)
        return int(h5py.h5d.create(file.id, name.encode(), kind, space, layout).get_offset())
