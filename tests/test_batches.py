"""Minibatches: every row once an epoch, with its label, well mixed, whatever kind of rows they come from."""

import math

import h5py
import numpy as np
import pytest
import torch

from stacked import orders
from stacked.batches import Batches
from stacked.examples import Examples
from stacked.randomness import Seeded
from stacked.rows import BLOCK, as_rows
from stacked.scaled_rows import ScaledRows

CPU = torch.device("cpu")
N, SIZE, WIDTH = 1037, 50, 5


class Sliced:
    """Rows that give nothing but plain slices, and count what they give."""

    def __init__(self, array):
        self._array, self.shape, self.dtype = array, array.shape, array.dtype
        self.given = []

    def __len__(self):
        return len(self._array)

    def __getitem__(self, index):
        assert isinstance(index, slice)
        assert index.step is None
        self.given.append(self._array[index])
        return self._array[index].copy()


def numbered(n=N, dtype="f4"):
    """Rows whose first two columns hold their number (small enough for bytes), the others noise."""
    x = np.random.default_rng(3).integers(0, 100, (n, WIDTH))
    x[:, 0], x[:, 1] = np.arange(n) // 100, np.arange(n) % 100
    return x.astype(dtype)


def numbers_of(x):
    """The row numbers that rows carry."""
    return (x[:, 0].round() * 100 + x[:, 1].round()).long()


def in_hdf5(x, path):
    with h5py.File(path, "w") as file:
        file.create_dataset("x", data=x, chunks=(97, x.shape[1]), compression="gzip")
    return as_rows(h5py.File(path)["x"])


def in_memory_map(x, path):
    x.tofile(path)
    return np.memmap(path, x.dtype, "r", shape=x.shape)


SOURCES = {
    "array": lambda x, path: x.astype("f4"),
    "double": lambda x, path: x.astype("f8"),
    "bytes": lambda x, path: x.astype("u1"),
    "half": lambda x, path: x.astype("f2"),
    "half-fortran": lambda x, path: np.asfortranarray(x.astype("f2")),
    "int64": lambda x, path: x.astype("i8"),
    "big-endian": lambda x, path: x.astype(">f4"),
    "fortran": lambda x, path: np.asfortranarray(x),
    "backwards": lambda x, path: x[::-1].copy()[::-1],
    "memory-map": in_memory_map,
    "scaled": lambda x, path: ScaledRows(x.astype("u1"), 1),
    "sliced": lambda x, path: Sliced(x),
    "gzip": in_hdf5,
}


@pytest.fixture(params=SOURCES)
def source(request, tmp_path):
    """Makes rows of each kind of an array."""
    return lambda x: SOURCES[request.param](x, tmp_path / "rows")


@pytest.fixture
def small_buffer(monkeypatch):
    """A mixing buffer of 200 rows of float32."""
    monkeypatch.setattr(orders, "MIXING_BYTES", 200 * WIDTH * 4)


def labels_for(n=N):
    """A label for each row that its number determines."""
    return (np.arange(n) * 7 % 10).astype(np.int64)


def batches_of(rows, labels=None, numbers=None, size=SIZE, dtype=torch.float32):
    numbers = torch.arange(len(rows)) if numbers is None else torch.as_tensor(numbers)
    return Batches(Examples(rows, labels, numbers), size, dtype, CPU)


def epoch(minibatches):
    """The rows of every minibatch and their labels; copied, as the next may overwrite them."""
    return [(x.clone(), labels if labels is None else labels.clone()) for x, labels in minibatches]


def shuffle(seed=0):
    return Seeded(seed).stream("shuffle")


