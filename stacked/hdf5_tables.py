"""Tables in HDF5 files from others: found and checked before a value of them is read."""

from typing import Any

import h5py
from numpy.typing import NDArray

from stacked import hdf5
from stacked.errors import StackedError, check_flag, mismatch
from stacked.hdf5_links import find_dataset, find_table
from stacked.hdf5_rows import DatasetRows, Trusted
from stacked.paths import PathLike, named_path, open_plain
from stacked.rows import as_rows


def load_hdf5(path: PathLike, dataset: str | None = None, *, trusted: bool = False) -> NDArray[Any] | DatasetRows:
    """The rows of a dataset in an HDF5 file, to be passed wherever rows are.

    A contiguous dataset comes as a copy-on-write memory map. Any other comes as rows that keep the file open and are
    read slice by slice; at most 1 GiB is taken at a time, and a table whose rows are too wide for that is refused.

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
    try:
        open_plain(where).close()
    except OSError as error:
        reason = f"expected an HDF5 file, but it cannot be read: {error.strerror}"
        raise StackedError(f"{where}: {reason}; check the name of the file") from error
    with hdf5.reading(str(where), "check that it is a whole HDF5 file that no other program writes to"):
        file = h5py.File(where, "r")
        dataset = find_table(file) if dataset is None else dataset
        found = file[dataset] if trusted else find_dataset(file, dataset)
    return as_rows(Trusted(found) if trusted else found, f"{where}, dataset {dataset!r}")  # type: ignore[return-value]
