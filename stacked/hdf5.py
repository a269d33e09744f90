"""HDF5 files: contiguous datasets, memory maps. The only file that imports h5py.

A contiguous, uncompressed dataset is a plain block of numbers inside its file. Read through a memory map it is as
fast as an array in memory, and the operating system keeps what is used; every HDF5 tool can still open the file.
"""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray


def is_dataset(x: Any) -> bool:
    """Whether `x` is an open HDF5 dataset."""
    return isinstance(x, h5py.Dataset)


def memory_map(dataset: h5py.Dataset) -> NDArray[Any] | None:
    """The dataset as a memory map; None when it is chunked, compressed, or not in a plain file.

    The map is copy-on-write: nothing that is done to it reaches the file.
    """
    offset = dataset.id.get_offset()
    if offset is None or dataset.file.driver not in ("sec2", "stdio"):
        return None
    dataset.file.flush()
    return np.memmap(dataset.file.filename, dataset.dtype, "c", offset, dataset.shape)


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
