"""One entry of the cache: an HDF5 file with one contiguous dataset `codes`.

Its first kilobyte, which HDF5 leaves to the user, says that the file is an entry, what it holds, and the SHA-256 of
the values. Nothing of an entry is used before its header has been checked; whether the values are checked too is for
the caller to say.
"""

import contextlib
import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from stacked import hdf5
from stacked.errors import mismatch
from stacked.files import blaming, replacing
from stacked.paths import open_plain
from stacked.rows import Array, blocks
from stacked.strict_json import parse_json

FORMAT = 1
_MAGIC = b"stacked code cache\n"
_USER_BLOCK = 1024
_HDF5 = b"\x89HDF\r\n\x1a\n"
_START = _USER_BLOCK + len(_HDF5)


class ForeignFile(Exception):
    """A file that was not written by `write_entry`, or cannot be read."""


class Codes(NamedTuple):
    """The codes an entry holds: the key of what produced them, their shape and dtype."""

    key: str
    shape: tuple[int, int]
    dtype: np.dtype[Any]

    @property
    def n_bytes(self) -> int:
        """Bytes of the values."""
        return self.shape[0] * self.shape[1] * self.dtype.itemsize


class Entry(NamedTuple):
    """An entry whose header is in order.

    `values` is a memory map that is only read, `sha256` what their checksum should be, and `identity` tells the file
    with this header from all others there are.
    """

    values: "np.memmap[Any, Any]"
    sha256: str
    identity: tuple[int, int, bytes]

    def check(self) -> None:
        """Raise ValueError unless every value is what was written."""
        if _sha256(self.values) != self.sha256:
            raise ValueError("its values do not match their checksum")


Compute = Callable[[Array], object]
"""Writes codes into the array it is handed."""


def is_entry(path: Path) -> bool:
    """Whether a file that can be read was written by `write_entry`, whatever has become of it since."""
    try:
        with open_plain(path) as file:
            return _is_ours(path, file.read(_START))
    except OSError:
        return False


def _is_ours(path: Path, start: bytes) -> bool:
    """Where the first bytes of an entry are damaged, its name and the place where HDF5 begins tell it."""
    named_by_key = re.fullmatch("[0-9a-f]{64}", path.stem) is not None
    return start.startswith(_MAGIC) or (named_by_key and start[_USER_BLOCK:] == _HDF5)


def write_entry(path: Path, codes: Codes, compute: Compute) -> "np.memmap[Any, Any]":
    """Write an entry, whole or not at all, and return its values as a memory map that is only read.

    The name must be `locked`, where others may write the same.

    Raises
    ------
    StackedError
        When the file cannot be written. What `compute` raises is passed on.
    """
    with contextlib.ExitStack() as replacement:
        part = replacement.enter_context(replacing(path))
        _write(part, codes, compute)
        with blaming(path.parent, "codes"):
            values = map_entry(part, codes).values  # before another process may remove it again
            replacement.close()  # in here: a failed rename is the folder's fault, what `compute` raises is not
    values.filename = str(path.resolve())  # by which joblib opens it in other processes
    return values


def read_entry(path: Path, codes: Codes) -> Array:
    """The codes as a memory map, once the header and every value have been checked; see `map_entry`."""
    entry = map_entry(path, codes)
    entry.check()
    return entry.values


def map_entry(path: Path, codes: Codes) -> Entry:
    """The entry, once its header and its size have been checked.

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    ForeignFile
        When the file is not an entry.
    ValueError
        When the entry is not to be trusted; it says why.
    """
    with _opened(path) as file:
        head = _head(file, path)
        found, offset, sha256 = _described(head)
        if found != codes:
            raise ValueError("its header describes other codes")
        status = os.fstat(file.fileno())
        if status.st_size != offset + codes.n_bytes:
            raise ValueError("it is truncated" if status.st_size < offset + codes.n_bytes else "it is too long")
        values = np.memmap(file, codes.dtype, "r", offset, codes.shape)
    return Entry(values, sha256, (status.st_dev, status.st_ino, head))


def read_codes(path: Path) -> Codes:
    """What an entry holds, as its header has it; raises as `map_entry`."""
    with _opened(path) as file:
        return _described(_head(file, path))[0]


