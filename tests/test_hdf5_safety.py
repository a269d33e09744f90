"""HDF5 files from others: no link, no storage and no size leads where the file itself does not."""

import os
import zlib

import h5py
import numpy as np
import pytest

from stacked import Plain, StackedAutoencoder, StackedError, TrainingConfig, Trusted, load_hdf5
from stacked.hdf5_checks import MOST_IN_HAND
from stacked.hdf5_rows import DatasetRows
from stacked.rows import as_rows

X = np.random.default_rng(4).random((30, 7), dtype=np.float32)


@pytest.fixture
def path(tmp_path):
    """A file with one table in a group, and beside it a file with another."""
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["secret"] = -X
    with h5py.File(tmp_path / "rows.h5", "w") as file:
        file.create_dataset("group/x", data=X)
        file.create_dataset("group/packed", data=X, chunks=(4, 7), compression="gzip")
    return tmp_path / "rows.h5"


def change(path, function):
    with h5py.File(path, "r+") as file:
        function(file)


def refused(path, name, why, **options):
    with pytest.raises(StackedError, match=why) as caught:
        load_hdf5(path, name, **options)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    assert "; " in str(caught.value)


# What is read


@pytest.mark.parametrize("name", ["group/x", "/group/x", "group//x", "./group/./x", "group/packed"])
@pytest.mark.parametrize("trusted", [False, True])
def test_a_table_is_read_by_its_path(path, name, trusted):
    rows = load_hdf5(path, name, trusted=trusted)
    assert np.array_equal(np.asarray(rows), X)


def test_a_contiguous_table_is_a_map_and_another_keeps_its_file_open(path):
    assert isinstance(load_hdf5(path, "group/x"), np.memmap)
    packed = load_hdf5(str(path), "group/packed")
    assert isinstance(packed, DatasetRows)
    assert (packed.shape, packed.dtype, len(packed)) == (X.shape, X.dtype, 30)
    assert np.array_equal(packed[3:9], X[3:9])
    assert np.asarray(packed, "f8").dtype == np.float64


def test_a_stack_trains_on_rows_that_are_read_by_slices(path):
    codes = [
        StackedAutoencoder([Plain(3)], TrainingConfig(1, 10)).fit(x).encode(x)
        for x in (load_hdf5(path, "group/packed"), X)
    ]
    assert np.array_equal(*codes)


@pytest.mark.parametrize("target", ["/group/x", "group/x", "/again", "/group/up"])
def test_soft_links_within_the_file_are_followed(path, target):
    def link(file):
        file["again"] = h5py.SoftLink("/group/x")
        file["group/up"] = h5py.SoftLink("x")
        file["soft"] = h5py.SoftLink(target)

    change(path, link)
    assert np.array_equal(load_hdf5(path, "soft"), X)


def test_a_hard_link_is_the_dataset(path):
    change(path, lambda file: file.__setitem__("hard", file["group/x"]))
    assert np.array_equal(load_hdf5(path, "hard"), X)


# Links


@pytest.mark.parametrize("name", ["link", "link/secret", "soft", "soft/secret"])
def test_a_link_to_another_file_is_refused_unless_trusted(path, name):
    target = "/" if "/" in name else "/secret"

    def link(file):
        file["link"] = h5py.ExternalLink("other.h5", target)
        file["soft"] = h5py.SoftLink("/link")

    change(path, link)
    refused(path, name, r"received a link to another file \(other.h5\)")
    assert np.array_equal(load_hdf5(path, name, trusted=True), -X)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
@pytest.mark.parametrize("name", ["link", "link/x", "nothing"])
def test_the_file_behind_a_link_is_not_even_opened(path, name):
    os.mkfifo(path.with_name("pipe"))
    change(path, lambda file: file.__setitem__("link", h5py.ExternalLink("pipe", "/")))
    refused(path, name, "link to another file|expected a path in the file")


def test_soft_links_in_a_circle_are_refused(path):
    def link(file):
        file["a"], file["b"] = h5py.SoftLink("/b"), h5py.SoftLink("/a/a")

    change(path, link)
    refused(path, "a", "soft links lead in a circle")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("nothing", "a group that holds 'dangling', 'group', where the path goes on to 'nothing'"),
        ("group/y", "a group that holds 'packed', 'x', where the path goes on to 'y'"),
        ("group/x/y", "received a dataset, not a group, where the path goes on to 'y'"),
        ("dangling", "where the path goes on to 'gone'"),
        ("group", "expected a dataset, received a group that holds 'packed', 'x'"),
        ("", "expected a dataset, received a group that holds 'dangling', 'group'"),
        ("..", "where the path goes on to '..'"),
    ],
)
def test_a_path_that_leads_to_no_dataset_is_refused_with_the_names_there(path, name, why):
    change(path, lambda file: file.__setitem__("dangling", h5py.SoftLink("/group/gone")))
    refused(path, name, why)


