"""Tables in files, by name: each format gives the numbers that were written, and damaged files one sentence."""

import gzip
import random

import h5py
import numpy as np
import pytest

from stacked import StackedError, load_mnist
from stacked.scaled_rows import ScaledRows
from stacked.tables import read_table

ROWS = np.random.default_rng(0).random((130, 12), dtype=np.float32)


@pytest.fixture
def hdf5(tmp_path):
    """A file with one table, in a group, and much that is none."""
    with h5py.File(tmp_path / "rows.h5", "w") as file, h5py.File(tmp_path / "other.h5", "w") as other:
        other["rows"] = ROWS
        table = file.create_dataset("images/train", data=ROWS, chunks=(7, 12))
        file["again"] = table
        file["images/loop"] = file["/"]
        file["labels"], file["cube"], file["words"] = np.arange(130), np.zeros((2, 3, 4)), [["a", "b"]]
        file["elsewhere"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "rows")
        file["soft"] = h5py.SoftLink("/images/train")
        file["nothing"], file["type"] = h5py.Empty("f4"), np.dtype("f4")
    return tmp_path / "rows.h5"


@pytest.mark.parametrize("dataset", [":/images/train", ":images/train", ":again", ":soft", ""])
def test_a_table_in_an_hdf5_file_is_named_or_the_only_one(hdf5, dataset):
    assert np.array_equal(read_table(f"{hdf5}{dataset}"), ROWS)


@pytest.mark.parametrize("dtype", ["f4", "f8", ">f4", "f2", "u1", "?"])
def test_a_table_of_any_number_is_found_in_an_hdf5_file(tmp_path, dtype):
    with h5py.File(tmp_path / "rows.hdf5", "w") as file:
        file["x"] = ROWS.round().astype(dtype)
    found = read_table(str(tmp_path / "rows.hdf5"))
    assert (found.dtype, np.asarray(found).tolist()) == (dtype, ROWS.round().tolist())


def test_an_hdf5_file_may_lie_in_a_folder_with_a_colon_and_end_like_another(tmp_path):
    folder = tmp_path / "a:b"
    folder.mkdir()
    with h5py.File(folder / "c:d.npy.h5", "w") as file:
        file["x:y"] = ROWS
    assert np.array_equal(read_table(f"{folder}/c:d.npy.h5:x:y"), ROWS)


@pytest.mark.parametrize("dtype", ["f4", "f8", ">f4", "u1", "i8", "?"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_a_file_of_numpy_is_mapped_and_cannot_be_changed(tmp_path, dtype, order):
    np.save(tmp_path / "rows.npy", np.asarray(ROWS.round().astype(dtype), order=order))
    found = read_table(str(tmp_path / "rows.npy"))
    assert isinstance(found, np.memmap)
    assert not found.flags.writeable
    assert (found.dtype, found.tolist()) == (dtype, ROWS.round().tolist())


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("ending", ["", ".gz"])
def test_images_are_the_rows_of_load_mnist(tmp_path, dtype, ending):
    expected = load_mnist(dtype=dtype, compact=True).x_test[:50]
    pixels = (expected * 255).round().astype(np.uint8)
    content = bytes([0, 0, 8, 3]) + np.array([50, 28, 28], ">u4").tobytes() + pixels.tobytes()
    path = tmp_path / f"images-idx3-ubyte{ending}"
    path.write_bytes(gzip.compress(content) if ending else content)
    found = read_table(str(path), dtype)
    assert isinstance(found, ScaledRows)
    assert np.array_equal(found, expected)


def test_an_idx_file_of_other_numbers_is_taken_as_it_is(tmp_path):
    content = bytes([0, 0, 0x0D, 2]) + np.array(ROWS.shape, ">u4").tobytes() + ROWS.astype(">f4").tobytes()
    (tmp_path / "rows.idx").write_bytes(content)
    assert np.array_equal(read_table(str(tmp_path / "rows.idx")), ROWS)


def test_a_damaged_file_of_numpy_gives_rows_or_one_sentence(tmp_path):
    """Its header is text that NumPy reads as Python, so letters are put there that mean something."""
    chance, path, told = random.Random(0), tmp_path / "rows.npy", []
    np.save(path, ROWS)
    whole = path.read_bytes()
    for _ in range(2000):
        content = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            content[chance.randrange(128)] = chance.choice([chance.randrange(256), *b"0123456789'(){}[],:-<>f|O\n"])
        path.write_bytes(content[: chance.choice([len(content), chance.randrange(len(content))])])
        try:
            assert read_table(str(path)).ndim == 2
        except StackedError as error:
            told.append(str(error))
    assert 1000 < len(told) < 2000
    assert all(message.startswith(f"{path}: expected ") and "\n" not in message for message in told)
