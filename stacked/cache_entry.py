"""One entry of the cache: an HDF5 file with one contiguous dataset `codes`.

Its first kilobyte, which HDF5 leaves to the user, says that the file is an entry, what it holds, and the SHA-256 of
the values. All of it is checked when an entry is opened, so that a damaged file is never trusted.
"""

import contextlib
import hashlib
import json
import os
import shutil
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from stacked import hdf5
from stacked.errors import StackedError, StackedWarning, mismatch
from stacked.paths import open_plain
from stacked.rows import Array, blocks
from stacked.strict_json import parse_json

FORMAT = 1
_MAGIC = b"stacked code cache\n"
_USER_BLOCK = 1024


class Codes(NamedTuple):
    """The codes an entry holds: the key of what produced them, their shape and dtype."""

    key: str
    shape: tuple[int, int]
    dtype: np.dtype[Any]

    @property
    def n_bytes(self) -> int:
        """Bytes of the values."""
        return self.shape[0] * self.shape[1] * self.dtype.itemsize


Compute = Callable[[Array], object]
"""Writes codes into the array it is handed."""


def is_entry(path: Path) -> bool:
    """Whether the file was written by `write_entry`, whatever has become of it since."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC


def map_entry(path: Path, codes: Codes) -> "np.memmap[Any, Any]":
    """The codes of an entry whose values are known to be right, as a copy-on-write memory map."""
    return _mapped(path, codes)[0]


def write_entry(path: Path, codes: Codes, compute: Compute) -> None:
    """Write a complete entry and flush it to disk.

    Raises
    ------
    StackedError
        When the file cannot be written. What `compute` raises is passed on.
    """
    with _blaming(path.parent):
        offset = _reserve(path, codes)
        values = np.memmap(path, codes.dtype, "r+", offset, codes.shape)
    compute(values)
    with _blaming(path.parent):
        values.flush()
        _describe(path, {**_described(codes), "offset": offset, "sha256": _sha256(values)})


def _reserve(path: Path, codes: Codes) -> int:
    """Make the file, with room for the values, and return where in it they begin."""
    path.parent.mkdir(parents=True, exist_ok=True)
    check_space(path.parent, codes.n_bytes)
    offset = hdf5.create_contiguous(path, "codes", codes.shape, codes.dtype, _USER_BLOCK)
    with path.open("r+b") as file:
        if hasattr(os, "posix_fallocate"):  # a full disk is an error here; in a memory map it would be a crash
            os.posix_fallocate(file.fileno(), offset, codes.n_bytes)
    return offset


def _describe(path: Path, head: dict[str, Any]) -> None:
    """Write the header, which makes the file an entry, and flush all of it to disk."""
    with path.open("r+b") as file:
        file.write((_MAGIC + json.dumps(head).encode()).ljust(_USER_BLOCK, b" "))
        file.flush()
        os.fsync(file.fileno())


def open_entry(path: Path, codes: Codes) -> Array | None:
    """The codes as a copy-on-write memory map; None where there are none, or, with a warning, none to be trusted."""
    if not os.path.lexists(path):
        return None
    try:
        ours = is_entry(path)
    except FileNotFoundError:  # removed by another process meanwhile
        return None
    if not ours:
        message = f"{path} was not written by this cache: it is left as it is, and the codes are computed"
        warnings.warn(message, StackedWarning, stacklevel=2)
        return None
    try:
        return read_entry(path, codes)
    except FileNotFoundError:
        return None
    except ValueError as error:
        warnings.warn(f"{path} is computed again, for it cannot be used: {error}", StackedWarning, stacklevel=2)
        return None


def read_entry(path: Path, codes: Codes) -> Array:
    """The codes as a copy-on-write memory map, once the header and every value have been checked.

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    ValueError
        When the entry is not to be trusted; it says why.
    """
    try:
        values, sha256 = _mapped(path, codes)
    except FileNotFoundError:
        raise
    except (OSError, KeyError, TypeError) as error:
        raise ValueError(str(error)) from error
    if _sha256(values) != sha256:
        raise ValueError("its values do not match their checksum")
    return values


def _mapped(path: Path, codes: Codes) -> "tuple[np.memmap[Any, Any], str]":
    """The values of an entry whose header is in order, and what their checksum should be."""
    with open_plain(path) as file:
        head = parse_json(file.read(_USER_BLOCK)[len(_MAGIC) :])
        if head["format"] != FORMAT:
            raise ValueError(f"its format is {head['format']!r}, not {FORMAT}")
        if {**head, **_described(codes)} != head:
            raise ValueError("its header describes other codes")
        if type(head["offset"]) is not int or head["offset"] < _USER_BLOCK:
            raise ValueError(f"its values cannot begin at {head['offset']!r}")
        if os.fstat(file.fileno()).st_size < head["offset"] + codes.n_bytes:
            raise ValueError("it is truncated")
        return np.memmap(path, codes.dtype, "c", head["offset"], codes.shape), str(head["sha256"])


def _described(codes: Codes) -> dict[str, Any]:
    return {"format": FORMAT, "key": codes.key, "shape": list(codes.shape), "dtype": codes.dtype.str}


def _sha256(values: Array) -> str:
    digest = hashlib.sha256()
    for _, block in blocks(values):
        digest.update(np.ascontiguousarray(block).data)
    return digest.hexdigest()


def check_space(folder: Path, n_bytes: int) -> None:
    """Raise when the disk that holds `folder` has less than `n_bytes` left."""
    free = shutil.disk_usage(folder).free
    if n_bytes > free:
        expected, received = f"{n_bytes / 1e6:,.0f} MB left on the disk for codes", f"{free / 1e6:,.0f} MB"
        remedy = "make room, or name a cache folder on another disk"
        raise mismatch(str(folder), expected=expected, received=received, remedy=remedy)


@contextlib.contextmanager
def _blaming(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StackedError(f"no codes can be kept in {folder}: {error}; name another folder") from error
