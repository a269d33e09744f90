"""IDX files: every form there is, and every way in which one can be damaged."""

import gzip
import hashlib
import math
import os
import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stacked.errors import StackedError
from stacked.idx import read_idx

CODES = {0x08: "u1", 0x09: "i1", 0x0B: "i2", 0x0C: "i4", 0x0D: "f4", 0x0E: "f8"}
SHAPES = [(7,), (3, 4), (2, 3, 4), (2, 1, 3, 2)]
PACKS = {"plain": lambda content: content, "gzip": gzip.compress}


@pytest.fixture(params=PACKS)
def pack(request):
    """Leaves the bytes of a file, or zips them."""
    return PACKS[request.param]


def values(dtype, shape):
    """Numbers over the whole range of the dtype."""
    n_bytes = math.prod(shape) * np.dtype(dtype).itemsize
    made = np.frombuffer(np.random.default_rng(7).bytes(n_bytes), dtype).reshape(shape)
    return made if made.dtype.kind in "iu" else np.random.default_rng(7).normal(0, 1e3, shape).astype(dtype)


def header(code, shape):
    return struct.pack(f">HBB{len(shape)}I", 0, code, len(shape), *shape)


def idx(code, array):
    return header(code, array.shape) + array.astype(np.dtype(CODES[code]).newbyteorder(">")).tobytes()


def plain(shape=(3, 4)):
    return idx(0x08, values("u1", shape))


def read(tmp_path, content):
    path = tmp_path / "file.idx"
    path.write_bytes(content)
    return read_idx(path)


def refused(tmp_path, content, why):
    """Refuse the file by a message that names it, what is wrong and the remedy."""
    with pytest.raises(StackedError, match=why) as caught:
        read(tmp_path, content)
    assert str(caught.value).startswith(f"{tmp_path / 'file.idx'}: expected a whole IDX file, but ")
    assert str(caught.value).endswith("; fetch the file again")


def read_or_refuse(folder, content):
    """What is read of the file; None when it is refused as it should be, with its name."""
    message = path = str(folder / "file.idx")
    try:
        found = read(folder, content)[0]
    except StackedError as error:
        found, message = None, str(error)
    assert path in message
    return found


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("code", CODES)
def test_every_dtype_and_rank_is_read(tmp_path, code, shape, pack):
    array = values(CODES[code], shape)
    found, sha256 = read(tmp_path, pack(idx(code, array)))
    assert found.dtype == np.dtype(CODES[code])
    assert found.dtype.isnative
    assert found.shape == shape
    assert np.array_equal(found, array)
    assert sha256 == hashlib.sha256(idx(code, array)).hexdigest()


def test_bytes_written_by_hand(tmp_path):
    found, _ = read(tmp_path, b"\0\0\x0b\x02\0\0\0\x02\0\0\0\x03\0\1\0\2\0\3\1\0\xff\xff\x80\0")
    assert found.tolist() == [[1, 2, 3], [256, -1, -32768]]


@pytest.mark.parametrize("shape", [(0,), (0, 5), (3, 0), (1,), (1, 1, 1, 1, 1, 1), (70_001,)], ids=str)
def test_unusual_shapes_are_read(tmp_path, shape, pack):
    found, _ = read(tmp_path, pack(plain(shape)))
    assert np.array_equal(found, values("u1", shape))


def test_a_file_of_several_pieces_is_read(tmp_path, pack):
    array = values("u1", (9, 1000, 1000))  # nine pieces of a mebibyte, not quite
    found, sha256 = read(tmp_path, pack(idx(0x08, array)))
    assert np.array_equal(found, array)
    assert sha256 == hashlib.sha256(idx(0x08, array)).hexdigest()


def test_a_file_that_compresses_best_is_read(tmp_path):
    array = np.zeros((5000, 1000), np.uint8)
    assert np.array_equal(read(tmp_path, gzip.compress(idx(0x08, array), 9))[0], array)


@pytest.mark.parametrize("level", [0, 1, 9])
def test_every_level_of_compression_is_read(tmp_path, level):
    assert np.array_equal(read(tmp_path, gzip.compress(plain(), level))[0], values("u1", (3, 4)))


