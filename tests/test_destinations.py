"""Results that are written where the caller says: into an array, a map, an HDF5 dataset, whatever their size."""

import h5py
import numpy as np
import pytest

from stacked import CodeCache, FeedforwardClassifier, Plain, StackedAutoencoder, StackedError, Variational
from stacked.hdf5_rows import DatasetRows
from stacked.rows import BLOCK, as_rows

N = 2 * BLOCK + 77
X = np.random.default_rng(0).random((N, 6), dtype=np.float32)


@pytest.fixture(scope="module")
def stack():
    return StackedAutoencoder([Plain(5), Variational(3, hidden=4)]).draw(6)


def in_array(shape, dtype, folder):
    return np.full(shape, np.nan, dtype)


def in_part_of_an_array(shape, dtype, folder):
    return np.full((2 * shape[0], 3 * shape[1]), np.nan, dtype)[::2, 1::3]


def in_map(shape, dtype, folder):
    return np.memmap(folder / "out", dtype, "w+", shape=shape)


def in_dataset(shape, dtype, folder):
    return h5py.File(folder / "out.h5", "w").create_dataset("x", shape, dtype, chunks=(100, 2), compression="gzip")


PLACES = {"array": in_array, "part": in_part_of_an_array, "map": in_map, "HDF5": in_dataset}


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
@pytest.mark.parametrize("call", ["encode", "decode", "reconstruct"])
def test_results_go_where_they_are_wanted(stack, call, place, tmp_path):
    given = stack.encode(X) if call == "decode" else X
    expected = getattr(stack, call)(given)
    out = place(expected.shape, expected.dtype, tmp_path)
    assert getattr(stack, call)(given, out=out) is out
    assert np.array_equal(out[:], expected)


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_cached_codes_go_where_they_are_wanted(place, tmp_path):
    stack = StackedAutoencoder([Plain(5)], cache=CodeCache(tmp_path / "codes")).draw(6)
    for computed in (1, 1):
        out = place((N, 5), np.float32, tmp_path)
        assert stack.encode(X, out=out) is out
        assert np.array_equal(out[:], stack.encode(X))
        assert stack.cache.computed == computed
        if isinstance(out, h5py.Dataset):
            out.file.close()


@pytest.mark.parametrize("depth", [None, 1])
def test_reconstructions_are_decoded_codes_to_the_last_bit(stack, depth):
    assert np.array_equal(stack.reconstruct(X, depth), stack.decode(stack.encode(X, depth), depth))


class Counted(DatasetRows):
    """Rows of a dataset that count how many were read."""

    n_read = 0

    def __getitem__(self, index):
        block = super().__getitem__(index)
        self.n_read += len(block)
        return block


def test_rows_are_read_once_to_be_checked_and_once_to_be_used(stack, tmp_path):
    classifier = FeedforwardClassifier((6, 4, 3))
    with h5py.File(tmp_path / "rows.h5", "w") as file:
        dataset = file.create_dataset("x", data=X, chunks=(500, 6))
        calls = [
            stack.encode,
            stack.reconstruct,
            classifier.predict,
            lambda rows: classifier.error_rate(rows, np.zeros(N, int)),
        ]
        for call in calls:
            rows = Counted(dataset)
            call(as_rows(rows))
            assert rows.n_read == 2 * N


def test_results_that_would_overwrite_rows_are_refused():
    memory = np.random.default_rng(0).random((9000, 6), dtype=np.float32)
    stack = StackedAutoencoder([Plain(6)], seed=0).draw(6)
    expected = stack.encode(memory[:6000])
    with pytest.raises(StackedError, match="out: expected an array apart from the rows, received one that overlaps"):
        stack.encode(memory[:6000], out=memory[1000:7000])
    np.testing.assert_array_equal(stack.encode(memory[:6000], out=memory[:6000]), expected)  # in their very place
