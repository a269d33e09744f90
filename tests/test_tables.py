"""Tables in files, by name: each format gives the numbers that were written, and damaged files one sentence."""

import gzip
import random

import h5py
import numpy as np
import pytest

from stacked import StackedError, load_mnist, orders
from stacked.columns_in_files import read_values
from stacked.scaled_rows import ScaledRows
from stacked.table_names import Place
from stacked.tables import Wanted, read_data, read_table

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
    found = read_table(str(path))
    assert isinstance(found, ScaledRows)
    assert np.array_equal(np.asarray(found).astype(dtype), expected)


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


def test_bytes_of_text_and_numbers_of_one_column_are_the_labels_of_their_rows(tmp_path):
    """Labels in every format of arrays, beside the rows or in the same file."""
    words, numbers = ["B", "M"] * 65, np.arange(-1, 129).astype(">i2")
    with h5py.File(tmp_path / "rows.h5", "w") as file:
        file["x"], file["groups/words"], file["numbers"] = ROWS, words, numbers
        file["fixed"], file["column"] = np.array(words, "S1"), numbers[:, None].astype("f4")
    np.savez(tmp_path / "rows.npz", x=ROWS, words=words, numbers=numbers)
    np.save(tmp_path / "words.npy", words)
    np.save(tmp_path / "numbers.npy", numbers[:, None])
    (tmp_path / "numbers.idx").write_bytes(
        bytes([0, 0, 0x0B, 1]) + np.array([130], ">u4").tobytes() + numbers.tobytes()
    )
    for rows, target in [
        *((f"rows.h5:{x}", y) for x in ("x", "/x") for y in ("groups/words", "/groups/words", "fixed")),
        *(("rows.npz:x", y) for y in ("words", f"{tmp_path}/words.npy", f"{tmp_path}/rows.h5:fixed")),
    ]:
        found = read_data(f"{tmp_path}/{rows}", Wanted(target=target))
        assert (found.columns, found.target.tolist()) == ((), words)
        assert np.array_equal(found.rows, ROWS)
    for rows, target in [
        *(("rows.h5:x", y) for y in ("numbers", "column")),
        *(("rows.npz", y) for y in ("numbers", *(f"{tmp_path}/numbers.{end}" for end in ("npy", "idx")))),
    ]:
        found = read_data(f"{tmp_path}/{rows}", Wanted(target=target))
        assert (found.target.tolist(), found.target.dtype.isnative) == (numbers.tolist(), True)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("most", [2**29, 300])
@pytest.mark.parametrize("dtype", ["f4", "f8", ">f4", "u1", "i8", "?"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_a_table_in_an_npz_file_is_named_or_the_only_one(tmp_path, monkeypatch, save, most, dtype, order):
    monkeypatch.setattr(orders, "MIXING_BYTES", most)
    table = np.asarray(ROWS.round().astype(dtype), order=order)
    save(tmp_path / "rows.npz", labels=np.arange(130), table=table, cube=np.zeros((2, 3, 4)))
    for name in ("rows.npz", "rows.npz:table"):
        found = read_table(f"{tmp_path}/{name}")
        assert isinstance(found, np.memmap) == (most == 300)
        assert (found.dtype, found.tolist()) == (dtype, table.tolist())


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_damaged_npz_file_gives_the_rows_or_one_sentence(tmp_path, save):
    chance, path = random.Random(0), tmp_path / "rows.npz"
    save(path, x=ROWS)
    whole, told = path.read_bytes(), []
    for _ in range(300):
        content = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            content[chance.randrange(len(content))] = chance.randrange(256)
        path.write_bytes(content[: chance.choice([len(content), chance.randrange(len(content))])])
        try:
            assert np.array_equal(read_table(str(path)), ROWS)
        except StackedError as error:
            told.append(str(error))
    assert len(told) > 200
    assert all(message.startswith(f"{path}: expected ") and "; " in message for message in told)


def test_text_in_arrays_lacks_what_it_lacks_in_other_files(tmp_path):
    np.save(tmp_path / "words.npy", ["a", "NA", "", " b "])
    assert read_values(Place(tmp_path / "words.npy", "npy")).tolist() == ["a", None, None, "b"]


def test_columns_of_tables_without_names_are_counted(tmp_path):
    np.save(tmp_path / "rows.npy", ROWS)
    path = f"{tmp_path}/rows.npy"
    assert read_data(path, Wanted(columns=tuple("abcdefghijkl"))).columns == ()


def test_the_only_column_of_an_hdf5_file_needs_no_name(hdf5, tmp_path):
    found = read_data(f"{hdf5}:again", Wanted(target=str(hdf5)))
    assert found.target.tolist() == list(range(130))