# Storage


@pytest.mark.parametrize("trusted", [False, True])
def test_external_storage_is_refused_unless_trusted(path, trusted):
    raw = path.with_name("raw")
    raw.write_bytes(X.tobytes())
    change(path, lambda file: file.create_dataset("x", X.shape, "f4", external=[(str(raw), 0, X.nbytes)]))
    if trusted:
        assert np.array_equal(np.asarray(load_hdf5(path, "x", trusted=True)), X)
    else:
        refused(path, "x", "expected a dataset whose values lie in its own file, received values in other files")


def virtual(file, source_file, source="/group/x"):
    layout = h5py.VirtualLayout(X.shape, "f4")
    layout[:] = h5py.VirtualSource(source_file, source, X.shape, "f4")
    return file.create_virtual_dataset("virtual", layout)


@pytest.mark.parametrize("source", ["other.h5", "rows.h5", "/dev/stdin", "rows-%%b.h5", "./", ""])
def test_virtual_sources_in_other_files_are_refused(path, source):
    change(path, lambda file: virtual(file, source))
    refused(path, "virtual", "received a virtual one with a source in")


def test_virtual_sources_in_the_file_are_read(path):
    change(path, lambda file: virtual(file, "."))
    assert np.array_equal(np.asarray(load_hdf5(path, "virtual")), X)


def test_a_virtual_source_reached_by_a_link_to_another_file_is_refused(path):
    def make(file):
        file["link"] = h5py.ExternalLink("other.h5", "/secret")
        virtual(file, ".", "/link")

    change(path, make)
    refused(path, "virtual", "link to another file")
    assert np.array_equal(np.asarray(load_hdf5(path, "virtual", trusted=True)), -X)


@pytest.mark.parametrize("source", ["/virtual", "/group/%%b"])
def test_virtual_sources_without_end_are_refused(path, source):
    change(path, lambda file: virtual(file, ".", source))
    refused(path, "virtual", "expected a dataset whose values lie in its own file, received .*virtual one")


# Sizes


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"chunks": (4, 7)},
        {"chunks": (4, 7), "compression": "gzip"},
        {"maxshape": (None, 7)},
    ],
    ids=repr,
)
@pytest.mark.parametrize("shape", [(2**40, 7), (2**22, 7)])
def test_a_size_that_nothing_stored_stands_for_is_refused(path, shape, options):
    change(path, lambda file: file.create_dataset("absurd", shape, "f4", **options))
    refused(path, "absurd", r"expected at most 1032 times the bytes that are stored, received shape \(\d+, 7\)")


def test_zeros_that_deflate_made_small_are_read(path):
    zeros = np.zeros((40_000, 512), np.float32)  # 82 MB in 0.1 MB
    change(path, lambda f: f.create_dataset("zeros", data=zeros, chunks=(4096, 512), compression="gzip"))
    assert path.stat().st_size < zeros.nbytes / 500
    assert not load_hdf5(path, "zeros")[39_000:].any()


def test_a_table_too_wide_to_be_read_in_blocks_is_refused(path):
    width = MOST_IN_HAND // 4096 // 4

    with h5py.File(path, "r+") as file:
        made = file.create_dataset("wide", (4096, width + 1), "f4", chunks=(4096, 1024), compression="gzip")
        made[:, :1024] = np.random.default_rng(0).random((4096, 1024), np.float32)
    refused(path, "wide", "expected at most 1,073,741,824 bytes in 4096 rows, received 1,073,758,208 bytes")


def test_a_chunk_too_large_to_be_unpacked_is_refused(path):
    chunk = (2**20, 300)
    change(path, lambda f: f.create_dataset("x", (2, 300), "f4", chunks=chunk, maxshape=(None, 300)))
    refused(path, "x", "expected at most 1,073,741,824 bytes in one chunk, received 1,258,291,200 bytes")


def unpacked_to(file, size, chunk=(256, 1024), name="x", **options):
    """A dataset of one deflated chunk that unpacks to so many zeros, whatever it should."""
    made = file.create_dataset(name, chunk, "f4", chunks=chunk, compression="gzip", **options)
    pack = zlib.compressobj(9)
    packed = b"".join(pack.compress(bytes(2**20)) for _ in range(size >> 20)) + pack.flush()
    made.id.write_direct_chunk((0, 0), packed)
    return made


def test_a_chunk_that_unpacks_to_more_than_it_should_is_refused_before_it_does(path):
    change(path, lambda file: unpacked_to(file, 2**31))
    refused(path, "x", r"expected chunks of 1,048,576 bytes, received one of more at \(0, 0\); if you trust")


