"""MNIST, against facts published about it and a reading of its own; and other data in the same form."""

import gzip
import hashlib
import struct
from pathlib import Path

import numpy as np
import pytest

from stacked import load_idx, load_mnist
from stacked.errors import StackedError
from stacked.rows import BLOCK
from stacked.scaled_rows import ScaledRows

MNIST = Path(__file__).parents[1] / "data" / "mnist"
NAMES = ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"]
MD5 = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}
TRAIN_COUNTS = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
TEST_COUNTS = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
FIELDS = ["x_train", "y_train", "x_test", "y_test"]


@pytest.fixture(scope="module")
def mnist():
    """MNIST in memory."""
    return load_mnist()


@pytest.fixture(scope="module")
def original():
    """The bytes of the four files, unzipped by Python itself."""
    return {name: gzip.decompress((MNIST / f"{name}.gz").read_bytes()) for name in NAMES}


def linked(folder, *without):
    """A folder of links to MNIST's files, some left out."""
    for name in NAMES:
        if name not in without:
            (folder / f"{name}.gz").symlink_to(MNIST / f"{name}.gz")
    return folder


# MNIST


def test_the_files_are_those_published(original):
    assert {name: hashlib.md5(content).hexdigest() for name, content in original.items()} == MD5


def test_the_shapes_are_those_published(mnist):
    assert [getattr(mnist, field).shape for field in FIELDS] == [(60_000, 784), (60_000,), (10_000, 784), (10_000,)]
    assert [getattr(mnist, field).dtype for field in FIELDS] == [np.float32, np.int64, np.float32, np.int64]


def test_every_class_has_as_many_images_as_published(mnist):
    assert np.bincount(mnist.y_train).tolist() == TRAIN_COUNTS
    assert np.bincount(mnist.y_test).tolist() == TEST_COUNTS


@pytest.mark.parametrize(("field", "name"), [("x_train", NAMES[0]), ("x_test", NAMES[2])])
def test_pixels_are_the_bytes_of_the_file_over_255(mnist, original, field, name):
    pixels = np.frombuffer(original[name], np.uint8, offset=16).reshape(-1, 784)
    assert np.array_equal(getattr(mnist, field), pixels.astype(np.float32) / np.float32(255))


@pytest.mark.parametrize(("field", "name"), [("y_train", NAMES[1]), ("y_test", NAMES[3])])
def test_labels_are_the_bytes_of_the_file(mnist, original, field, name):
    assert np.array_equal(getattr(mnist, field), np.frombuffer(original[name], np.uint8, offset=8))


def test_pixels_range_from_0_to_1(mnist):
    for x in (mnist.x_train, mnist.x_test):
        assert (x.min(), x.max()) == (0, 1)


def test_compact_pixels_are_the_same_to_the_last_bit(mnist):
    compact = load_mnist(compact=True)
    for field in ("x_train", "x_test"):
        rows, expected = getattr(compact, field), getattr(mnist, field)
        assert isinstance(rows, ScaledRows)
        assert rows.shape == expected.shape
        assert rows.dtype == expected.dtype
        assert rows.stored.nbytes * 4 == expected.nbytes
        for start in range(0, len(rows), BLOCK):
            assert np.array_equal(rows[start : start + BLOCK], expected[start : start + BLOCK])
    assert np.array_equal(compact.y_train, mnist.y_train)
    assert np.array_equal(compact.y_test, mnist.y_test)


@pytest.mark.parametrize("compact", [False, True])
def test_pixels_may_be_doubles(original, compact):
    x = load_mnist(dtype="float64", compact=compact).x_test
    assert x.dtype == np.float64
    pixels = np.frombuffer(original[NAMES[2]], np.uint8, offset=16).reshape(-1, 784)
    assert np.array_equal(np.asarray(x), pixels.astype(np.float64) / 255)


@pytest.mark.parametrize("as_type", [str, Path])
def test_the_folder_may_be_an_argument(tmp_path, mnist, as_type):
    found = load_mnist(as_type(linked(tmp_path)), compact=True)
    assert np.array_equal(found.y_test, mnist.y_test)


def test_the_folder_may_be_an_environment_variable(tmp_path, monkeypatch, original):
    for name in NAMES[1:]:
        (tmp_path / f"{name}.gz").symlink_to(MNIST / f"{name}.gz")
    (tmp_path / NAMES[0]).write_bytes(original[NAMES[0]])
    monkeypatch.setenv("STACKED_MNIST", str(tmp_path))
    assert np.bincount(load_mnist(compact=True).y_train).tolist() == TRAIN_COUNTS
    (tmp_path / NAMES[0]).unlink()
    with pytest.raises(StackedError, match=str(tmp_path)):
        load_mnist()


def test_the_argument_comes_before_the_environment_variable(tmp_path, monkeypatch):
    monkeypatch.setenv("STACKED_MNIST", str(tmp_path / "nothing"))
    assert len(load_mnist(linked(tmp_path), compact=True).y_test) == 10_000


def test_the_default_folder_does_not_depend_on_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.delenv("STACKED_MNIST", raising=False)
    monkeypatch.chdir(tmp_path)
    assert len(load_mnist(compact=True).y_test) == 10_000


