"""Codes in a plane: components against scikit-learn, neighbours by t-SNE, samples of rows."""

import sys

import h5py
import numpy as np
import pytest
from sklearn.decomposition import PCA

from stacked import StackedError, load_hdf5, orders
from stacked.embeddings import placed
from stacked.hdf5_rows import DatasetRows
from stacked.randomness import Seeded
from stacked.samples import drawn, sampled

RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize("shape", [(60, 7), (5, 9), (40, 2)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_components_are_those_of_scikit_learn(shape, dtype):
    codes = (RANDOM.normal(size=shape) * np.arange(1, shape[1] + 1) + 100).astype(dtype)
    expected = PCA(2, svd_solver="full").fit(codes.astype("float64"))
    found = placed(codes)
    places = expected.transform(codes.astype("float64"))
    signs = np.sign((found.values * places).sum(axis=0))
    np.testing.assert_allclose(found.values * signs, places, rtol=1e-8, atol=1e-8)
    shares = [f"{100 * share:.0f} %" for share in expected.explained_variance_ratio_]
    assert found.axes == tuple(
        f"component {k} ({share} of the variance)" for k, share in zip((1, 2), shares, strict=True)
    )
    assert found.method == "PCA"


def test_a_direction_points_where_its_largest_part_is_positive():
    codes = np.array([[0.0, 0, 0], [1, -3, 0.1], [2, -6, 0]])
    assert (np.diff(placed(codes).values[:, 0]) < 0).all()
    assert (np.diff(placed(-codes).values[:, 0]) > 0).all()


def test_one_unit_is_a_line():
    codes = RANDOM.normal(size=(20, 1))
    np.testing.assert_allclose(placed(codes).values, np.c_[codes - codes.mean(), np.zeros(20)], atol=1e-12)
    assert placed(codes, "tsne").values.shape == (20, 2)


def test_t_sne_keeps_neighbours_together_and_is_the_same_again():
    codes = np.concatenate([RANDOM.normal(size=(20, 5)), RANDOM.normal(size=(20, 5)) + 30])
    found = placed(codes, "tsne").values
    distances = np.linalg.norm(found[:, None] - found, axis=2) + np.diag(np.full(40, np.inf))
    assert ((distances.argmin(axis=1) < 20) == (np.arange(40) < 20)).all()
    np.testing.assert_array_equal(placed(codes, "tsne").values, found)
    assert (placed(codes, "tsne").method, placed(codes, "tsne").axes) == ("t-SNE", ("", ""))
    assert placed(codes[:3], "tsne").values.shape == (3, 2)


def test_what_cannot_be_placed_is_told():
    with pytest.raises(StackedError, match="expected three rows that differ, received 2 rows; pass more"):
        placed(np.eye(2))
    with pytest.raises(StackedError, match="received 4 rows that are all alike"):
        placed(np.ones((4, 3)), "tsne")
    with pytest.raises(StackedError, match="expected one of 'pca', 'tsne', 'umap', received 'lle'"):
        placed(np.eye(5), "lle")


def test_umap_that_is_not_installed_is_told_with_the_remedy(monkeypatch):
    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(StackedError, match=r'^umap: .*; run pip install "stacked\[umap\]"$'):
        placed(np.eye(5), "umap")


# Samples


def test_a_small_table_is_taken_whole():
    rows = RANDOM.normal(size=(10, 3))
    sample = sampled(rows, 10)
    np.testing.assert_array_equal(sample.rows, rows)
    np.testing.assert_array_equal(sample.numbers, np.arange(10))
    assert str(sample) == "10 rows"


def test_of_a_large_table_only_the_neighbourhood_of_the_rows_that_are_drawn_is_read():
    class Watched:
        shape, dtype = (10**9, 2), np.dtype("float64")

        def __len__(self):
            return self.shape[0]

        def __getitem__(self, index):
            read.append(index.stop - index.start)
            return np.arange(index.start, index.stop)[:, None] * [1.0, 2.0]

    read = []
    sample = sampled(Watched(), 1000)
    assert len(read) <= 1000
    assert sum(read) < 10**7
    assert str(sample) == "1,000 of 1,000,000,000 rows"
    np.testing.assert_array_equal(sample.rows, sample.numbers[:, None] * [1.0, 2.0])
    assert (np.diff(sample.numbers) > 0).all()
    assert abs(sample.numbers.mean() / 10**9 - 0.5) < 0.05


def test_no_chunk_is_unpacked_twice_for_a_sample(tmp_path, monkeypatch):
    rows, read, whole = RANDOM.normal(size=(1000, 3)), [], DatasetRows.__getitem__
    with h5py.File(tmp_path / "rows.h5", "w") as file:
        file.create_dataset("x", data=rows, chunks=(70, 3), compression="gzip")
    table = load_hdf5(tmp_path / "rows.h5")
    monkeypatch.setattr(orders, "MIXING_BYTES", 70 * 3 * 8 * 2 * orders.PIECES)  # a piece is a chunk
    monkeypatch.setattr(DatasetRows, "__getitem__", lambda self, index: read.append(index) or whole(self, index))
    sample = sampled(table, 300)
    np.testing.assert_array_equal(sample.rows, rows[sample.numbers])
    chunks = [chunk for index in read for chunk in range(index.start // 70, (index.stop - 1) // 70 + 1)]
    assert len(set(chunks)) == len(chunks) <= 15


def test_every_row_is_as_likely_to_be_drawn():
    counts = np.zeros(7)
    for seed in range(700):
        counts[drawn(7, 5, Seeded(seed).stream("test"))] += 1
    assert (abs(counts - 500) < 5 * np.sqrt(700 * 5 / 7 * 2 / 7)).all()
    np.testing.assert_array_equal(drawn(7, 7, Seeded(0).stream("test")), np.arange(7))
