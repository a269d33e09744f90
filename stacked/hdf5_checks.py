"""What is asked of an HDF5 dataset that nobody vouches for.

Its values must lie in its own file, and reading them must take memory in proportion to what that file holds, whatever
sizes it declares.
"""

import os

import h5py

from stacked import hdf5
from stacked.errors import mismatch
from stacked.hdf5_links import find_dataset

MOST_IN_HAND = 2**30
"""Bytes that one read may take: a block of rows, or one chunk, which is unpacked as a whole."""

MOST_EXPANSION = 1032
"""Deflate makes no byte stand for more than this; what is declared beyond it was never stored."""

SMALL = 2**26
"""Bytes that a table may declare however little is stored, such as one that is yet to be written."""

_MOST_LAYERS = 8
_VOUCH = "if you trust the file pass Trusted(dataset), or trusted=True to load_hdf5"


def check_dataset(dataset: h5py.Dataset, name: str, block: int) -> None:
    """Raise unless the values lie in the dataset's own file and can be read `block` rows at a time.

    Raises
    ------
    StackedError
        For external storage, sources in other files, and sizes that nothing stored stands for.
    """
    _check_place(dataset, name)
    _check_size(dataset, name, _stored_bytes(dataset))
    _check_in_hand(dataset, name, block)


def _check_place(dataset: h5py.Dataset, name: str, layers: int = 0) -> None:
    """Refuse external storage and virtual sources elsewhere; those within are checked in their turn."""
    if dataset.external is not None:
        _refuse_place(name, f"values in other files ({dataset.external[0][0]!r})")
    if not dataset.is_virtual:
        return
    if layers == _MOST_LAYERS:
        _refuse_place(name, "virtual datasets made of virtual datasets without end")
    for source in {(source.file_name, source.dset_name) for source in dataset.virtual_sources()}:
        # HDF5 takes "." for the file itself and seeks other names in several places; "%b" stands for any number.
        if source[0] != "." or "%" in source[1]:
            _refuse_place(name, f"a virtual one with a source in {source[0]!r}, dataset {source[1]!r}")
        _check_place(find_dataset(dataset.file, source[1]), name, layers + 1)


def _refuse_place(name: str, received: str) -> None:
    raise mismatch(name, expected="a dataset whose values lie in its own file", received=received, remedy=_VOUCH)


def _stored_bytes(dataset: h5py.Dataset) -> int:
    """What the file can hold of the dataset, as far as it tells; all of the file for a virtual one."""
    held = _file_bytes(dataset.file)
    return held if dataset.is_virtual else min(held, int(dataset.id.get_storage_size()))


def _file_bytes(file: h5py.File) -> int:
    if file.driver != "sec2":
        return int(file.id.get_filesize())
    file.flush()
    return os.fstat(file.id.get_vfd_handle()).st_size


def _check_size(dataset: h5py.Dataset, name: str, stored: int) -> None:
    if hdf5.n_bytes(dataset) > max(SMALL, MOST_EXPANSION * stored):
        received = f"shape {dataset.shape}, {hdf5.n_bytes(dataset):,} bytes, of which {stored:,} are stored"
        expected = f"at most {MOST_EXPANSION} times the bytes that are stored"
        raise mismatch(name, expected=expected, received=received, remedy=_VOUCH)


def _check_in_hand(dataset: h5py.Dataset, name: str, block: int) -> None:
    """A dataset that can be mapped is not read in blocks, but refused all the same when it is not whole."""
    if dataset.id.get_offset() is not None and hdf5.memory_map(dataset) is not None:
        return
    values = {f"{block} rows": min(block, dataset.shape[0]) * dataset.shape[1]}
    if dataset.chunks is not None:
        values["one chunk"] = int(dataset.chunks[0]) * int(dataset.chunks[1])
    for part, n_values in values.items():
        size = n_values * int(dataset.dtype.itemsize)
        if size > MOST_IN_HAND:
            expected, remedy = (
                f"at most {MOST_IN_HAND:,} bytes in {part}",
                f"store narrower rows and chunks, or {_VOUCH}",
            )
            raise mismatch(name, expected=expected, received=f"{size:,} bytes", remedy=remedy)
