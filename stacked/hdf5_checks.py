"""What is asked of an HDF5 dataset that nobody vouches for.

Its values must lie in its own file, and reading them must take memory in proportion to what that file holds, whatever
sizes it declares.
"""

import math
import os

import h5py

from stacked import hdf5
from stacked.errors import StackedError, mismatch
from stacked.hdf5_chunks import MOST_EXPANSION, check_chunks
from stacked.hdf5_links import find_dataset

MOST_IN_HAND = 2**30
"""Bytes that one read may take: a block of rows, or one chunk, which is unpacked as a whole."""

SMALL = 2**26
"""Bytes that a table may declare however little is stored, such as one that is yet to be written."""

_VOUCH = "if you trust the file pass Trusted(dataset), or trusted=True to load_hdf5"


def check_dataset(dataset: h5py.Dataset, name: str, block: int) -> None:
    """Raise unless the values lie in the dataset's own file and can be read `block` rows at a time.

    Raises
    ------
    StackedError
        For external storage, sources in other files, sizes that nothing stored stands for, blocks or chunks beyond
        `MOST_IN_HAND`, and chunks that unpack to more than they should.
    """
    parts = _parts(dataset, name)
    file_bytes = _file_bytes(dataset.file)
    stored = file_bytes if dataset.is_virtual else min(file_bytes, int(dataset.id.get_storage_size()))
    if hdf5.n_bytes(dataset) > max(SMALL, MOST_EXPANSION * stored):
        received = f"shape {dataset.shape}, {hdf5.n_bytes(dataset):,} bytes, of which {stored:,} are stored"
        expected = f"at most {MOST_EXPANSION} times the bytes that are stored"
        raise mismatch(name, expected=expected, received=received, remedy=_VOUCH)
    if dataset.id.get_offset() is None or hdf5.memory_map(dataset) is None:  # what is mapped is read where it lies
        _check_in_hand(dataset, (min(block, dataset.shape[0]), *dataset.shape[1:]), name, f"{block} rows")
    for part in parts:
        _check_in_hand(part, part.chunks or (), name, "one chunk")
        check_chunks(part, name, file_bytes, MOST_IN_HAND, _VOUCH)


def _parts(dataset: h5py.Dataset, name: str) -> list[h5py.Dataset]:
    """The datasets of the file in which the values lie: this one or, for a virtual one, its sources."""
    parts = [dataset]
    if dataset.is_virtual:
        sources = {(source.file_name, source.dset_name) for source in dataset.virtual_sources()}
        parts = [_source(dataset, name, *source) for source in sources]
    for part in parts:
        if part.external is not None or part.is_virtual:
            elsewhere = "virtual ones" if part.is_virtual else f"other files ({part.external[0][0]!r})"
            _refuse_place(name, f"values in {elsewhere}")
    return parts


def _source(dataset: h5py.Dataset, name: str, file_name: str, source: str) -> h5py.Dataset:
    # HDF5 takes "." for the file itself and seeks other names in several places; "%b" stands for any number.
    if file_name != "." or "%" in source:
        _refuse_place(name, f"a virtual one with a source in {file_name!r}, dataset {source!r}")
    return find_dataset(dataset.file, source)


def _refuse_place(name: str, received: str) -> None:
    raise mismatch(name, expected="a dataset whose values lie in its own file", received=received, remedy=_VOUCH)


def _file_bytes(file: h5py.File) -> int:
    file.flush()
    return os.fstat(file.id.get_vfd_handle()).st_size if file.driver == "sec2" else int(file.id.get_filesize())


def _check_in_hand(dataset: h5py.Dataset, shape: tuple[int, ...], name: str, what: str) -> None:
    size = math.prod(int(length) for length in shape) * int(dataset.dtype.itemsize)
    if size > MOST_IN_HAND:
        reason = f"expected at most {MOST_IN_HAND:,} bytes in {what}, received {size:,} bytes"
        raise StackedError(f"{name}: {reason}; store narrower rows and smaller chunks, or {_VOUCH}")