def check_epoch(drawn, numbers, x, size=SIZE):
    """Every row once, with its values and label, in minibatches of one size and maybe a smaller last one."""
    sizes = [len(rows) for rows, _ in drawn]
    remainder = [len(numbers) % size] if len(numbers) % size else []
    assert sizes == [size] * (len(numbers) // size) + remainder
    rows, labels = torch.cat([rows for rows, _ in drawn]), torch.cat([labels for _, labels in drawn])
    found = numbers_of(rows)
    assert sorted(found.tolist()) == list(numbers)
    assert np.array_equal(rows.numpy(), x[found.numpy()].astype("f4"))
    assert np.array_equal(labels.numpy(), labels_for(len(x))[found.numpy()])


def test_every_row_comes_once_an_epoch_with_its_label(source):
    x, stream = numbered(), shuffle()
    made = batches_of(source(x), labels_for())
    for _ in range(2):
        check_epoch(epoch(made.shuffled(stream)), range(N), x)


@pytest.mark.usefixtures("small_buffer")
def test_every_row_comes_once_where_the_buffer_is_small(source):
    x, stream = numbered(), shuffle()
    made = batches_of(source(x), labels_for())
    for _ in range(2):
        check_epoch(epoch(made.shuffled(stream)), range(N), x)


@pytest.mark.usefixtures("small_buffer")
@pytest.mark.parametrize("size", [1, 7, 199, 200, 201, 500, N, N + 1])
def test_every_row_comes_once_whatever_the_size_beside_the_buffer(size):
    x = numbered()
    check_epoch(epoch(batches_of(Sliced(x), labels_for(), size=size).shuffled(shuffle())), range(N), x, size)


@pytest.mark.parametrize("mixing_bytes", [1, 4, WIDTH * 4, WIDTH * 4 * 65, WIDTH * 4 * (N - 1), WIDTH * 4 * N])
def test_every_row_comes_once_whatever_the_buffer(monkeypatch, mixing_bytes):
    monkeypatch.setattr(orders, "MIXING_BYTES", mixing_bytes)
    x = numbered()
    check_epoch(epoch(batches_of(Sliced(x), labels_for()).shuffled(shuffle())), range(N), x)


@pytest.mark.parametrize("n", [N, 2 * BLOCK + 11])
@pytest.mark.parametrize("kind", ["sliced", "gzip"])
def test_slices_that_fit_the_buffer_give_the_minibatches_of_an_array_to_the_last_bit(kind, n, tmp_path):
    x = np.random.default_rng(1).random((n, WIDTH), dtype=np.float32)
    labels, streams = labels_for(n), (shuffle(), shuffle())
    makers = batches_of(x, labels), batches_of(SOURCES[kind](x, tmp_path / "rows"), labels)
    for _ in range(2):
        ours, theirs = (epoch(made.shuffled(stream)) for made, stream in zip(makers, streams, strict=True))
        assert len(ours) == len(theirs) == -(-n // SIZE)
        for (x1, labels1), (x2, labels2) in zip(ours, theirs, strict=True):
            assert torch.equal(x1, x2)
            assert torch.equal(labels1, labels2)


def test_bytes_that_are_scaled_give_the_minibatches_of_the_floats_to_the_last_bit():
    stored = np.random.default_rng(1).integers(0, 256, (N, WIDTH), np.uint8)
    for dtype in (torch.float32, torch.float64):
        name = str(dtype).removeprefix("torch.")
        floats = stored.astype(name) / np.dtype(name).type(255)
        makers = batches_of(floats, dtype=dtype), batches_of(ScaledRows(stored, 255, name), dtype=dtype)
        for (x1, _), (x2, _) in zip(*(epoch(made.shuffled(shuffle())) for made in makers), strict=True):
            assert x1.dtype == x2.dtype == dtype
            assert torch.equal(x1, x2)


def test_each_epoch_has_its_own_order(source):
    made, stream = batches_of(source(numbered())), shuffle()
    orders = [torch.cat([numbers_of(x) for x, _ in epoch(made.shuffled(stream))]).tolist() for _ in range(3)]
    assert orders[0] != orders[1] != orders[2] != orders[0]
    assert all(order != list(range(N)) for order in orders)


def test_the_stream_determines_the_order(source):
    made = batches_of(source(numbered()))
    orders = [
        torch.cat([numbers_of(x) for x, _ in epoch(made.shuffled(stream))]).tolist()
        for stream in (shuffle(0), shuffle(0), shuffle(1))
    ]
    assert orders[0] == orders[1] != orders[2]


def test_rows_without_labels_come_without(source):
    assert all(labels is None for _, labels in batches_of(source(numbered())).shuffled(shuffle()))


def test_in_order_the_rows_come_as_they_stand(source):
    drawn = epoch(batches_of(source(numbered()), labels_for()).in_order())
    assert torch.cat([numbers_of(x) for x, _ in drawn]).tolist() == list(range(N))
    assert torch.equal(torch.cat([labels for _, labels in drawn]), torch.from_numpy(labels_for()))
    check_epoch(drawn, range(N), numbered())


SUBSETS = {
    "some": sorted(np.random.default_rng(8).permutation(N)[:400].tolist()),
    "first": list(range(100)),
    "last": list(range(N - 100, N)),
    "one": [777],
    "ends": [0, N - 1],
}


@pytest.mark.parametrize("subset", SUBSETS.values(), ids=SUBSETS)
def test_only_the_numbered_rows_take_part(source, subset):
    x = numbered()
    made = batches_of(source(x), labels_for(), subset)
    check_epoch(epoch(made.shuffled(shuffle())), subset, x)
    drawn = epoch(made.in_order())
    assert torch.cat([numbers_of(rows) for rows, _ in drawn]).tolist() == subset


@pytest.mark.usefixtures("small_buffer")
@pytest.mark.parametrize("subset", SUBSETS.values(), ids=SUBSETS)
def test_only_the_numbered_rows_take_part_where_the_buffer_is_small(source, subset):
    x = numbered()
    check_epoch(epoch(batches_of(source(x), labels_for(), subset).shuffled(shuffle())), subset, x)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_minibatches_have_the_dtype_asked_for(source, dtype):
    for x, _ in batches_of(source(numbered()), dtype=dtype).shuffled(shuffle()):
        assert x.dtype == dtype
        assert x.is_contiguous()


def test_labels_are_int64(source):
    assert all(labels.dtype == torch.int64 for _, labels in batches_of(source(numbered()), labels_for()).in_order())


def test_drawing_leaves_the_rows_alone(source):
    x = numbered()
    rows = source(x)
    for batch, _ in batches_of(rows).shuffled(shuffle()):
        batch.fill_(-1)
    assert np.array_equal(np.asarray(rows[0:N]), numbered())


def test_rows_in_slices_that_fit_are_read_once_and_a_piece_at_a_time():
    rows, stream = Sliced(np.zeros((300_000, 2), np.float32)), shuffle()
    made = batches_of(rows, size=10_000)
    for drawn in (made.shuffled(stream), made.in_order(), made.shuffled(stream)):
        assert sum(len(x) for x, _ in drawn) == len(rows)
    assert sum(map(len, rows.given)) == len(rows)
    assert max(some.nbytes for some in rows.given) <= orders.MIXING_BYTES // 2 // orders.PIECES


@pytest.mark.usefixtures("small_buffer")
def test_rows_in_slices_beyond_the_buffer_are_read_once_an_epoch_and_the_first_of_them_not_again():
    rows, stream = Sliced(numbered()), shuffle()
    made = batches_of(rows, labels_for())
    x, _ = made.first(90, stream)
    assert sum(map(len, rows.given)) == 100, "one half of the buffer"
    drawn = epoch(made.shuffled(stream))
    assert torch.equal(x, torch.cat([some for some, _ in drawn])[:90])
    assert sum(map(len, rows.given)) == N
    check_epoch(epoch(made.shuffled(stream)), range(N), numbered())
    assert sum(map(len, rows.given)) == 2 * N


@pytest.mark.usefixtures("small_buffer")
def test_a_small_buffer_is_never_overfilled():
    rows, size = Sliced(numbered()), 10
    taken = 0
    for batch, _ in batches_of(rows, size=size).shuffled(shuffle()):
        taken += len(batch)
        assert sum(map(len, rows.given)) - taken < 200 + size
    assert taken == N


CAPACITY = orders.PIECES * 25
"""Rows of half a buffer, a whole number of minibatches of 100."""


@pytest.fixture
def sorted_rows(monkeypatch):
    """50 halves of rows of one column that holds their number: as hard to mix as rows sorted by class."""
    monkeypatch.setattr(orders, "MIXING_BYTES", 2 * CAPACITY * 4)
    return Sliced(np.arange(50 * CAPACITY, dtype=np.float32)[:, None])


def test_a_minibatch_from_a_small_buffer_is_drawn_from_the_whole_file(sorted_rows):
    n, size = len(sorted_rows), 100
    # The mean of a minibatch: that of 256 pieces at random places, and of 100 rows out of those.
    spread = n / math.sqrt(12)
    error = spread * math.sqrt(1 / orders.PIECES + 1 / size)
    for x, _ in batches_of(sorted_rows, size=size).shuffled(shuffle()):
        assert abs(x.double().mean().item() - (n - 1) / 2) < 5 * error


def test_neighbours_meet_in_a_minibatch_as_rarely_as_chance_has_it(sorted_rows):
    size, piece = 100, CAPACITY // orders.PIECES
    # Two rows of one half lie in one piece with probability 1/256, so that 100 rows have some 19 such pairs.
    pairs = size * (size - 1) / 2
    counts = []
    for x, _ in batches_of(sorted_rows, size=size).shuffled(shuffle()):
        _, together = np.unique(x[:, 0].numpy() // piece, return_counts=True)
        counts.append((together * (together - 1) / 2).sum())
    p = (piece - 1) / (CAPACITY - 1)
    assert abs(np.mean(counts) - pairs * p) < 5 * np.std(counts) / math.sqrt(len(counts))


def test_the_order_of_a_small_buffer_has_no_trend(sorted_rows):
    order = torch.cat([x.clone() for x, _ in batches_of(sorted_rows, size=100).shuffled(shuffle())])[:, 0].numpy()
    pieces = len(order) / (CAPACITY // orders.PIECES)
    assert abs(np.corrcoef(order, np.arange(len(order)))[0, 1]) < 5 / math.sqrt(pieces)


@pytest.mark.parametrize("size", [1, 7, 100, 300])
def test_the_first_rows_are_those_of_the_next_epoch_and_hold_no_others_in_memory(size):
    x, labels = np.random.default_rng(0).random((300, WIDTH), dtype=np.float32), np.arange(300)
    of_x, stream = Batches(Examples.all_of(x, labels), size, torch.float32, CPU), Seeded(0).stream("order")
    rows, classes = of_x.first(50, stream)
    epoch = list(of_x.shuffled(stream))
    assert torch.equal(classes, torch.cat([some for _, some in epoch])[:50])
    assert np.array_equal(rows.numpy(), x[classes])
    assert rows.untyped_storage().nbytes() == 50 * WIDTH * 4
