"""Rows of an HDF5 dataset: a memory map where that can be, else read slice by slice."""

from dataclasses import dataclass
from typing import Any

import h5py
from numpy.typing import NDArray

from stacked import hdf5
from stacked.errors import mismatch
from stacked.hdf5_checks import check_dataset
from stacked.lazy_rows import LazyRows

_DAMAGED = "restore the file, or install the filter that it was compressed with"


@dataclass(frozen=True)
class Trusted:
    """An open HDF5 dataset that the caller vouches for, to be passed wherever rows are.

    Without it, a dataset is refused whose values lie in other files, or that declares sizes which nothing stored
    stands for: reading it may open any file, or take any amount of memory.

    Parameters
    ----------
    dataset : h5py.Dataset
        Open as long as it is read.
    """

    dataset: Any


class DatasetRows(LazyRows):
    """Rows of a dataset that is read slice by slice; its file stays open with them.

    Parameters
    ----------
    dataset : h5py.Dataset
        Checked, of shape `(n, n_inputs)`.

    Attributes
    ----------
    chunk_rows : int
        Rows that are stored, and perhaps packed, together; 1 where each stands by itself.
    """

    def __init__(self, dataset: h5py.Dataset) -> None:
        self._shape: tuple[int, ...] = dataset.shape
        self.dtype = dataset.dtype
        self.chunk_rows: int = dataset.chunks[0] if dataset.chunks else 1
        self._dataset = dataset
        self._name = f"{dataset.file.filename}, dataset {dataset.name!r}"

    @property
    def shape(self) -> tuple[int, ...]:
        return self._shape

    def __getitem__(self, index: slice) -> NDArray[Any]:
        start, stop, _ = index.indices(len(self))
        if not self._dataset:
            remedy = "keep it open as long as its rows are read"
            raise mismatch(self._name, expected="an open file", received="a closed one", remedy=remedy)
        with hdf5.reading(f"{self._name}, rows {start} to {stop - 1}", _DAMAGED):
            values: NDArray[Any] = self._dataset[index]
        if len(values) < stop - start:
            expected, remedy = f"rows {start} to {stop - 1}", "leave it as it is while its rows are read"
            raise mismatch(self._name, expected=expected, received=f"{len(values)} of them", remedy=remedy)
        return values


def is_hdf5(x: Any) -> bool:
    """Whether `x` is something of an HDF5 file, or claims to be."""
    return isinstance(x, Trusted) or hdf5.is_dataset(x) or hdf5.is_group(x)


def opened(x: Any, name: str) -> h5py.Dataset:
    """The dataset, out of its wrapper if it has one; StackedError when it is none, or not open."""
    dataset = x.dataset if isinstance(x, Trusted) else x
    if not hdf5.is_dataset(dataset):
        received = "an HDF5 group or file" if hdf5.is_group(dataset) else type(dataset).__name__
        remedy = "pass a dataset in an open file, such as file['x']"
        raise mismatch(name, expected="a table of numbers", received=received, remedy=remedy)
    with hdf5.reading(name, _DAMAGED):
        if not dataset or dataset.shape is None or dataset.dtype is None:
            received = "an empty one" if dataset else "one whose file is closed"
            remedy = "check the file, and keep it open as long as its rows are read"
            raise mismatch(name, expected="an open HDF5 dataset with values", received=received, remedy=remedy)
    return dataset


def dataset_rows(dataset: h5py.Dataset, name: str, block: int, *, trusted: bool) -> NDArray[Any] | DatasetRows:
    """The rows of a dataset of numbers, shape `(n, n_inputs)`; `block` is how many are read at a time.

    Raises
    ------
    StackedError
        When it is not to be trusted and its values lie elsewhere or its size is absurd, or it is damaged.
    """
    with hdf5.reading(name, _DAMAGED):
        if not trusted:
            check_dataset(dataset, name, block)
        mapped = hdf5.memory_map(dataset)
        return DatasetRows(dataset) if mapped is None else mapped