def test_the_array_may_be_written_to(tmp_path, pack):
    found, _ = read(tmp_path, pack(plain()))
    found[:] = 1
    assert (found == 1).all()


@pytest.mark.parametrize("code", CODES)
def test_a_truncated_file_is_refused_at_every_length(tmp_path, code, pack):
    content = idx(code, values(CODES[code], (3, 4)))
    for length in range(len(content)):
        refused(tmp_path, pack(content[:length]), "ends within its header|header promises .* bytes|starts with")


@pytest.mark.parametrize("extra", [b"\0", b"x", b"\0" * 100, bytes(2**21)], ids=["zero", "x", "zeros", "many"])
def test_trailing_bytes_are_refused(tmp_path, extra, pack):
    refused(tmp_path, pack(plain() + extra), f"promises 24 bytes and it holds {24 + len(extra)}")


@pytest.mark.parametrize(
    "start",
    [
        b"\1\0\x08\2",
        b"\0\1\x08\2",
        b"\0\0\x07\2",
        b"\0\0\x0a\2",
        b"\0\0\x0f\2",
        b"\0\0\0\2",
        b"\0\0\xff\2",
        b"\0\0\x08\0",
    ],
    ids=lambda start: start.hex(),
)
def test_a_wrong_magic_number_is_refused_and_shown(tmp_path, start, pack):
    refused(tmp_path, pack(start + plain()[4:]), f"starts with {start.hex(' ')}, as no IDX file does")


@pytest.mark.parametrize("content", [b"", b"\0", b"\0\0\x08", b"PK\3\4", b"<html>" * 100], ids=repr)
def test_what_is_no_idx_file_is_refused(tmp_path, content, pack):
    refused(tmp_path, pack(content), "as no IDX file does")


def test_a_truncated_gzip_stream_is_refused_at_every_length(tmp_path):
    packed = gzip.compress(plain((10, 12)))
    for length in range(2, len(packed)):
        refused(
            tmp_path, packed[:length], "its gzip stream is (truncated|damaged)|as no IDX file does|within its header"
        )


@pytest.mark.parametrize("level", [0, 9])
def test_a_damaged_gzip_stream_never_gives_wrong_values(tmp_path, level):
    array = np.arange(120, dtype=np.uint8).reshape(10, 12) // 12
    packed, n_read = gzip.compress(idx(0x08, array), level), 0
    for place in range(10, len(packed)):  # after the header of gzip, which holds a date
        damaged = bytearray(packed)
        damaged[place] ^= 0x10
        found = read_or_refuse(tmp_path, bytes(damaged))
        if found is not None:  # some bits are padding
            assert np.array_equal(found, array)
            n_read += 1
    assert n_read <= 2


@pytest.mark.parametrize(
    "tail", [b"x", b"\0\0x", bytes(2**20) + b"x", bytes(2**22) + b"x"], ids=["one", "after zeros", "far", "further"]
)
def test_what_follows_a_gzip_stream_is_refused(tmp_path, tail):
    refused(tmp_path, gzip.compress(plain()) + tail, "followed by something else")


def test_a_gzip_stream_may_be_padded_with_zeros(tmp_path):
    assert np.array_equal(read(tmp_path, gzip.compress(plain()) + bytes(512))[0], values("u1", (3, 4)))


@pytest.mark.parametrize(
    "shape", [(2**32 - 1,), (2**32 - 1, 2**32 - 1), (2**32 - 1,) * 60, (10**9, 1), (2**31, 2**32 - 1, 3)], ids=str
)
def test_a_header_that_promises_the_world_is_refused_at_once_and_without_the_memory(tmp_path, shape, pack):
    tracemalloc.start()
    try:
        refused(tmp_path, pack(header(0x0E, shape) + bytes(1000)), "header promises")
        assert tracemalloc.get_traced_memory()[1] < 2**24
    finally:
        tracemalloc.stop()


