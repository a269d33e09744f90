"""The nearest rows against brute force, to the last bit: ties, offsets, rounding, and tables larger than a block."""

import h5py
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.neighbors import NearestNeighbors
from test_batches import Sliced

from stacked import StackedError, nearest
from stacked import neighbours as module
from stacked.scaled_rows import ScaledRows


def table(n, d, seed=0, dtype="f4"):
    return np.random.default_rng(seed).normal(size=(n, d)).astype(dtype)


def brute_force(library, queries, k):
    """Every distance as the length of the difference, sorted by distance, then number."""
    library, queries = np.asarray(library, "f8", order="C"), np.asarray(queries, "f8", order="C")
    distances = np.array([np.sqrt(np.square(library - query).sum(axis=1)) for query in queries])
    numbers = distances.argsort(axis=1, kind="stable")[:, :k]
    return np.take_along_axis(distances, numbers, axis=1), numbers


def agrees(library, queries, k):
    found, (distances, numbers) = nearest(library, queries, k), brute_force(library, queries, k)
    assert found.numbers.dtype == np.int64
    assert found.distances.dtype == np.float64
    assert np.array_equal(found.numbers, numbers)
    assert np.array_equal(found.distances, distances)


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks that are smaller than every table of more than a few rows."""
    monkeypatch.setattr(module, "QUERY_BLOCK", 7)
    monkeypatch.setattr(module, "LIBRARY_BLOCK", 11)


# Against brute force and scikit-learn


@pytest.mark.parametrize("k", [1, 2, 10, 300])
@pytest.mark.parametrize("d", [1, 3, 8, 50])
def test_the_nearest_rows_are_those_of_brute_force(d, k):
    agrees(table(300, d), table(40, d, seed=1), k)


@pytest.mark.parametrize("k", [1, 13, 200])
@pytest.mark.parametrize("d", [1, 5, 130])
def test_blocks_smaller_than_the_tables_change_nothing(d, k, small_blocks):
    agrees(table(200, d), table(30, d, seed=1), k)


def test_a_library_and_queries_of_several_blocks():
    agrees(table(9000, 4), table(1500, 4, seed=1), 20)


def test_scikit_learn_finds_the_same():
    library, queries = table(2000, 20, dtype="f8"), table(100, 20, seed=1, dtype="f8")
    found = nearest(library, queries, 15)
    distances, numbers = NearestNeighbors(n_neighbors=15, algorithm="brute").fit(library).kneighbors(queries)
    assert np.array_equal(found.numbers, numbers)
    assert np.allclose(found.distances, distances, rtol=1e-12)


def test_a_row_is_its_own_nearest():
    library = table(500, 30)
    found = nearest(library, library, 1)
    assert np.array_equal(found.numbers[:, 0], np.arange(500))
    assert (found.distances == 0).all()


# Ties


@settings(deadline=None, max_examples=200)
@given(st.data())
def test_small_whole_numbers_with_many_ties(data):
    d, values = data.draw(st.integers(1, 3)), st.integers(-2, 2)
    library = data.draw(hnp.arrays("f4", (data.draw(st.integers(1, 40)), d), elements=values))
    queries = data.draw(hnp.arrays("f4", (data.draw(st.integers(1, 10)), d), elements=values))
    offset = data.draw(st.sampled_from([0, 1000.1]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "LIBRARY_BLOCK", data.draw(st.integers(1, 50)))
        patch.setattr(module, "QUERY_BLOCK", data.draw(st.integers(1, 12)))
        agrees(library + offset, queries + offset, data.draw(st.integers(1, len(library))))


@pytest.mark.parametrize("d", [1, 2, 7, 8, 9, 17, 127, 129, 300])
def test_equal_rows_are_equally_near_and_come_in_the_order_of_their_numbers(d, small_blocks):
    row, query = table(1, d), table(1, d, seed=1)
    found = nearest(np.repeat(row, 40, axis=0), query, 25)
    assert np.array_equal(found.numbers, [np.arange(25)])
    assert len(set(found.distances[0])) == 1


@pytest.mark.parametrize("query", ["the same", "another"])
@pytest.mark.parametrize("value", [0.0, 0.1, 1e6 + 0.1])
def test_thousands_of_identical_rows(value, query):
    library = np.full((5000, 6), value)
    found = nearest(library, library[:3] + (0.3 if query == "another" else 0), 12)
    assert np.array_equal(found.numbers, np.tile(np.arange(12), (3, 1)))


def test_identical_rows_among_others_tie_at_the_last_place():
    library = table(9000, 5)
    library[1000:6000] = library[1000]
    agrees(library, library[995:1005] + 0.01, 30)


def test_rows_that_square_roots_make_equal_come_in_the_order_of_their_numbers():
    squares = np.nextafter(2.0, 3.0), 2.0
    library = np.array([[1.0, np.sqrt(squares[0] - 1)], [1.0, 1.0]])
    agrees(library, np.zeros((1, 2)), 1)
    agrees(library[::-1], np.zeros((1, 2)), 1)


# Rounding


@pytest.mark.parametrize("offset", [1e3, 1e6, 1e9])
@pytest.mark.parametrize("spread", [1e-3, 1.0])
def test_rows_far_from_zero(offset, spread, small_blocks):
    library, queries = (offset + spread * table(n, 9, seed, "f8") for n, seed in [(300, 0), (20, 1)])
    agrees(library, queries, 10)


def test_rows_far_from_the_first_block(small_blocks):
    library = np.concatenate([table(11, 9, dtype="f8"), 1e8 + 1e-6 * table(300, 9, 1, "f8")])
    agrees(library, 1e8 + 1e-6 * table(20, 9, 2, "f8"), 10)


@pytest.mark.parametrize("scale", [1e-320, 1e-200, 1e-160, 1e-30, 1e30])
def test_rows_of_any_size(scale, small_blocks):
    agrees(scale * table(200, 9, dtype="f8"), scale * table(20, 9, 1, "f8"), 10)


def test_distances_that_differ_in_the_last_bits(small_blocks):
    generator = np.random.default_rng(0)
    base, query = generator.normal(size=(2, 50))
    library = base * (1 + 2.0**-52 * generator.integers(-2, 3, (400, 50)))
    assert 1 < len(np.unique(brute_force(library, query[None], 400)[0])) < 400
    for k in (1, 7, 50, 399):
        agrees(library, query[None], k)


@pytest.mark.parametrize("scale", [1, 1e-162])  # whose squares are the smallest numbers there are
@pytest.mark.parametrize("offset", [0, 1e4, 1e12])
@pytest.mark.parametrize("d", [1, 3, 200])
def test_the_bounds_hold_what_is_compared(d, offset, scale):
    library, queries = (scale * (offset + table(n, d, seed, "f8")) for n, seed in [(300, 0), (30, 1)])
    library[:30] = queries  # where a difference vanishes, a product is all rounding
    centre = np.zeros(d)
    ((_, block),), ((_, asked),) = (list(module._blocks(rows, 300, centre)) for rows in (library, queries))
    squares = np.array([np.square(library - query).sum(axis=1) for query in queries])
    low, high = (module._bounds(asked, block, side).numpy() for side in (-1, 1))
    assert (low <= squares).all()
    assert (squares <= high).all()
    assert (high - low <= 1e-12 * d * (offset**2 * d + 100) * scale**2 + 1e-300).all()


@pytest.mark.parametrize("offset", [0, 1e6])
def test_hardly_more_rows_than_k_are_compared(offset, monkeypatch):
    compared = []

    def count(rows, query):
        compared.append(len(rows))
        return distances(rows, query)

    distances = module._distances
    monkeypatch.setattr(module, "_distances", count)
    library, queries = (offset + 1e-3 * table(n, 9, seed, "f8") for n, seed in [(3000, 0), (20, 1)])
    agrees(library, queries, 10)
    assert 200 <= sum(compared) <= 210


# Tables wherever they lie


def test_the_library_is_read_in_slices_of_a_block_twice_for_every_block_of_queries(small_blocks):
    library, queries = Sliced(table(100, 4)), Sliced(table(20, 4, 1))
    found = module.nearest_rows(library, queries, 5)
    assert np.array_equal(found.numbers, brute_force(library[:], queries[:], 5)[1])
    assert max(map(len, library.given[:-1])) == 11
    assert sum(map(len, library.given[:-1])) == 11 + 2 * 3 * 100  # 11 for the centre
    assert list(map(len, queries.given[:-1])) == [7, 7, 6]


@pytest.mark.parametrize("options", [{}, {"chunks": (7, 4)}, {"chunks": (15, 2), "compression": "gzip"}], ids=repr)
def test_hdf5_datasets(options, small_blocks, tmp_path):
    library, queries = table(100, 4), table(20, 4, 1)
    with h5py.File(tmp_path / "rows.h5", "w") as file:
        stored = [file.create_dataset(name, data=x, **options) for name, x in [("x", library), ("q", queries)]]
        found = nearest(*stored, 5)
    assert np.array_equal(found.distances, brute_force(library, queries, 5)[0])


@pytest.mark.parametrize("dtype", ["f8", "f2", "u1", "i4", "?", ">f4", "g"])
def test_every_dtype(dtype):
    agrees((20 * table(100, 4)).astype(dtype), (20 * table(20, 4, 1)).astype(dtype), 5)


LAYOUTS = {
    "fortran": np.asfortranarray,
    "mirrored": lambda x: np.ascontiguousarray(x[:, ::-1])[:, ::-1],
    "spread": lambda x: np.repeat(x, 2, axis=1)[:, ::2],
    "tensor": torch.tensor,
    "list": np.ndarray.tolist,
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout(layout, small_blocks):
    library, queries = table(100, 40), table(20, 40, 1)
    found, expected = nearest(LAYOUTS[layout](library), LAYOUTS[layout](queries), 5), nearest(library, queries, 5)
    assert np.array_equal(found.numbers, expected.numbers)
    assert np.array_equal(found.distances, expected.distances)


def test_scaled_rows_are_the_numbers_that_reading_gives():
    pixels = np.random.default_rng(0).integers(0, 256, (200, 9)).astype("u1")
    scaled = ScaledRows(pixels, 255)
    found, expected = nearest(scaled, scaled, 5), nearest(scaled[:], scaled[:], 5)
    assert np.array_equal(found.numbers, expected.numbers)
    assert np.array_equal(found.distances, expected.distances)


def test_nothing_is_written_into_the_tables():
    library, queries = table(100, 4, dtype="f8"), table(20, 4, 1, "f8")
    before = library.copy(), queries.copy()
    library.flags.writeable = queries.flags.writeable = False
    nearest(library, queries, 5)
    assert np.array_equal(library, before[0])
    assert np.array_equal(queries, before[1])


# What is refused


@pytest.mark.parametrize(
    ("k", "why"),
    [
        (0, "k: expected a whole number of at least 1, received 0"),
        (2.0, "k: expected a whole number of at least 1, received 2.0"),
        (True, "k: expected a whole number of at least 1, received True"),
        (101, "k: expected at most 100, the rows there are, received 101; lower k"),
    ],
)
def test_a_k_that_does_not_fit(k, why):
    with pytest.raises(StackedError, match=f"^{why}"):
        nearest(table(100, 4), table(20, 4), k)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e39])
@pytest.mark.parametrize("name", ["library", "queries"])
def test_numbers_whose_distances_mean_nothing(name, value):
    tables = {"library": table(100, 4, dtype="f8"), "queries": table(20, 4, 1, "f8")}
    tables[name][13, 2] = value
    with pytest.raises(StackedError, match=f"^{name}: expected .* in row 13, column 2"):
        nearest(**tables, k=5)


def test_tables_of_different_widths():
    with pytest.raises(StackedError, match=r"^queries: expected 4 columns, received 5"):
        nearest(table(100, 4), table(20, 5), 5)


@pytest.mark.parametrize("name", ["library", "queries"])
def test_what_is_no_table(name):
    tables = {"library": table(100, 4), "queries": table(20, 4, 1), name: table(100, 4)[0]}
    with pytest.raises(StackedError, match=rf"^{name}: expected a table of shape \(n, n_inputs\)"):
        nearest(**tables, k=5)
