"""Readers: the same minibatches wherever rows beyond the mixing buffer lie, and a thread that never stays behind."""

import contextlib
import threading
import time

import h5py
import numpy as np
import pytest
import torch

from stacked import Callback, Plain, StackedAutoencoder, TrainingConfig, orders
from stacked.ahead import NAME, one_ahead
from stacked.batches import Batches
from stacked.errors import StackedError
from stacked.examples import ALL, Examples, Share
from stacked.randomness import Seeded
from stacked.readers import Buffered, InPlace, in_memory_if_whole, reader_of
from stacked.rows import as_rows
from stacked.scaled_rows import ScaledRows

CPU = torch.device("cpu")
N, WIDTH, SIZE = 5003, 6, 70


@pytest.fixture(autouse=True)
def small_buffer(monkeypatch):
    """Two halves of 600 rows of float32, in pieces of 30."""
    monkeypatch.setattr(orders, "MIXING_BYTES", 2 * 600 * WIDTH * 4)
    monkeypatch.setattr(orders, "PIECES", 20)


@pytest.fixture(autouse=True)
def no_thread_stays():
    yield
    assert reading_threads() == []


def reading_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith(NAME)]


def numbers(dtype="f4"):
    return np.random.default_rng(0).integers(0, 256, (N, WIDTH)).astype(dtype)


LABELS = np.arange(N, dtype=np.int64) * 7 % 10


def in_memory(x, folder):
    return x


def in_npy_map(x, folder):
    np.save(folder / "x.npy", x)
    return np.load(folder / "x.npy", mmap_mode="r")


def in_view_of_a_map(x, folder):
    mapped = in_npy_map(np.hstack([x, x])[::-1], folder)
    return np.asarray(mapped)[::-1, :WIDTH]


def in_hdf5(x, folder, **options):
    with h5py.File(folder / "x.h5", "w") as file:
        file.create_dataset("x", data=x, **options)
    return as_rows(h5py.File(folder / "x.h5")["x"])


def in_slices(x, folder):
    """Contiguous, but not in a file of the system, so that no map is possible."""
    file = h5py.File(folder / "x.h5", "w", driver="core", backing_store=False)
    return as_rows(file.create_dataset("x", data=x))


PLACES = {"memory": in_memory, "map": in_npy_map, "view": in_view_of_a_map, "HDF5": in_hdf5, "slices": in_slices}
DISK = {name: place for name, place in PLACES.items() if name != "memory"}


def batches_of(rows, share=ALL, size=SIZE, which=None):
    which = torch.arange(len(rows)) if which is None else which
    return Batches(Examples(rows, LABELS, which), size, torch.float32, CPU, share)


def epoch(minibatches):
    return [(x.clone(), labels.clone()) for x, labels in minibatches]


def shuffle():
    return Seeded(0).stream("shuffle")


def assert_equal(ours, theirs):
    for (x1, labels1), (x2, labels2) in zip(ours, theirs, strict=True):
        assert torch.equal(x1, x2)
        assert torch.equal(labels1, labels2)


# The same minibatches


@pytest.mark.parametrize("which", [None, torch.arange(0, N, 2), torch.arange(900, N)], ids=["all", "half", "rest"])
@pytest.mark.parametrize("dtype", ["f4", "f8", "u1", "f2", ">f4", "i8"])
@pytest.mark.parametrize("place", DISK.values(), ids=DISK)
def test_beyond_the_buffer_the_minibatches_are_those_from_memory_to_the_last_bit(place, dtype, which, tmp_path):
    x = numbers(dtype)
    streams = shuffle(), shuffle()
    makers = batches_of(x, which=which), batches_of(place(x, tmp_path), which=which)
    for _ in range(2):
        assert_equal(*(epoch(made.shuffled(stream)) for made, stream in zip(makers, streams, strict=True)))
    assert_equal(*(epoch(made.in_order()) for made in makers))


