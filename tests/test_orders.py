"""Orders: every row once, the same wherever the rows lie, shuffled as a whole or piece by piece."""

import h5py
import numpy as np
import pytest
import torch

from stacked import orders
from stacked.examples import ALL, Share
from stacked.orders import PIECES, Order, shuffling
from stacked.randomness import Seeded
from stacked.rows import as_rows
from stacked.scaled_rows import ScaledRows

N, WIDTH = 10_007, 3
HALF = 2 * PIECES


def table(n=N, dtype="f4"):
    return np.zeros((n, WIDTH), dtype)


def order_of(rows, numbers=None):
    return Order(rows, torch.arange(len(rows)) if numbers is None else torch.as_tensor(numbers))


def stream(seed=0):
    return Seeded(seed).stream("shuffle")


def chunked(path, rows_a_chunk, n=N):
    with h5py.File(path, "w") as file:
        file.create_dataset("x", data=table(n), chunks=(rows_a_chunk, WIDTH), compression="gzip")
    return as_rows(h5py.File(path)["x"])


@pytest.fixture
def small_buffer(monkeypatch):
    """Two halves of 512 rows of float32, in pieces of 2."""
    monkeypatch.setattr(orders, "MIXING_BYTES", 2 * HALF * WIDTH * 4)


@pytest.mark.parametrize("numbers", [range(N), range(5, N, 3)], ids=["all", "some"])
def test_a_table_that_fits_is_shuffled_as_a_whole(numbers):
    portions = list(order_of(table(), numbers).shuffled(stream()))
    assert len(portions) == 1
    assert torch.equal(portions[0], torch.tensor(numbers)[stream().permutation(len(numbers))])


def test_the_largest_table_that_is_shuffled_as_a_whole(monkeypatch):
    monkeypatch.setattr(orders, "MIXING_BYTES", N * WIDTH * 4)
    assert order_of(table()).is_whole
    assert not order_of(table(N + 1)).is_whole
    assert order_of(table(N + 1), range(N)).is_whole
    assert not order_of(table(dtype="f8")).is_whole


def test_mnist_in_doubles_is_shuffled_as_a_whole():
    assert order_of(np.broadcast_to(np.float64(0), (60_000, 784))).is_whole


@pytest.mark.usefixtures("small_buffer")
@pytest.mark.parametrize("numbers", [range(N), range(5, N, 3), sorted({*range(N)} - {*range(99, 4000)})])
def test_beyond_the_buffer_halves_of_whole_pieces_follow_each_other(numbers):
    order = order_of(table(), numbers)
    portions = [portion.numpy() for portion in order.shuffled(stream())]
    assert order.piece == 2
    assert sorted(np.concatenate(portions)) == list(numbers)
    assert max(map(len, portions)) <= HALF
    assert min(map(len, portions[:-1])) > HALF - order.piece
    pieces = [set(portion // order.piece) for portion in portions]
    assert sum(map(len, pieces)) == len(set.union(*pieces)), "a piece lies in two portions"


@pytest.mark.usefixtures("small_buffer")
def test_a_portion_is_in_random_order_and_drawn_when_it_is_asked_for():
    drawn, reference = stream(), stream()
    portions = order_of(table()).shuffled(drawn)
    first = next(portions).numpy()
    pieces = reference.permutation(-(-N // 2)).numpy()[: HALF // 2]
    assert np.array_equal(first, np.stack([2 * pieces, 2 * pieces + 1], 1).ravel()[reference.permutation(HALF)])
    assert torch.equal(drawn.state(), reference.state())


@pytest.mark.usefixtures("small_buffer")
def test_the_stream_determines_the_order():
    order = order_of(table())
    same = stream()
    first, again, other, next_epoch = (
        torch.cat(list(order.shuffled(source))) for source in (stream(), same, stream(1), same)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert not torch.equal(first, next_epoch)


@pytest.mark.usefixtures("small_buffer")
def test_the_order_is_that_of_the_values_not_of_what_they_are_stored_as():
    """Rows of one fingerprint have one order."""
    scaled = ScaledRows(table(dtype="u1"), 255)
    pairs = zip(order_of(table()).shuffled(stream()), order_of(scaled).shuffled(stream()), strict=True)
    assert all(torch.equal(*pair) for pair in pairs)


@pytest.mark.usefixtures("small_buffer")
@pytest.mark.parametrize(
    ("rows_a_chunk", "piece"), [(1, 2), (2, 2), (7, 7), (500, 500), (HALF, HALF), (HALF + 1, HALF)]
)
def test_no_chunk_lies_in_two_pieces_unless_it_is_larger_than_half_the_buffer(rows_a_chunk, piece, tmp_path):
    rows = chunked(tmp_path / "rows.h5", rows_a_chunk)
    order = order_of(rows)
    assert order.piece == piece
    portions = list(order.shuffled(stream()))
    assert sorted(torch.cat(portions).tolist()) == list(range(N))
    assert max(map(len, portions)) <= HALF


@pytest.mark.usefixtures("small_buffer")
def test_in_order_the_numbers_come_as_they_stand():
    portions = list(order_of(table(), range(5, N, 3)).in_order())
    assert torch.cat(portions).tolist() == list(range(5, N, 3))
    assert max(map(len, portions)) <= 2


def test_a_description_says_what_the_order_depends_on(tmp_path, monkeypatch):
    assert shuffling(table()) == shuffling(chunked(tmp_path / "rows.h5", 500)) == "in 536870912 bytes"
    monkeypatch.setattr(orders, "MIXING_BYTES", 2 * HALF * WIDTH * 4)
    assert shuffling(table()) == shuffling(chunked(tmp_path / "pairs.h5", 2)) == "in 12288 bytes, pieces of 2 rows"
    assert shuffling(chunked(tmp_path / "others.h5", 500)) == "in 12288 bytes, pieces of 500 rows"


@pytest.mark.parametrize("n", [0, 1, 2, 3, 7, 8, 100])
@pytest.mark.parametrize("size", [1, 2, 3, 8])
def test_shares_are_the_neighbouring_parts_that_numpy_makes(n, size):
    parts = [np.arange(n)[slice(*Share(rank, size).part_of(n))] for rank in range(size)]
    assert list(map(list, parts)) == list(map(list, np.array_split(np.arange(n), size)))
    assert ALL.part_of(n) == (0, n)