def test_a_plain_file_is_not_believed_to_hold_more_than_its_size(tmp_path):
    tracemalloc.start()
    try:
        refused(tmp_path, header(0x08, (50_000_000,)) + bytes(100_000), "header promises 50000008 bytes")
        assert tracemalloc.get_traced_memory()[1] < 2**24
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "shape",
    [(1,) * 64, (1,) * 65, (1,) * 255, (0, 2**32 - 1, 2**32 - 1), (0,) * 65, (2**32 - 1, 2**32 - 1, 0)],
    ids=["64", "65", "255", "huge", "65-empty", "huge-last"],
)
def test_a_shape_is_read_or_refused(tmp_path, shape, pack):
    found = read_or_refuse(tmp_path, pack(header(0x08, shape) + bytes(math.prod(shape))))
    if found is None:
        assert len(shape) > 64 or max(shape) > 1, "NumPy can hold this shape"
    else:
        assert found.shape == shape


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(StackedError, match="expected an IDX file, but it cannot be read: No such file") as caught:
        read_idx(tmp_path / "nothing")
    assert str(tmp_path / "nothing") in str(caught.value)


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(StackedError, match="cannot be read"):
        read_idx(tmp_path)


def promised(content):
    """The array that a plain IDX file holds, by the book; None when it is none."""
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in CODES or content[3] == 0:
        return None
    start = 4 + 4 * content[3]
    if len(content) < start:
        return None
    shape = struct.unpack(f">{content[3]}I", content[4:start])
    dtype = np.dtype(CODES[content[2]]).newbyteorder(">")
    if len(content) - start != math.prod(shape) * dtype.itemsize:
        return None
    return np.frombuffer(content, dtype, offset=start).reshape(shape)


EDITS = st.lists(
    st.one_of(
        st.tuples(
            st.just("set"), st.integers(0, 200), st.one_of(st.integers(0, 255), st.sampled_from([0, 1, 2, 8, 255]))
        ),
        st.tuples(st.just("insert"), st.integers(0, 200), st.binary(max_size=8)),
        st.tuples(st.just("cut"), st.integers(0, 200), st.integers(1, 50)),
    ),
    min_size=1,
    max_size=6,
)
HEADERS = st.tuples(
    st.sampled_from([*CODES, 0, 7, 255]), st.lists(st.sampled_from([0, 1, 2, 3, 2**32 - 1]), max_size=70)
)


def edited(content, edits):
    content = bytearray(content)
    for kind, place, what in edits:
        at = place % (len(content) + 1)
        if kind == "set":
            content[at : at + 1] = bytes([what])
        elif kind == "insert":
            content[at:at] = what
        else:
            del content[at : at + what]
    return bytes(content)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder for all examples of a property."""
    return tmp_path_factory.mktemp("idx")


@settings(max_examples=300, derandomize=True, deadline=None, database=None)
@given(code=st.sampled_from(list(CODES)), edits=EDITS)
def test_an_edited_plain_file_is_read_by_the_book_or_refused(folder, code, edits):
    content = edited(idx(code, values(CODES[code], (3, 4))), edits)
    if content[:2] == b"\x1f\x8b":
        return
    expected, found = promised(content), read_or_refuse(folder, content)
    assert (found is None) == (expected is None)
    if found is not None:
        assert found.shape == expected.shape
        assert found.tobytes() == expected.astype(found.dtype).tobytes()


@settings(max_examples=300, derandomize=True, deadline=None, database=None)
@given(edits=EDITS)
def test_an_edited_gzip_file_is_read_by_the_book_or_refused(folder, edits):
    content = edited(gzip.compress(plain((3, 4)), mtime=0), edits)
    found = read_or_refuse(folder, content)
    if found is not None:
        expected = promised(gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content)
        assert found.shape == expected.shape
        assert np.array_equal(found, expected)


@settings(max_examples=300, derandomize=True, deadline=None, database=None)
@given(start=HEADERS, body=st.binary(max_size=40))
def test_any_header_is_read_by_the_book_or_refused(folder, start, body):
    code, shape = start
    found = read_or_refuse(folder, header(code, shape) + body)
    if found is not None:
        assert found.shape == tuple(shape)
        assert found.dtype == np.dtype(CODES[code])
        assert found.nbytes == len(body)


@pytest.mark.parametrize("what", ["pipe", "device"])
def test_what_is_no_plain_file_is_not_read(tmp_path, what):
    os.mkfifo(tmp_path / "x") if what == "pipe" else (tmp_path / "x").symlink_to("/dev/zero")
    with pytest.raises(StackedError, match="expected an IDX file, but it cannot be read: Not a plain file; check"):
        read_idx(tmp_path / "x")
