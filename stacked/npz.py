"""Files that `numpy.savez` wrote: one of the arrays in them; nothing in them is unpickled."""

import contextlib
import math
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.lib import format as npy

from stacked.collected import collected
from stacked.columns import listed
from stacked.errors import StackedError, mismatch
from stacked.npy import RAISED
from stacked.paths import open_plain
from stacked.rows import Array

_PIECE = 2**20
_HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
_RAISED = (*RAISED, EOFError, zipfile.BadZipFile, zlib.error)
"""What NumPy and zipfile make of damaged files."""


class _Head(NamedTuple):
    shape: tuple[int, ...]
    fortran_order: bool
    dtype: np.dtype[Any]

    @property
    def is_table(self) -> bool:
        return len(self.shape) == 2 and self.dtype.kind in "fiub"

    @property
    def is_column(self) -> bool:
        return len(self.shape) == 1 and self.dtype.kind in "fiubSU"


def npz_table(path: Path, name: str | None) -> Array:
    """The array of this name, or the only table of numbers, as `collected` has it.

    Raises
    ------
    StackedError
        When the file cannot be read or is damaged, or there is no such array.
    """
    return _array(path, name, "one table of numbers", lambda head: head.is_table)


def npz_column(path: Path, name: str | None) -> Array:
    """The array of this name, or the only one that has one value a row; raises as `npz_table`."""
    return _array(path, name, "one array with one value a row", lambda head: head.is_column)


def _array(path: Path, name: str | None, expected: str, fits: Callable[[_Head], bool]) -> Array:
    with _opened(path) as file:
        heads = {member.removesuffix(".npy"): _head(file, member) for member in file.namelist()}
        found = [each for each, head in heads.items() if fits(head)] if name is None else [name]
        if len(found) != 1:
            received, remedy = listed(found) or "none", f"name one, such as {path.name}:{next(iter(heads), 'x')}"
            raise mismatch(str(path), expected=expected, received=received, remedy=remedy)
        if found[0] not in heads:
            received, remedy = f"a file of {listed(list(heads)) or 'none'}", "name one of these"
            raise mismatch(str(path), expected=f"an array {name!r}", received=received, remedy=remedy)
        return _read(file, found[0], heads[found[0]], path)


def _read(file: zipfile.ZipFile, name: str, head: _Head, path: Path) -> Array:
    if head.dtype.hasobject or math.prod(head.shape) * head.dtype.itemsize == 0:
        subject, received = f"{path}, array {name!r}", f"dtype {head.dtype}, shape {head.shape}"
        raise mismatch(subject, expected="numbers or text", received=received, remedy="check the source")
    n_bytes = math.prod(head.shape) * head.dtype.itemsize
    values = collected(_bytes_of(file, _member(file, name), n_bytes))
    return values.view(head.dtype).reshape(head.shape, order="F" if head.fortran_order else "C")


def _bytes_of(file: zipfile.ZipFile, member: str, n_bytes: int) -> Iterator[Array]:
    """The values of an array as bytes, a piece at a time, exactly as many as its header promises."""
    with file.open(member) as stream:
        _read_head(stream)
        left = n_bytes
        while left > 0 and (piece := stream.read(min(left, _PIECE))):
            left -= len(piece)
            yield np.frombuffer(piece, np.uint8)
        if left > 0 or stream.read(1):  # at its end, the checksum is compared
            raise ValueError(f"array {member!r} has another length than its header promises")


def _member(file: zipfile.ZipFile, name: str) -> str:
    return name if name in file.namelist() else f"{name}.npy"


def _head(file: zipfile.ZipFile, member: str) -> _Head:
    with file.open(member) as stream:
        return _read_head(stream)


def _read_head(stream: IO[bytes]) -> _Head:
    version = npy.read_magic(stream)
    if version not in _HEADERS:
        raise ValueError(f"an array has a header of version {version}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what Python says to a damaged header
        return _Head(*_HEADERS[version](stream))


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with open_plain(path) as file, zipfile.ZipFile(file) as archive:
            yield archive
    except StackedError:
        raise
    except OSError as error:
        reason = f"expected a file of numpy.savez, but it cannot be read: {error.strerror or error}"
        raise StackedError(f"{path}: {reason}; check the name of the file") from error
    except _RAISED as error:
        received, remedy = f"what does not read as one ({error})", "check that it is whole"
        raise mismatch(str(path), expected="a file of numpy.savez", received=received, remedy=remedy) from error
