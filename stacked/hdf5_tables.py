"""Tables in HDF5 files from others: found and checked before a value of them is read."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
from numpy.typing import NDArray

from stacked import hdf5
from stacked.errors import StackedError, check_flag, mismatch
from stacked.hdf5_checks import check_dataset
from stacked.hdf5_links import find_dataset, find_table
from stacked.hdf5_rows import DatasetRows, Trusted
from stacked.paths import PathLike, named_path, open_plain
from stacked.rows import as_rows


def load_hdf5(path: PathLike, dataset: str | None = None, *, trusted: bool = False) -> NDArray[Any] | DatasetRows:
    """The rows of a dataset in an HDF5 file, to be passed wherever rows are.

    A contiguous dataset comes as a memory map that is only read. Any other comes as rows that keep the file open and
    are read slice by slice; at most 1 GiB is taken at a time, and a table with rows too wide for that is refused.

    Parameters
    ----------
    path : path
        The file.
    dataset : str, optional
        The dataset's name, with the groups above it, such as "images/train"; may be left out where the file has but
        one table of numbers.
    trusted : bool
        Whether to follow links to other files, read values that lie in other files, and believe any size. Leave it
        out for a file from others: it could make this program read any file, or take any amount of memory.

    Returns
    -------
    memmap or DatasetRows
        Shape `(n, n_inputs)`; `np.asarray` reads all of it.

    Raises
    ------
    StackedError
        When the file cannot be read, has no such dataset, holds anything but a table of numbers there, or is not to
        be trusted.
    """
    check_flag("trusted", trusted)
    where = named_path(path, "path")
    if dataset is not None and (not isinstance(dataset, str) or "\0" in dataset):
        remedy = "name one in the file, such as 'images/train'"
        raise mismatch("dataset", expected="the name of a dataset", received=repr(dataset), remedy=remedy)
    with _opened(where) as file:
        dataset = find_table(file) if dataset is None else dataset
        found = file[dataset] if trusted else find_dataset(file, dataset)
    return as_rows(Trusted(found) if trusted else found, f"{where}, dataset {dataset!r}")  # type: ignore[return-value]


def hdf5_column(path: Path, dataset: str | None) -> NDArray[Any]:
    """The values of a dataset, or of the only one with one value a row: numbers, or text as objects, in memory.

    Raises
    ------
    StackedError
        As `load_hdf5`, for a file that is not trusted.
    """
    with _opened(path) as file, file:
        found = find_dataset(file, find_table(file, rank=1) if dataset is None else dataset)
        subject, is_text = f"{path}, dataset {found.name!r}", h5py.check_string_dtype(found.dtype) is not None
        if not found.shape or (found.dtype.kind not in "fiub" and not is_text):
            received, remedy = f"dtype {found.dtype}, shape {found.shape}", "name another dataset"
            raise mismatch(subject, expected="numbers or text", received=received, remedy=remedy)
        check_dataset(found, subject, found.shape[0])
        values: NDArray[Any] = (found.asstr() if is_text else found)[()]
        return values


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[h5py.File]:
    """The file, which stays open with what is found in it."""
    try:
        open_plain(path).close()
    except OSError as error:
        reason = f"expected an HDF5 file, but it cannot be read: {error.strerror}"
        raise StackedError(f"{path}: {reason}; check the name of the file") from error
    with hdf5.reading(str(path), "check that it is a whole HDF5 file that no other program writes to"):
        yield h5py.File(path, "r")