@pytest.mark.parametrize("size", [1, 600, 700, 3000, N])
def test_minibatches_may_be_larger_than_half_the_buffer(size, tmp_path):
    makers = batches_of(numbers(), size=size), batches_of(in_npy_map(numbers(), tmp_path), size=size)
    assert_equal(*(epoch(made.shuffled(shuffle())) for made in makers))


def test_scaled_bytes_in_a_map_are_scaled_as_they_are_in_memory(tmp_path):
    x = numbers("u1")
    makers = batches_of(ScaledRows(x, 255)), batches_of(ScaledRows(in_npy_map(x, tmp_path), 255))
    assert_equal(*(epoch(made.shuffled(shuffle())) for made in makers))


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_weights_do_not_depend_on_where_the_rows_lie(place, tmp_path):
    x = numbers() / 255
    config = TrainingConfig(epochs=2, batch_size=SIZE, validation_fraction=0.2)
    layers = [Plain(4), Plain(3)]
    codes = [StackedAutoencoder(layers, config).fit(rows).encode(x) for rows in (x, place(x, tmp_path))]
    assert np.array_equal(*codes)


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
@pytest.mark.parametrize("skip", [SIZE, 9 * SIZE, 50 * SIZE])
def test_an_epoch_goes_on_in_its_middle(place, skip, tmp_path):
    made, stream, again = batches_of(place(numbers(), tmp_path)), shuffle(), shuffle()
    whole = epoch(made.shuffled(stream))
    assert_equal(epoch(made.shuffled(again, skip)), whole[skip // SIZE :])
    assert torch.equal(stream.state(), again.state())


# Which reader


@pytest.mark.parametrize(
    ("place", "n", "kind"),
    [(in_memory, N, InPlace), (in_npy_map, N, Buffered), (in_view_of_a_map, N, Buffered), (in_hdf5, N, Buffered)]
    + [(place, 1000, InPlace) for place in PLACES.values()],
)
def test_only_what_is_on_disk_and_mixed_is_read_ahead(place, n, kind, tmp_path):
    examples = in_memory_if_whole(Examples(place(numbers(), tmp_path), None, torch.arange(n)))
    order = orders.Order(examples.rows, examples.numbers)
    assert type(reader_of(examples.rows, order, CPU)) is kind


def test_rows_that_are_buffered_keep_the_dtype_they_are_stored_in(tmp_path):
    rows = in_npy_map(numbers("u1"), tmp_path)
    made = batches_of(rows)
    with contextlib.closing(made.shuffled(shuffle())) as minibatches:
        next(minibatches)
        assert made._reader.room(3).dtype == torch.uint8
    assert sum(half.nbytes for half in made._reader._halves) <= orders.MIXING_BYTES


# Shares


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
@pytest.mark.parametrize(("ranks", "size"), [(2, SIZE), (8, SIZE), (5, 2000), (3, 2501)])
def test_the_shares_of_a_minibatch_make_it_up(place, ranks, size, tmp_path):
    rows, streams = place(numbers(), tmp_path), [shuffle() for _ in range(ranks + 1)]
    for skip in (0, 3 * size):
        whole, *shares = (
            epoch(batches_of(rows, share, size).shuffled(stream, skip))
            for stream, share in zip(streams, [ALL, *(Share(rank, ranks) for rank in range(ranks))], strict=True)
        )
        for minibatch, *parts in zip(whole, *shares, strict=True):
            joined = tuple(torch.cat(column) for column in zip(*parts, strict=True))
            assert_equal([minibatch], [joined])
            lengths = [len(x) for x, _ in parts]
            assert lengths == list(map(len, np.array_split(minibatch[0], ranks)))
        assert all(torch.equal(stream.state(), streams[0].state()) for stream in streams)


def test_the_shares_of_rows_in_order_make_them_up(tmp_path):
    rows = in_npy_map(numbers(), tmp_path)
    whole, first, second = (epoch(batches_of(rows, share).in_order()) for share in (ALL, Share(0, 2), Share(1, 2)))
    for minibatch, *parts in zip(whole, first, second, strict=True):
        assert_equal([minibatch], [tuple(torch.cat(column) for column in zip(*parts, strict=True))])


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_the_first_rows_are_the_same_for_every_share(place, tmp_path):
    rows, stream = place(numbers(), tmp_path), shuffle()
    drawn = [batches_of(rows, share).first(900, stream) for share in (ALL, Share(0, 2), Share(1, 2))]
    assert_equal(drawn, [drawn[0]] * 3)
    assert len(drawn[0][0]) == 900


# The thread


def slowly(job, stopping):
    time.sleep(0.01)
    return job, threading.current_thread().name, stopping.is_set()


def test_results_come_in_order_from_one_thread_one_job_ahead():
    drawn = []
    with contextlib.closing(one_ahead(slowly, (drawn.append(k) or k for k in range(5)))) as results:
        for k, (job, name, stopping) in enumerate(results):
            assert (job, stopping) == (k, False)
            assert drawn == list(range(min(k + 2, 5)))
            assert name.startswith(NAME)


@pytest.mark.parametrize("jobs", [[], [1]])
def test_few_jobs_are_done(jobs):
    assert [job for job, *_ in one_ahead(slowly, jobs)] == jobs


def test_the_thread_ends_as_soon_as_its_results_are_not_wanted():
    began = threading.Event()

    def until_stopped(job, stopping):
        if job == 1:
            began.set()
            assert stopping.wait(60)
        return job

    with contextlib.closing(one_ahead(until_stopped, range(9))) as results:
        assert next(results) == 0
        assert began.wait(60)
    assert reading_threads() == []


def test_what_reading_raises_is_raised_where_its_result_is_asked_for():
    def broken(job, stopping):
        if job == 2:
            raise StackedError("job 2")
        return job

    results = one_ahead(broken, range(9))
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(StackedError, match="job 2"):
        next(results)
    assert reading_threads() == []


def test_a_file_that_is_closed_in_an_epoch_is_an_error_of_the_training(tmp_path):
    rows = in_slices(numbers(), tmp_path)

    class Close(Callback):
        def on_step(self, training, n_rows):
            if training.books.steps == 1:
                rows._dataset.file.close()

    with pytest.raises(StackedError, match=r"x\.h5, dataset '/x': expected an open file, received a closed one"):
        StackedAutoencoder([Plain(3, output="linear")]).fit(rows, callbacks=[Close()])


def test_a_damaged_chunk_is_an_error_of_the_training(tmp_path):
    rows = in_hdf5(numbers(), tmp_path, chunks=(500, WIDTH), compression="gzip")
    path = tmp_path / "x.h5"
    with h5py.File(path) as file:
        chunk = file["x"].id.get_chunk_info(9)
    content = bytearray(path.read_bytes())
    content[chunk.byte_offset : chunk.byte_offset + chunk.size] = b"\xff" * chunk.size
    path.write_bytes(content)
    with pytest.raises(StackedError, match=r"x\.h5, dataset '/x', rows 4500 to 4999: it cannot be read as HDF5"):
        list(batches_of(rows).shuffled(shuffle()))


@pytest.mark.parametrize("kind", [KeyboardInterrupt, RuntimeError])
def test_no_thread_outlives_a_training_that_is_broken_off(kind, tmp_path):
    class BreakOff(Callback):
        def on_step(self, training, n_rows):
            assert len(reading_threads()) == 1
            raise kind

    rows = in_npy_map(numbers(), tmp_path)
    with pytest.raises(kind) as caught:
        StackedAutoencoder([Plain(3, output="linear")]).fit(rows, callbacks=[BreakOff()])
    assert reading_threads() == [], "while the traceback holds every frame"
    del caught
