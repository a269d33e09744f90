"""The stack: shapes, sources of rows, disk, histories, progress."""

import io
import warnings

import h5py
import numpy as np
import pytest
import torch
from joblib import Parallel, delayed

from stacked import Callback, CodeCache, Denoising, Masking, Plain, StackedAutoencoder, StackedError, TrainingConfig
from stacked.scaled_rows import ScaledRows

TRAINING = TrainingConfig(epochs=2, batch_size=20)
LAYERS = [Denoising(9, corruption=Masking(0.3)), Plain(5), Plain(3)]


def codes_of(rows, query, **options):
    return np.array(StackedAutoencoder(LAYERS, TRAINING, **options).fit(rows).encode(query))


def test_shapes_at_every_depth(rows):
    stack = StackedAutoencoder(LAYERS, TRAINING).fit(rows)
    for depth, width in enumerate((9, 5, 3), start=1):
        assert stack.encode(rows, depth).shape == (130, width)
        assert stack.decode(stack.encode(rows, depth), depth).shape == rows.shape
        assert stack.reconstruct(rows, depth).shape == rows.shape
    assert stack.n_inputs == 12


def test_deeper_codes_are_codes_of_codes(rows):
    stack = StackedAutoencoder(LAYERS, TRAINING, dtype="float64").fit(rows)
    below = torch.from_numpy(stack.encode(rows, 2))
    with torch.no_grad():
        np.testing.assert_allclose(stack.encode(rows), stack.layers[2].encode(below), rtol=1e-12)


def test_reconstruction_improves_with_training(rows):
    untrained = StackedAutoencoder([Plain(9)], TrainingConfig(epochs=0)).fit(rows)
    trained = StackedAutoencoder([Plain(9)], TrainingConfig(epochs=200, batch_size=20)).fit(rows)
    errors = [np.mean((stack.reconstruct(rows) - rows) ** 2) for stack in (untrained, trained)]
    assert errors[1] < 0.5 * errors[0]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_everything_is_in_the_dtype_asked_for(rows, dtype):
    stack = StackedAutoencoder(LAYERS, TRAINING, dtype=dtype).fit(rows)
    assert stack.encode(rows).dtype == stack.reconstruct(rows).dtype == dtype


def test_every_source_of_the_same_rows_gives_the_same_codes(rows, tmp_path):
    np.save(tmp_path / "rows.npy", rows)
    read_only = rows.copy()
    read_only.flags.writeable = False
    with h5py.File(tmp_path / "rows.h5", "w") as file:
        sources = [
            rows.tolist(),
            torch.from_numpy(rows),
            np.asfortranarray(rows),
            read_only,
            np.load(tmp_path / "rows.npy", mmap_mode="r"),
            rows.astype(">f4"),
            np.repeat(rows, 2, axis=0)[::2],
            file.create_dataset("contiguous", data=rows),
            file.create_dataset("chunked", data=rows, chunks=(7, 12), compression="gzip"),
        ]
        expected = codes_of(rows, rows)
        for source in sources:
            assert np.array_equal(codes_of(source, source), expected)


def test_bytes_scaled_as_they_are_read_give_the_same_bits():
    pixels = np.random.default_rng(1).integers(0, 256, (130, 12), dtype=np.uint8)
    compact, scaled = ScaledRows(pixels, 255), pixels.astype(np.float32) / np.float32(255)
    assert np.array_equal(np.asarray(compact), scaled)
    assert np.array_equal(codes_of(compact, compact), codes_of(scaled, scaled))


def test_rows_are_left_as_they_are(rows):
    before = rows.copy()
    StackedAutoencoder(LAYERS, TRAINING).fit(rows).reconstruct(rows)
    assert np.array_equal(rows, before)


