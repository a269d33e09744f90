"""Reading IDX files, the format of MNIST: a magic number, the size of each dimension, the values; maybe gzipped."""

import hashlib
import math
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from stacked.errors import StackedError
from stacked.paths import open_plain
from stacked.rows import Array

_DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_CHUNK = 2**20
_BEST_COMPRESSION = 1032
"""No byte of a gzip file stands for more bytes than this."""


def read_idx(path: Path) -> tuple[Array, str]:
    """The array in an IDX file, `.gz` or not, in the machine's byte order; and the SHA-256 of its plain bytes.

    Raises
    ------
    StackedError
        When the file cannot be read, or is damaged, truncated or no IDX file.
    """
    try:
        return _read(path)
    except OSError as error:
        reason = f"expected an IDX file, but it cannot be read: {error.strerror}"
        raise StackedError(f"{path}: {reason}; check the name of the file") from error
    except zlib.error as error:
        raise _unusable(path, f"its gzip stream is damaged ({error})") from error


def _read(path: Path) -> tuple[Array, str]:
    chunks = _plain_chunks(path)
    first = next(chunks, b"")
    dtype, shape, start = _header(path, first)
    n_bytes = start + math.prod(shape) * dtype.itemsize
    if n_bytes > (most := _most_bytes(path)):
        raise _unusable(path, f"its header promises {n_bytes} bytes and it holds {most} at most")
    # Filled chunk by chunk: one large piece of memory is touched instead of several.
    values = np.empty(n_bytes - start, np.uint8)
    digest, filled = hashlib.sha256(first), _fill(values, 0, first[start:])
    for chunk in chunks:
        digest.update(chunk)
        filled = _fill(values, filled, chunk)
    if filled != len(values):
        raise _unusable(path, f"its header promises {n_bytes} bytes and it holds {start + filled}")
    try:
        shaped = values.view(dtype).reshape(shape)
    except ValueError as error:  # NumPy's limits: 64 dimensions, and their product even where one is zero
        raise _unusable(path, f"its {len(shape)} dimensions cannot be an array ({error})") from error
    return shaped.astype(dtype.newbyteorder("="), copy=False), digest.hexdigest()


def _fill(values: Array, filled: int, chunk: bytes) -> int:
    """Append a chunk as far as there is room, and return where it would have ended."""
    fitting = values[filled : filled + len(chunk)]
    fitting[:] = np.frombuffer(chunk, np.uint8, len(fitting))
    return filled + len(chunk)


def _header(path: Path, content: bytes) -> tuple[np.dtype[np.generic], tuple[int, ...], int]:
    """Dtype and shape of the values, and where they start."""
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in _DTYPES or content[3] == 0:
        raise _unusable(path, f"it starts with {content[:4].hex(' ') or 'nothing'}, as no IDX file does")
    start = 4 + 4 * content[3]
    if len(content) < start:
        raise _unusable(path, f"it ends within its header, after {len(content)} bytes")
    sizes = np.frombuffer(content, ">u4", content[3], 4)
    return np.dtype(_DTYPES[content[2]]), tuple(int(size) for size in sizes), start


def _plain_chunks(path: Path) -> Iterator[bytes]:
    """The content of a file, unzipped if it is a gzip file, a piece at a time; the header is in the first."""
    unzip = zlib.decompressobj(31) if _is_gzip(path) else None
    with open_plain(path) as file:
        while stored := file.read(_CHUNK):
            if unzip is None:
                yield stored
                continue
            while stored and not unzip.eof:
                yield unzip.decompress(stored, 4 * _CHUNK)
                stored = unzip.unconsumed_tail or unzip.unused_data
            if stored.strip(b"\0"):
                raise _unusable(path, "its gzip stream is followed by something else")
        if unzip is not None and not unzip.eof:
            raise _unusable(path, "its gzip stream is truncated")


def _is_gzip(path: Path) -> bool:
    with open_plain(path) as file:
        return file.read(2) == b"\x1f\x8b"


def _most_bytes(path: Path) -> int:
    """An upper bound of the content's size."""
    return path.stat().st_size * (_BEST_COMPRESSION if _is_gzip(path) else 1)


def _unusable(path: Path, reason: str) -> StackedError:
    return StackedError(f"{path}: expected a whole IDX file, but {reason}; fetch the file again")
