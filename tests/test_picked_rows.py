"""Some rows of a table: those that NumPy picks, wherever they lie, and little more in memory than is asked for."""

import h5py
import numpy as np
import pytest

from stacked import load_hdf5, orders
from stacked.picked_rows import PickedRows, picked
from stacked.rows import as_rows
from stacked.scaled_rows import ScaledRows

TABLE = np.random.default_rng(0).random((130, 6), dtype=np.float32)
NUMBERS = np.array([0, 3, 4, 5, 31, 32, 64, 99, 128, 129])


@pytest.fixture(params=["memory", "map", "contiguous", "chunked"])
def rows(request, tmp_path):
    """The same table in different places."""
    np.save(tmp_path / "rows.npy", TABLE)
    with h5py.File(tmp_path / "rows.h5", "w") as file:
        file["contiguous"] = TABLE
        file.create_dataset("chunked", data=TABLE, chunks=(16, 6), compression="gzip")
    if request.param == "memory":
        return as_rows(TABLE)
    if request.param == "map":
        return as_rows(np.load(tmp_path / "rows.npy", mmap_mode="r"))
    return load_hdf5(tmp_path / "rows.h5", request.param)


@pytest.fixture
def larger_than_memory(monkeypatch):
    """As if a buffer held no more than ten rows."""
    monkeypatch.setattr(orders, "MIXING_BYTES", 10 * TABLE[0].nbytes - 1)


def test_few_rows_are_gathered(rows):
    part = picked(rows, NUMBERS)
    assert isinstance(part, np.ndarray)
    assert np.array_equal(part, TABLE[NUMBERS])


@pytest.mark.parametrize(
    "index", [slice(None), slice(2, 7), slice(5, 5), slice(8, 50), slice(-3, None), slice(0, 9, 2)]
)
def test_many_rows_are_read_slice_by_slice(rows, index, larger_than_memory):
    part = picked(rows, NUMBERS)
    assert isinstance(part, PickedRows)
    assert (part.shape, part.dtype, len(part)) == ((10, 6), np.float32, 10)
    assert np.array_equal(part[index], TABLE[NUMBERS][index])
    assert np.array_equal(np.asarray(part), TABLE[NUMBERS])


def test_scaled_rows_are_picked_as_they_are_stored(larger_than_memory):
    pixels = np.random.default_rng(1).integers(0, 256, (130, 24), dtype=np.uint8)
    scaled = ScaledRows(pixels, 255)
    few, many = picked(scaled, NUMBERS[:2]), picked(scaled, NUMBERS)
    assert isinstance(few.stored, np.ndarray)
    assert isinstance(many.stored, PickedRows)
    assert many.stored.dtype == np.uint8
    for part, numbers in ((few, NUMBERS[:2]), (many, NUMBERS)):
        assert np.array_equal(part[:], (pixels[numbers] / np.float32(255)).astype(np.float32))


class Watched:
    """Rows that note how many of them were read at once."""

    shape, dtype = TABLE.shape, TABLE.dtype

    def __init__(self):
        self.most = 0

    def __len__(self):
        return len(TABLE)

    def __getitem__(self, index):
        self.most = max(self.most, len(TABLE[index]))
        return TABLE[index]


def test_no_more_than_a_piece_of_the_table_is_read_at_once(larger_than_memory):
    watched = Watched()
    assert np.array_equal(PickedRows(watched, NUMBERS)[:], TABLE[NUMBERS])
    assert watched.most <= orders.Order(watched, range(130)).piece < len(TABLE)