def reserve(file: BinaryIO, offset: int, n_bytes: int) -> None:
    """Allocate space in a file; a full disk is an error here, and a crash in a memory map."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file.fileno(), offset, n_bytes)


def check_space(folder: Path, n_bytes: int) -> None:
    """Raise when the disk that holds `folder` has less than `n_bytes` left."""
    free = shutil.disk_usage(folder).free
    if n_bytes > free:
        expected, received = f"{-(-n_bytes // 10**6):,} MB left on the disk for codes", f"{free // 10**6:,} MB"
        remedy = "make room, or name a cache folder on another disk"
        raise mismatch(str(folder), expected=expected, received=received, remedy=remedy)


def _write(path: Path, codes: Codes, compute: Compute) -> None:
    with blaming(path.parent, "codes"):
        offset = _make_file(path, codes)
        values = np.memmap(path, codes.dtype, "r+", offset, codes.shape)
    compute(values)
    with blaming(path.parent, "codes"):
        values.flush()
        _describe(path, codes, offset, _sha256(values))


def _make_file(path: Path, codes: Codes) -> int:
    """Make the file, with room for the values, and return where in it they begin."""
    check_space(path.parent, codes.n_bytes)
    offset = hdf5.create_contiguous(path, "codes", codes.shape, codes.dtype, _USER_BLOCK)
    with path.open("r+b") as file:
        reserve(file, offset, codes.n_bytes)
    return offset


def _describe(path: Path, codes: Codes, offset: int, sha256: str) -> None:
    """Write the header, which makes the file an entry, and flush all of it to disk."""
    with path.open("r+b") as file:
        file.write(_encoded(codes, offset, sha256))
        file.flush()
        os.fsync(file.fileno())


def _opened(path: Path) -> BinaryIO:
    try:
        return open_plain(path)
    except FileNotFoundError as error:
        if os.path.islink(path):
            raise ForeignFile("it is a link that leads nowhere") from error
        raise
    except OSError as error:
        if os.path.lexists(path):
            raise ForeignFile(f"it cannot be read ({error.strerror})") from error
        raise FileNotFoundError(path) from error


def _head(file: BinaryIO, path: Path) -> bytes:
    start = file.read(_START)
    head = start[:_USER_BLOCK]
    if not head.startswith(_MAGIC):
        if _is_ours(path, start):
            raise ValueError("it does not begin as an entry does")
        raise ForeignFile("it was not written by stacked")
    return head


def _encoded(codes: Codes, offset: int, sha256: str) -> bytes:
    what = {"format": FORMAT, "key": codes.key, "shape": codes.shape, "dtype": codes.dtype.str}
    return (_MAGIC + json.dumps({**what, "offset": offset, "sha256": sha256}).encode()).ljust(_USER_BLOCK, b" ")


def _described(head: bytes) -> tuple[Codes, int, str]:
    """The codes, where they begin, and their checksum; ValueError where a header does not say so."""
    try:
        fields = parse_json(head[len(_MAGIC) :])
        if fields["format"] != FORMAT:
            raise ValueError(f"its format is {fields['format']!r}, not {FORMAT}")
        n_rows, n_units = fields["shape"]
        if not all(type(length) is int and length > 0 for length in (n_rows, n_units)):
            raise ValueError(f"it cannot have shape {fields['shape']!r}")
        if np.dtype(fields["dtype"]).kind not in "fiu":
            raise ValueError(f"codes cannot have dtype {fields['dtype']!r}")
        codes = Codes(fields["key"], (n_rows, n_units), np.dtype(fields["dtype"]))
        described = codes, fields["offset"], fields["sha256"]
        if _encoded(*described) != head:
            raise ValueError("its header is damaged")
        if type(described[1]) is not int or described[1] < _USER_BLOCK:
            raise ValueError(f"its values cannot begin at {described[1]!r}")
    except (KeyError, TypeError) as error:
        raise ValueError(f"its header is damaged: {error!r}") from error
    return described


def _sha256(values: Array) -> str:
    digest = hashlib.sha256()
    for _, block in blocks(values):
        digest.update(np.ascontiguousarray(block).data)
    return digest.hexdigest()