def test_a_chunk_behind_a_virtual_dataset_is_checked_too(path):
    def make(file):
        unpacked_to(file, 2**31, name="bomb")
        layout = h5py.VirtualLayout((256, 1024), "f4")
        layout[:] = h5py.VirtualSource(".", "bomb", (256, 1024), "f4")
        file.create_virtual_dataset("virtual", layout)

    change(path, make)
    refused(path, "virtual", "expected chunks of 1,048,576 bytes")


def test_a_large_chunk_that_unpacks_to_its_size_is_read(path):
    x = np.random.default_rng(0).random((512, 1024), dtype=np.float32)
    change(path, lambda f: f.create_dataset("x", data=x, chunks=x.shape, compression="gzip", shuffle=True))
    assert np.array_equal(load_hdf5(path, "x"), x)


def test_chunks_that_are_packed_twice_are_refused(path):
    def make(file):
        layout = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        layout.set_chunk((4, 7))
        layout.set_deflate(9)
        layout.set_deflate(9)
        h5py.h5d.create(file.id, b"x", h5py.h5t.IEEE_F32LE, h5py.h5s.create_simple(X.shape), layout)

    change(path, make)
    refused(path, "x", r"expected chunks that are packed once, received the filters \[1, 1\]")


def test_what_the_caller_vouches_for_is_taken_at_its_word(path):
    change(path, lambda file: file.create_dataset("absurd", (2**40, 7), "f4", fillvalue=3))
    assert load_hdf5(path, "absurd", trusted=True)[2**39 : 2**39 + 2].tolist() == [[3] * 7] * 2


# Open datasets


def test_an_open_dataset_is_checked_wherever_rows_are_taken(path):
    with h5py.File(path, "r+") as file:
        dataset = virtual(file, "other.h5", "/secret")
        stack = StackedAutoencoder([Plain(3, output="linear")], TrainingConfig(1, 10))
        with pytest.raises(StackedError, match=r"pass Trusted\(dataset\)"):
            stack.fit(dataset)
        assert np.array_equal(stack.fit(Trusted(dataset)).encode(Trusted(dataset)), stack.encode(-X))


@pytest.mark.parametrize("what", [X, None, "x.h5"], ids=["array", "nothing", "name"])
def test_only_a_dataset_is_vouched_for(what):
    with pytest.raises(StackedError, match=r"x: expected a table of numbers, received .*; pass a dataset in an open"):
        as_rows(Trusted(what))


def test_a_group_or_file_is_refused_with_the_remedy(path):
    with h5py.File(path) as file:
        for group in (file, file["group"]):
            with pytest.raises(StackedError, match="received an HDF5 group or file; pass a dataset in an open file"):
                as_rows(group)


# Damage


def test_rows_that_cannot_be_read_are_named(path):
    with h5py.File(path, "r+") as file:
        file.create_dataset("checked", data=X, chunks=(10, 7), fletcher32=True)
        place = file["checked"].id.get_chunk_info_by_coord((10, 0)).byte_offset
    with path.open("r+b") as file:
        file.seek(place + 5)
        file.write(b"\xff\0\xff")
    rows = load_hdf5(path, "checked")
    assert np.array_equal(rows[:10], X[:10])
    with pytest.raises(StackedError) as caught:
        rows[8:15]
    assert str(caught.value).startswith(f"{path}, dataset '/checked', rows 8 to 14: it cannot be read as HDF5 (")
    assert str(caught.value).endswith("; restore the file, or install the filter that it was compressed with")


def test_rows_of_a_file_that_was_closed_meanwhile_are_refused(path):
    with h5py.File(path) as file:
        rows = as_rows(file["group/packed"])
    with pytest.raises(StackedError, match="expected an open file, received a closed one; keep it open"):
        rows[:3]


@pytest.mark.parametrize("content", [b"", b"x", bytes(5000), b"\x89HDF\r\n\x1a\n" + bytes(100)], ids=repr)
def test_a_file_that_is_no_hdf5_is_refused(path, content):
    path.write_bytes(content)
    refused(path, "x", r"it cannot be read as HDF5 \(.*\); check that it is a whole HDF5 file")


@pytest.mark.parametrize("length", [100, 2000, -1])
def test_a_truncated_file_is_refused(path, length):
    path.write_bytes(path.read_bytes()[:length])
    refused(path, "group/x", "truncated file")


def test_what_is_no_plain_file_is_refused(path, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zero").symlink_to("/dev/zero")
    for name, why in {
        "pipe": "Not a plain file",
        "zero": "Not a plain file",
        "no": "No such file",
        "": "director",
    }.items():
        refused(tmp_path / name, "x", f"expected an HDF5 file, but it cannot be read: .*{why}")