@pytest.mark.parametrize("load", [load_mnist, load_idx])
def test_a_missing_folder_is_answered_with_the_files_and_the_remedies(tmp_path, load):
    folder = tmp_path / "nothing"
    with pytest.raises(StackedError) as caught:
        load(folder)
    message = str(caught.value)
    assert message.startswith(f"{folder}: expected {NAMES[0]} or {NAMES[0]}.gz, found neither; ")
    for part in [*NAMES, "argument", "STACKED_MNIST"]:
        assert part in message


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("load", [load_mnist, load_idx])
def test_a_missing_file_is_named(tmp_path, load, name):
    with pytest.raises(StackedError, match=f"expected {name} or {name}.gz, found neither"):
        load(linked(tmp_path, name))


@pytest.mark.parametrize("name", NAMES[2:])
@pytest.mark.parametrize("place", ["first", "last"])
def test_a_changed_byte_is_refused(tmp_path, original, name, place):
    content = bytearray(original[name])
    start = 16 if "images" in name else 8
    at = start if place == "first" else -1
    content[at] = (content[at] + 1) % 10
    (linked(tmp_path, name) / name).write_bytes(content)
    with pytest.raises(StackedError, match="SHA-256") as caught:
        load_mnist(tmp_path)
    assert str(caught.value).startswith(f"{tmp_path / name}: expected MNIST's file")
    assert hashlib.sha256(content).hexdigest() in str(caught.value)
    assert "load_idx" in str(caught.value)
    assert len(load_idx(tmp_path, compact=True).y_test) == 10_000


@pytest.mark.parametrize("load", [load_mnist, load_idx])
@pytest.mark.parametrize("dtype", ["float16", "uint8", None, 32])
def test_another_dtype_is_refused(load, dtype):
    with pytest.raises(StackedError, match="dtype: expected one of 'float32', 'float64'"):
        load(MNIST, dtype=dtype)


# Other data


def packed(array, code=0x08):
    return struct.pack(f">HBB{array.ndim}I", 0, code, array.ndim, *array.shape) + array.tobytes()


def images(n, shape=(4, 3), seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, *shape), np.uint8)


def written(folder, *parts, pack=lambda content: content, ending=""):
    """A folder of four files that hold these arrays, or these bytes."""
    for name, part in zip(NAMES, parts, strict=True):
        content = part if isinstance(part, bytes) else packed(part)
        (folder / f"{name}{ending}").write_bytes(pack(content))
    return folder


def small():
    return images(6), np.array([0, 1, 2, 0, 1, 2], np.uint8), images(2, seed=1), np.array([9, 0], np.uint8)


@pytest.mark.parametrize("compact", [False, True])
@pytest.mark.parametrize(
    ("pack", "ending"), [(gzip.compress, ".gz"), (lambda content: content, "")], ids=["gz", "plain"]
)
def test_a_folder_of_ones_own_is_read(tmp_path, pack, ending, compact):
    parts = small()
    found = load_idx(written(tmp_path, *parts, pack=pack, ending=ending), compact=compact)
    assert np.array_equal(np.asarray(found.x_train), parts[0].reshape(6, 12).astype(np.float32) / np.float32(255))
    assert np.array_equal(found.y_train, parts[1])
    assert np.array_equal(np.asarray(found.x_test), parts[2].reshape(2, 12).astype(np.float32) / np.float32(255))
    assert np.array_equal(found.y_test, parts[3])
    assert found.y_train.dtype == np.int64


@pytest.mark.parametrize("shape", [(12,), (4, 3), (2, 2, 3)], ids=str)
def test_images_of_any_rank_become_rows(tmp_path, shape):
    parts = small()
    found = load_idx(written(tmp_path, images(6, shape), parts[1], images(2, shape), parts[3]))
    assert found.x_train.shape == (6, 12)
    assert np.array_equal(found.x_train, images(6, shape).reshape(6, 12).astype(np.float32) / np.float32(255))


def test_ones_own_data_is_not_taken_for_mnist(tmp_path):
    with pytest.raises(StackedError, match="expected MNIST's file, SHA-256"):
        load_mnist(written(tmp_path, *small()))


WRONG = {
    "fewer-labels": {1: np.zeros(5, np.uint8)},
    "more-labels": {3: np.zeros(3, np.uint8)},
    "labels-in-a-table": {1: np.zeros((6, 1), np.uint8)},
    "images-in-a-line": {0: np.zeros(6, np.uint8)},
    "images-of-floats": {0: packed(np.zeros((6, 4, 3), ">f4"), 0x0D)},
    "labels-between-classes": {1: packed(np.full(6, 0.5, ">f4"), 0x0D)},
    "labels-not-a-number": {1: packed(np.full(6, np.nan, ">f8"), 0x0E)},
    "no-images": {0: np.zeros((0, 4, 3), np.uint8), 1: np.zeros(0, np.uint8)},
    "truncated": {0: packed(images(6))[:-1]},
    "no-idx": {3: b"something else"},
}


@pytest.mark.parametrize("compact", [False, True])
@pytest.mark.parametrize("changes", WRONG.values(), ids=WRONG)
def test_files_that_do_not_fit_are_refused_with_their_folder(tmp_path, changes, compact):
    parts = dict(enumerate(small())) | changes
    with pytest.raises(StackedError) as caught:
        load_idx(written(tmp_path, *parts.values()), compact=compact)
    assert str(tmp_path) in str(caught.value)
