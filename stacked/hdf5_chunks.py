"""Packed chunks of an HDF5 dataset: whether they unpack to what they stand for, and to no more.

libhdf5 unpacks a chunk to the end of its stream, however much that is; a megabyte may become a gigabyte.
"""

import math
import zlib

import h5py

from stacked.errors import StackedError

MOST_EXPANSION = 1032
"""Deflate makes no byte stand for more than this."""

_ONLY_ARRANGE = (h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_NBIT, h5py.h5z.FILTER_SCALEOFFSET)
_STEP = 2**20


def check_chunks(dataset: h5py.Dataset, name: str, file_bytes: int, most: int, remedy: str) -> None:
    """Raise unless every chunk unpacks to at most its own size, or at any rate to at most `most` bytes.

    Only deflated chunks that could exceed `most` are unpacked to see. Of other packing filters none grows as far.
    """
    filters = _filters(dataset)
    if dataset.chunks is None or not filters:
        return
    packing = next((place for place, code in enumerate(filters) if code not in _ONLY_ARRANGE), len(filters))
    if any(code != h5py.h5z.FILTER_FLETCHER32 for code in filters[packing + 1 :]):
        raise StackedError(f"{name}: expected chunks that are packed once, received the filters {filters}; {remedy}")
    size = math.prod(dataset.chunks) * int(dataset.dtype.itemsize)
    for offset, stored in _larger_chunks(dataset, most // MOST_EXPANSION):
        deflated = filters[packing : packing + 1] == [h5py.h5z.FILTER_DEFLATE]
        if stored > file_bytes or (deflated and _is_longer(dataset.id.read_direct_chunk(offset)[1], size)):
            reason = f"expected chunks of {size:,} bytes, received one of more at {offset}"
            raise StackedError(f"{name}: {reason}; {remedy}")


def _filters(dataset: h5py.Dataset) -> list[int]:
    """The codes of the filters, in the order in which they were applied."""
    created = dataset.id.get_create_plist()
    return [created.get_filter(place)[0] for place in range(created.get_nfilters())]


def _larger_chunks(dataset: h5py.Dataset, n_bytes: int) -> list[tuple[tuple[int, ...], int]]:
    """Where the chunks are that are stored in more than so many bytes, and in how many."""
    larger = []

    def look(chunk: h5py.h5d.StoreInfo) -> None:
        if chunk.size > n_bytes:
            larger.append((chunk.chunk_offset, chunk.size))

    dataset.id.chunk_iter(look)
    return larger


def _is_longer(packed: bytes, size: int) -> bool:
    """Whether a deflate stream stands for more than `size` bytes; what is no such stream, libhdf5 refuses."""
    unpack, length = zlib.decompressobj(), 0
    try:
        while packed and not unpack.eof and length <= size:
            length += len(unpack.decompress(packed, _STEP))
            packed = unpack.unconsumed_tail
    except zlib.error:
        return False
    return length > size