def test_histories_have_a_record_an_epoch_of_every_layer(rows):
    stack = StackedAutoencoder(LAYERS, [TrainingConfig(epochs=n, batch_size=20) for n in (1, 3, 2)])
    stack.fit(rows, validation=rows[:40])
    assert [history["epoch"] for history in stack.histories] == [[1], [1, 2, 3], [1, 2]]
    for history in stack.histories:
        for figure in ("loss", "validation_loss", "learning_rate", "seconds", "rows_per_second"):
            assert all(np.isfinite(history[figure]))


def test_each_layer_is_measured_on_its_own_validation_codes(rows):
    stack = StackedAutoencoder(LAYERS, TRAINING, dtype="float64").fit(rows, validation=rows[:40])
    codes = stack.encode(rows[:40], 1)
    layer = stack.layers[1]
    with torch.no_grad():
        rebuilt = layer.decode(layer.encode(torch.from_numpy(codes))).numpy()
    expected = np.sum((rebuilt - codes) ** 2) / 2 / len(codes)
    assert stack.histories[1]["validation_loss"][-1] == pytest.approx(expected, rel=1e-9)


def test_ten_seeds_leave_no_more_than_the_bound(rows, tmp_path):
    cache = CodeCache(tmp_path, max_bytes=20_000)
    for seed in range(10):
        StackedAutoencoder(LAYERS, TRAINING, seed=seed, cache=cache).fit(rows)
        assert cache.size() <= 20_000
    assert len(list(tmp_path.iterdir())) >= 1


def test_an_interrupted_fit_leaves_the_earlier_layers_and_no_files(rows, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    stack = StackedAutoencoder(LAYERS, TRAINING).fit(rows)
    before = stack.encode(rows)

    class Interrupt(Exception):
        pass

    class Interrupting(Callback):
        def on_step(self, training, n_rows):
            if training.name.startswith("layer 2"):
                raise Interrupt

    with pytest.raises(Interrupt):
        stack.fit(rows, callbacks=[Interrupting()])
    assert np.array_equal(stack.encode(rows), before)
    assert list(tmp_path.iterdir()) == []


def test_progress_is_silent_off_a_terminal(rows, capfd):
    StackedAutoencoder(LAYERS, TRAINING).fit(rows)
    assert capfd.readouterr() == ("", "")


def test_progress_shows_layer_epoch_loss_speed_and_disk(rows, monkeypatch):
    shown = io.StringIO()
    monkeypatch.setattr("sys.stderr", shown)
    monkeypatch.setenv("COLUMNS", "150")
    StackedAutoencoder(LAYERS, TRAINING).fit(rows, progress=True)
    for part in ("codes on disk", "removed afterwards", "layer 1: denoising 12-9", "layer 3: plain 5-3", "epoch 2/2"):
        assert part in shown.getvalue()
    assert "rows/s" in shown.getvalue()
    assert "loss" in shown.getvalue()


def test_no_warning_on_good_input(rows, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        StackedAutoencoder(LAYERS, TRAINING, cache=tmp_path).fit(rows).encode(rows)


def test_fresh_codes_of_a_cache_can_be_sent_to_other_processes(rows, tmp_path):
    stack = StackedAutoencoder(LAYERS, TRAINING, cache=tmp_path).fit(rows)
    codes = stack.encode(rows)
    assert Parallel(n_jobs=2, max_nbytes=10)(delayed(np.sum)(codes) for _ in range(2)) == [np.sum(codes)] * 2


def test_rows_that_float32_does_not_hold_are_refused(rows):
    stack = StackedAutoencoder(LAYERS, TRAINING).fit(rows)
    with pytest.raises(StackedError, match=r"numbers that float32 holds, received 1e\+39 in row 0, column 0"):
        stack.encode(np.full((2, 12), 1e39))


def test_a_run_that_the_disk_cannot_hold_is_refused_before_any_work():
    rows = np.broadcast_to(np.float32(0.5), (5 * 10**6, 1))
    stack = StackedAutoencoder([Plain(10**6), Plain(3)], TRAINING)
    with pytest.raises(StackedError, match=r"expected 20,000,000 MB left on the disk for codes, received"):
        stack.fit(rows)
