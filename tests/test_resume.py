"""A run that is interrupted and started again ends with the same bits as one that never stopped."""

import json
import os
import shutil
import warnings
from dataclasses import replace

import h5py
import numpy as np
import pytest
import torch
from conftest import KINDS

from stacked import (
    LBFGS,
    SGD,
    Adam,
    Callback,
    CosineDecay,
    Denoising,
    DivergedError,
    FeedforwardClassifier,
    Plain,
    RunDirectory,
    Sparse,
    StackedAutoencoder,
    StackedError,
    StackedWarning,
    TopK,
    TrainingConfig,
)
from stacked.randomness import Randomness, Seeded
from stacked.readers import Portion

TIMES = ("seconds", "rows_per_second")
MOMENTUM = TrainingConfig(epochs=3, batch_size=20, optimizer=SGD(0.05, momentum=0.9))
OPTIMIZERS = {"momentum": SGD(0.05, momentum=0.9), "adam": Adam(0.01), "lbfgs": LBFGS(iterations=3, history=2)}


class Interrupt(Callback):
    """Ends everything after so many steps, as Ctrl-C would."""

    def __init__(self, steps):
        self.left = steps

    def on_step(self, training, n_rows):
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt


def figures(history):
    return [{name: value for name, value in record.items() if name not in TIMES} for record in history]


def outcome(model):
    """All that a trained stack or classifier holds, as bytes and figures."""
    tensors = [tensor.numpy().tobytes() for layer in model.layers for tensor in layer.state_dict().values()]
    histories = (*model.histories, model.fine_tuning) if isinstance(model, StackedAutoencoder) else (model.history,)
    return tensors, [figures(history) for history in histories]


def interrupted(fit, steps, run):
    """Fit with an interruption after every so many steps, until it is through."""
    for _ in range(1000):
        try:
            return fit(run=run, callbacks=[Interrupt(steps)])
        except KeyboardInterrupt:
            continue
    raise AssertionError("it never ended")


def assert_same(fit, steps, folder, seconds=0):
    expected = outcome(fit())
    assert outcome(interrupted(fit, steps, RunDirectory(folder, seconds))) == expected


@pytest.mark.parametrize("optimizer", ["momentum", "adam"])
def test_every_kind_goes_on_in_the_middle_of_an_epoch(settings, rows, optimizer, tmp_path):
    config = TrainingConfig(epochs=3, batch_size=20, optimizer=OPTIMIZERS[optimizer])

    def fit(**options):
        return StackedAutoencoder([settings], config, seed=3).fit(rows, **options)

    assert_same(fit, 5, tmp_path)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("steps", [1, 4, 11])
def test_a_stack_goes_on_in_any_layer(rows, optimizer, steps, tmp_path):
    config = TrainingConfig(
        epochs=3, batch_size=40, optimizer=OPTIMIZERS[optimizer], schedule=CosineDecay(), validation_fraction=0.2
    )

    def fit(**options):
        layers = [Denoising(9), KINDS["variational"], Plain(4, tied=True, output="linear")]
        return StackedAutoencoder(layers, config, seed=1).fit(rows, **options)

    assert_same(fit, steps, tmp_path)


def test_early_stopping_goes_on_waiting_and_keeps_its_best_weights(rows, tmp_path):
    config = TrainingConfig(epochs=20, batch_size=40, optimizer=Adam(0.3), patience=2)

    def fit(**options):
        return StackedAutoencoder([Plain(7), Plain(5)], config).fit(rows, validation=rows[:30], **options)

    assert any(len(history) < 20 for history in fit().histories), "nothing stopped early"
    assert_same(fit, 9, tmp_path)


@pytest.mark.parametrize("place", ["memory", "map", "chunks"])
def test_rows_beyond_the_mixing_buffer_go_on_in_the_middle_of_it(place, rows, tmp_path, monkeypatch):
    monkeypatch.setattr("stacked.orders.MIXING_BYTES", 40 * 12 * 4)
    with h5py.File(tmp_path / "rows.h5", "w") as file:
        plain = file.create_dataset("plain", data=rows)
        chunks = file.create_dataset("chunks", data=rows, chunks=(7, 12), compression="gzip")
        x = {"memory": rows, "map": plain, "chunks": chunks}[place]

        def fit(**options):
            return StackedAutoencoder([Denoising(7)], MOMENTUM).fit(x, **options)

        assert_same(fit, 5, tmp_path / "run")


def test_a_resumed_epoch_does_not_gather_the_rows_it_has_had(rows, tmp_path, monkeypatch):
    def fit(**options):
        return StackedAutoencoder([Plain(7)], MOMENTUM).fit(rows, **options)

    read = []
    gather = Portion.gather
    watched = lambda self, start, n_rows, out: read.append(len(out)) or gather(self, start, n_rows, out)  # noqa: E731
    monkeypatch.setattr(Portion, "gather", watched)
    with pytest.raises(KeyboardInterrupt):
        fit(run=RunDirectory(tmp_path, 0), callbacks=[Interrupt(5)])
    read.clear()
    fit(run=RunDirectory(tmp_path, 0))
    assert sum(read) == 130 + (130 - 5 * 20) + 2 * 130  # the sample, the rest of this epoch, two more


@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_classifier_goes_on(rows, optimizer, frozen, tmp_path):
    labels = (rows[:, 0] > 0.5).astype(int)
    dropout = 0.0 if optimizer == "lbfgs" else 0.3
    config = TrainingConfig(epochs=4, batch_size=30, optimizer=OPTIMIZERS[optimizer], validation_fraction=0.3)
    stack = StackedAutoencoder([Plain(8), Plain(6)], MOMENTUM).fit(rows)

    def fit(**options):
        classifier = FeedforwardClassifier.from_stack(stack, 2, freeze=frozen, seed=5, dropout=dropout)
        return classifier.fit(rows, labels, config, **options)

    assert_same(fit, 3, tmp_path)


def test_a_deep_autoencoder_goes_on(rows, tmp_path):
    def fit(**options):
        stack = StackedAutoencoder([Plain(8), KINDS["variational"]], MOMENTUM).fit(rows)
        return stack.fine_tune(rows, MOMENTUM, validation=rows[:20], **options)

    assert_same(fit, 4, tmp_path)


def test_without_a_checkpoint_in_time_a_layer_begins_anew_and_finished_layers_do_not(rows, tmp_path):
    begun = []

    class Watch(Interrupt):
        def on_start(self, training):
            begun.append((training.name[:7], training.rows_done))

    def fit(**options):
        return StackedAutoencoder([Plain(8), Plain(6)], MOMENTUM).fit(rows, **options)

    run = RunDirectory(tmp_path, seconds=3600)
    with pytest.raises(KeyboardInterrupt):
        fit(run=run, callbacks=[Watch(21 + 9)])
    assert outcome(fit(run=run, callbacks=[Watch(100)])) == outcome(fit())
    assert begun == [("layer 1", 0), ("layer 2", 0), ("layer 2", 0)]


def test_a_finished_run_is_read_not_run(rows, tmp_path):
    first = StackedAutoencoder([Plain(8), Plain(6)], MOMENTUM).fit(rows, run=tmp_path)
    second = StackedAutoencoder([Plain(8), Plain(6)], MOMENTUM).fit(rows, run=tmp_path, callbacks=[Interrupt(0)])
    assert outcome(first) == outcome(second)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "layer-1.safetensors",
        "layer-2.safetensors",
        "run.json",
    ]


def test_reading_a_finished_run_encodes_nothing(rows, tmp_path, monkeypatch):
    StackedAutoencoder([Plain(8), Plain(6)], MOMENTUM).fit(rows, run=tmp_path)
    encoded = []
    monkeypatch.setattr("stacked.codes.encode_rows", lambda *arguments: encoded.append(arguments))
    StackedAutoencoder([Plain(8), Plain(6)], MOMENTUM).fit(rows, run=tmp_path)
    assert encoded == []


def test_codes_of_finished_layers_wait_in_the_run_for_the_next_attempt(rows, tmp_path):
    def fit(**options):
        return StackedAutoencoder([Plain(8), Plain(6)], MOMENTUM).fit(rows, run=tmp_path, **options)

    with pytest.raises(KeyboardInterrupt):
        fit(callbacks=[Interrupt(22)])
    entry = next((tmp_path / "codes").glob("*.h5"))
    before = entry.stat()
    with pytest.raises(KeyboardInterrupt):
        fit(callbacks=[Interrupt(3)])
    assert entry.stat().st_ino == before.st_ino
    fit()
    assert not (tmp_path / "codes").exists()


BOTH = (Plain(8), Plain(6))
OTHERS = {
    "layers": ({"layers": [Plain(8), Plain(5)]}, "settings 2 n_units = 5, received one with settings 2 n_units = 6"),
    "a layer more": ({"layers": [*BOTH, Plain(5)]}, "settings 3 is = Plain, .*received one with no settings 3"),
    "training": ({"training": replace(MOMENTUM, epochs=4)}, "training 1 epochs = 4, .*with training 1 epochs = 3,"),
    "seed": ({"seed": 1}, "a run with seed = 1, received one with seed = 0; name another folder, or delete this one"),
    "dtype": ({"dtype": "float64"}, "dtype = torch.float64, received one with dtype = torch.float32"),
    "rows": ({"x": np.zeros((130, 12), np.float32)}, "with values of x = [0-9a-f]{8}[.]{3}, received one"),
    "validation": ({"validation": np.zeros((5, 12), np.float32)}, "values of validation = .*with no values of val"),
}  # fmt: skip


@pytest.mark.parametrize("what", OTHERS)
def test_another_run_is_refused_with_what_differs_and_left_alone(rows, what, tmp_path):
    def fit(x=rows, layers=BOTH, training=MOMENTUM, validation=None, **options):
        return StackedAutoencoder(layers, training, **options).fit(x, validation=validation, run=tmp_path)

    fit()
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    other, message = OTHERS[what]
    with pytest.raises(StackedError, match=f"{tmp_path}: expected .*{message}"):
        fit(**other)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_another_run_is_discarded_where_that_is_asked_for(rows, tmp_path):
    run = RunDirectory(tmp_path / "run", 0, replace=True)
    StackedAutoencoder(BOTH, MOMENTUM).fit(rows, run=run)
    stack = StackedAutoencoder([Plain(8)], MOMENTUM, seed=1)
    with pytest.warns(StackedWarning, match="run: another run that was there is discarded"):
        stack.fit(rows, run=run)
    assert outcome(stack) == outcome(StackedAutoencoder([Plain(8)], MOMENTUM, seed=1).fit(rows))
    assert [path.name for path in run.states] == ["layer-1.safetensors"]


def test_the_same_run_goes_on_where_others_would_be_discarded(rows, tmp_path):
    def fit(**options):
        return StackedAutoencoder([Plain(7)], MOMENTUM).fit(rows, **options)

    run = RunDirectory(tmp_path, 0, replace=True)
    with pytest.raises(KeyboardInterrupt):
        fit(run=run, callbacks=[Interrupt(5)])
    steps = Interrupt(3 * 7 - 5 - 1)  # one too few for all steps that are left
    with pytest.raises(KeyboardInterrupt):
        fit(run=run, callbacks=[steps])
    assert outcome(fit(run=run)) == outcome(fit())


@pytest.mark.parametrize("there", [True, False])
def test_a_run_that_ends_before_its_first_checkpoint_leaves_nothing(rows, there, tmp_path):
    run = tmp_path / "run"
    if there:
        run.mkdir()
    for seed in (0, 1):
        with pytest.raises(KeyboardInterrupt):
            StackedAutoencoder(BOTH, MOMENTUM, seed=seed).fit(rows, run=run, callbacks=[Interrupt(3)])
        assert not run.exists()


def test_a_run_that_was_killed_before_its_first_checkpoint_stands_in_nobodys_way(rows, tmp_path):
    StackedAutoencoder(BOTH, MOMENTUM).fit(rows, run=tmp_path)
    for state in tmp_path.glob("*.safetensors"):
        state.unlink()
    StackedAutoencoder(BOTH, MOMENTUM, seed=1).fit(rows, run=tmp_path)
    assert json.loads((tmp_path / "run.json").read_text())["run"]["seed"] == 1


def test_codes_of_somebody_else_are_left_alone_when_a_run_is_refused(rows, tmp_path):
    (tmp_path / "codes").mkdir()
    (tmp_path / "codes" / "mine.h5").write_text("mine")
    with pytest.raises(StackedError, match="a folder that holds 'codes'"):
        StackedAutoencoder([Plain(8)]).fit(rows, run=tmp_path)
    assert (tmp_path / "codes" / "mine.h5").read_text() == "mine"


def test_a_run_of_another_kind_is_refused(rows, tmp_path):
    stack = StackedAutoencoder([Plain(8)], MOMENTUM).fit(rows, run=tmp_path)
    with pytest.raises(StackedError, match=r"a run with kind = deep autoencoder, .*received one with kind = layers"):
        stack.fine_tune(rows, MOMENTUM, run=tmp_path)
    with pytest.raises(StackedError, match=r"a run with kind = classifier, .*received one with kind = layers"):
        FeedforwardClassifier.from_stack(stack, 2).fit(rows, np.arange(130) % 2, MOMENTUM, run=tmp_path)


def test_a_trained_classifier_does_not_pass_for_the_one_that_began_the_run(rows, tmp_path):
    labels = np.arange(130) % 2
    classifier = FeedforwardClassifier((12, 4, 2)).fit(rows, labels, MOMENTUM, run=tmp_path)
    with pytest.raises(StackedError, match=r"a run with weights = .*received one with weights = "):
        classifier.fit(rows, labels, MOMENTUM, run=tmp_path)
    with pytest.raises(StackedError, match=r"a run with labels = .*received one with labels = "):
        FeedforwardClassifier((12, 4, 2)).fit(rows, 1 - labels, MOMENTUM, run=tmp_path)


def test_a_folder_with_something_else_in_it_is_refused_and_left_alone(rows, tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(StackedError, match=r"expected a run, or nothing at all, received a folder that holds "):
        StackedAutoencoder([Plain(8)]).fit(rows, run=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_folder_that_cannot_be_made_is_one_sentence(rows, tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(StackedError, match=r"file/run: the run cannot be written there \(.*\); name another folder"):
        StackedAutoencoder([Plain(8)]).fit(rows, run=tmp_path / "file" / "run")


def test_a_run_belongs_to_one_process_at_a_time(rows, tmp_path):
    class Again(Callback):
        def on_epoch(self, training, record):
            with pytest.raises(StackedError, match="somebody works on this run, maybe another process; wait"):
                StackedAutoencoder([Plain(8)], MOMENTUM).fit(rows, run=tmp_path)

    StackedAutoencoder([Plain(8)], MOMENTUM).fit(rows, run=tmp_path, callbacks=[Again()])


def test_streams_that_come_from_no_seed_are_refused(rows, tmp_path):
    class Foreign(Randomness):
        def stream(self, *purpose, device="cpu"):
            return Seeded(0).stream(*purpose, device=device)

    with pytest.raises(StackedError, match="seed: expected a whole number, for a run that is kept, received Foreign"):
        StackedAutoencoder([Plain(8)], MOMENTUM, seed=Foreign()).fit(rows, run=tmp_path)


def checkpoints(folder):
    return sorted(folder.glob("*.checkpoint-*.safetensors"), key=lambda path: path.stat().st_mtime_ns)


def flip(path, place=-20):
    content = bytearray(path.read_bytes())
    content[place] ^= 4
    path.write_bytes(content)


@pytest.mark.parametrize("damaged", [1, 2])
def test_a_damaged_checkpoint_costs_time_and_no_bits(rows, damaged, tmp_path):
    def fit(**options):
        return StackedAutoencoder([Plain(8), Plain(6)], MOMENTUM).fit(rows, **options)

    with pytest.raises(KeyboardInterrupt):
        fit(run=RunDirectory(tmp_path, 0), callbacks=[Interrupt(30)])
    for path in checkpoints(tmp_path)[-damaged:]:
        flip(path)
    with pytest.warns(
        StackedWarning, match="cannot be used, for its content does not match its checksum: the"
    ) as said:
        resumed = fit(run=tmp_path)
    assert len(said) == damaged
    assert outcome(resumed) == outcome(fit())


def test_a_damaged_layer_is_trained_again_and_those_above_it_stay(rows, tmp_path):
    def fit(**options):
        return StackedAutoencoder([Plain(8), Plain(6)], MOMENTUM).fit(rows, **options)

    expected = outcome(fit(run=tmp_path))
    flip(tmp_path / "layer-1.safetensors")
    with pytest.warns(StackedWarning, match="layer-1.safetensors cannot be used, for .*: it is trained again"):
        assert outcome(fit(run=tmp_path, callbacks=[Interrupt(21)])) == expected


def test_a_damaged_description_is_written_anew(rows, tmp_path):
    def fit(**options):
        return StackedAutoencoder([Plain(8)], MOMENTUM, **options).fit(rows, run=tmp_path)

    fit()
    whole = (tmp_path / "run.json").read_bytes()
    (tmp_path / "run.json").write_bytes(whole[:50])
    with pytest.warns(StackedWarning, match=r"run\.json is damaged .* written anew"):
        fit()
    assert (tmp_path / "run.json").read_bytes() == whole
    (tmp_path / "run.json").write_bytes(whole[:50])
    with (
        pytest.warns(StackedWarning, match="written anew"),
        pytest.raises(StackedError, match="expected a state of this training of this run, received that of another"),
    ):
        fit(seed=1)
    with pytest.warns(StackedWarning, match="written anew"):
        fit()
    assert (tmp_path / "run.json").read_bytes() == whole, "a wrong call in between must not claim the folder"


def test_a_file_in_the_place_of_the_folder_is_refused(rows, tmp_path):
    (tmp_path / "run").write_text("mine")
    with pytest.raises(StackedError, match="run: expected a folder for the run, received a file; name another"):
        StackedAutoencoder([Plain(8)]).fit(rows, run=tmp_path / "run")


def test_a_finished_training_is_warned_of_as_often_as_it_is_read(rows, tmp_path):
    class Kill(Callback):
        def on_end(self, training):
            training.model.encoder.bias.data.fill_(-1e6)

    for _ in range(2):
        with pytest.warns(StackedWarning, match="layer 1: plain 12-8: after training, 8 of the 8 units"):
            StackedAutoencoder([Plain(8)], MOMENTUM).fit(rows, run=tmp_path, callbacks=[Kill()])


def test_codes_that_are_in_the_cache_need_no_room(rows, tmp_path, monkeypatch):
    def fit():
        return StackedAutoencoder([Plain(8), Plain(6)], MOMENTUM, cache=tmp_path / "codes").fit(rows)

    fit()
    monkeypatch.setattr("shutil.disk_usage", lambda folder: type("Usage", (), {"free": 1000})())
    fit()
    with pytest.raises(StackedError, match="left on the disk for codes"):
        StackedAutoencoder([Plain(8), Plain(6)], MOMENTUM).fit(rows)


def test_the_state_of_another_layer_is_refused(rows, tmp_path):
    def fit():
        StackedAutoencoder([Plain(12)] * 3, MOMENTUM).fit(rows, run=tmp_path)

    fit()
    shutil.copy(tmp_path / "layer-2.safetensors", tmp_path / "layer-3.safetensors")
    with pytest.raises(StackedError, match=r"layer-3\.safetensors: expected a state of this training of this run"):
        fit()


@pytest.mark.parametrize("name", ["layer-1.safetensors", "layer-1.checkpoint-0.safetensors"])
def test_a_folder_in_the_place_of_a_state_is_refused_before_anything_is_trained(rows, tmp_path, name):
    with pytest.raises(KeyboardInterrupt):
        StackedAutoencoder([Plain(8)], MOMENTUM).fit(rows, run=RunDirectory(tmp_path, 0), callbacks=[Interrupt(3)])
    (tmp_path / name).unlink(missing_ok=True)
    (tmp_path / name).mkdir()
    with pytest.raises(StackedError, match="expected a file of the run, received something else; move it away"):
        StackedAutoencoder([Plain(8)], MOMENTUM).fit(rows, run=tmp_path, callbacks=[Interrupt(0)])


def test_a_newer_format_is_refused(rows, tmp_path):
    def fit():
        return StackedAutoencoder([Plain(8)], MOMENTUM).fit(rows, run=tmp_path)

    fit()
    held = json.loads((tmp_path / "run.json").read_text())
    (tmp_path / "run.json").write_text(json.dumps({**held, "format": 2}))
    with pytest.raises(StackedError, match="a run of format 1, received one of format 2; go on with the version"):
        fit()


def test_other_versions_and_threads_are_told(rows, tmp_path):
    def fit():
        return StackedAutoencoder([Plain(8)], MOMENTUM).fit(rows, run=tmp_path)

    fit()
    held = json.loads((tmp_path / "run.json").read_text())
    held["environment"] = {**held["environment"], "torch": "1.0", "threads": 64}
    (tmp_path / "run.json").write_text(json.dumps(held))
    with pytest.warns(StackedWarning, match=r"begun with torch = 1\.0, threads = 64 and goes on with"):
        fit()


def test_a_callback_that_knew_something_must_be_there_again(rows, tmp_path):
    class Count(Interrupt):
        n = 0

        def on_step(self, training, n_rows):
            self.n += 1
            super().on_step(training, n_rows)

        def state(self):
            return {"n": self.n, "nested": [{"tensor": torch.arange(self.n)}, None, 1.5, "text", True]}

        def restore(self, state):
            self.n = state["n"]
            assert torch.equal(state["nested"][0].pop("tensor"), torch.arange(self.n))
            assert state["nested"] == [{}, None, 1.5, "text", True]

    def fit(callback, **options):
        return StackedAutoencoder([Plain(8)], MOMENTUM).fit(rows, run=RunDirectory(tmp_path, 0), callbacks=callback)

    with pytest.raises(KeyboardInterrupt):
        fit([Count(9)])
    with pytest.raises(
        StackedError, match="callbacks: expected a Count, as when the training began, received History"
    ):
        fit([])
    counted = Count(100)
    fit([Callback(), counted])
    assert counted.n == 21


def test_a_state_that_cannot_be_kept_is_one_sentence(rows, tmp_path):
    class Odd(Callback):
        def state(self):
            return {"when": object()}

    with pytest.raises(StackedError, match=r"state/callbacks/2/1/when: expected tensors, .* received object"):
        StackedAutoencoder([Plain(8)], MOMENTUM).fit(rows, run=RunDirectory(tmp_path, 0), callbacks=[Odd()])


def test_a_training_that_diverges_keeps_its_last_good_state(rows, tmp_path):
    """The rate rises until the loss is no number; what is kept has finite weights, and says so again."""

    class Faster(Callback):
        def on_step(self, training, n_rows):
            training.model.encoder.weight.data.mul_(1e8 if training.books.steps == 5 else 1)

    def fit(**options):
        stack = StackedAutoencoder([Plain(8, activation="linear", output="linear")], MOMENTUM)
        return stack.fit(rows, callbacks=[Faster()], **options)

    with pytest.raises(DivergedError, match=r"the last state before that is kept in .*checkpoint-\d\.safetensors"):
        fit(run=RunDirectory(tmp_path, 0))
    from safetensors.torch import load_file  # noqa: PLC0415 - any reader opens it

    kept = load_file(checkpoints(tmp_path)[-1])
    assert all(bool(tensor.isfinite().all()) for name, tensor in kept.items() if name.startswith("/model"))
    assert len([name for name in kept if name.startswith("/model")]) == 4
    with pytest.raises(DivergedError, match="the last state before that is kept"):
        fit(run=RunDirectory(tmp_path, 0))


def test_resuming_from_a_copy_of_every_moment_gives_the_same(rows, tmp_path):
    """The state after each step, each in a copy of the folder, leads to the one end."""
    copies = tmp_path / "copies"

    class Copy(Callback):
        n = 0

        def on_step(self, training, n_rows):
            shutil.copytree(tmp_path / "run", copies / str(self.n))
            self.n += 1

    def fit(folder, **options):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            stack = StackedAutoencoder([Denoising(8), Plain(4)], replace(MOMENTUM, epochs=2, batch_size=40))
            return outcome(stack.fit(rows, run=RunDirectory(folder, 0), **options))

    copies.mkdir()
    expected = fit(tmp_path / "run", callbacks=[Copy()])
    assert len(list(copies.iterdir())) == 2 * 2 * 4
    assert all(fit(copy) == expected for copy in copies.iterdir())


class Stop(Callback):
    """Asks to stop in the middle of an epoch."""

    def on_step(self, training, n_rows):
        training.stopping = training.stopping or (len(training.history) == 1 and training.books.steps == 2)


class Scale(Callback):
    """Changes all that it can reach before the first step."""

    @torch.no_grad()
    def on_start(self, training):
        training.model.encoder.weight.mul_(0.5)
        training.streams.noise.normal(torch.zeros(3))
        training.stopping = len(training.history) > 0


class Budget(Callback):
    """Allows so many epochs in all layers together."""

    def __init__(self):
        self.epochs = 0

    def on_epoch(self, training, record):
        self.epochs += 1
        training.stopping = self.epochs >= 4
        record["epochs_in_all"] = np.float32(self.epochs)

    def state(self):
        return {"epochs": self.epochs}

    def restore(self, state):
        self.epochs = state["epochs"]


class Push(Callback):
    """Knows something only once it has begun; two of them differ in what."""

    def __init__(self, after):
        self.after, self.steps, self.size = after, 0, torch.zeros(2)

    @torch.no_grad()
    def on_step(self, training, n_rows):
        self.steps += 1
        if self.steps > self.after:
            self.size = self.size + torch.tensor([1e-3, 2e-3])
            training.model.encoder.bias.add_(self.size.prod() * 1e3)

    def state(self):
        return {"steps": self.steps, "a/b": self.size[0], "a": {"b": self.size[1]}} if self.steps > self.after else {}

    def restore(self, state):
        self.steps, self.size = state["steps"], torch.stack([state["a/b"], state["a"]["b"]])


CALLBACKS = {
    "stops in an epoch": lambda: [Stop()],
    "changes the beginning": lambda: [Scale()],
    "counts over layers": lambda: [Budget()],
    "two of a class": lambda: [Push(after=10**6), Push(after=0)],
}


@pytest.mark.parametrize("what", CALLBACKS)
@pytest.mark.parametrize("steps", [1, 2, 5, 9])
def test_what_callbacks_do_survives_an_interruption(rows, what, steps, tmp_path):
    def fit(callbacks=(), **options):
        layers = [Denoising(7), Plain(5), Plain(4)]
        return StackedAutoencoder(layers, MOMENTUM).fit(rows, callbacks=[*CALLBACKS[what](), *callbacks], **options)

    assert_same(fit, steps, tmp_path)


def test_what_a_callback_knows_survives_the_end_of_a_layer_without_a_checkpoint(rows, tmp_path):
    def fit(callbacks=(), **options):
        layers = [Plain(7), Plain(5), Plain(4)]
        return StackedAutoencoder(layers, MOMENTUM).fit(rows, callbacks=[Budget(), *callbacks], **options)

    assert_same(fit, 21 + 2, tmp_path, seconds=3600)
    fit(run=tmp_path)
    stack = StackedAutoencoder([Plain(7), Plain(5), Plain(4)], MOMENTUM)
    assert outcome(stack.fit(rows, run=tmp_path)) == outcome(fit()), "what is finished can be read without callbacks"


def test_at_the_end_a_callback_finds_the_model_as_the_last_step_left_it(rows, tmp_path):
    class Last(Interrupt):
        @torch.no_grad()
        def on_end(self, training):
            if self.left == 0:
                raise KeyboardInterrupt
            training.model.encoder.bias.add_(training.model.encode(torch.from_numpy(rows)).mean(dim=0))

    def fit(left, **options):
        sparse = Sparse(7, penalty=TopK(2, initial_k=6, annealing=9.0), activation="relu")
        return StackedAutoencoder([sparse], MOMENTUM).fit(rows, callbacks=[Last(left)], **options)

    with pytest.raises(KeyboardInterrupt):
        fit(21, run=RunDirectory(tmp_path, 0))
    assert outcome(fit(100, run=tmp_path)) == outcome(fit(100))


def test_names_in_the_state_of_a_callback_are_text(rows, tmp_path):
    class Numbered(Callback):
        def state(self):
            return {"steps": {1: "one"}}

    with pytest.raises(StackedError, match=r"state/callbacks/2/1/steps: expected names that are text, received 1; "):
        StackedAutoencoder([Plain(8)], MOMENTUM).fit(rows, run=RunDirectory(tmp_path, 0), callbacks=[Numbered()])


def test_a_run_of_rows_that_are_shuffled_otherwise_is_refused(rows, tmp_path, monkeypatch):
    """The same rows, but the order of the steps would be neither the one nor the other."""
    monkeypatch.setattr("stacked.orders.MIXING_BYTES", 40 * 12 * 4)
    with h5py.File(tmp_path / "rows.h5", "w") as file:
        dataset = file.create_dataset("x", data=rows, chunks=(7, 12), compression="gzip")
        with pytest.raises(KeyboardInterrupt):
            StackedAutoencoder([Plain(8)]).fit(rows, run=RunDirectory(tmp_path / "run", 0), callbacks=[Interrupt(1)])
        with pytest.raises(
            StackedError,
            match=r"shuffled = in 1920 bytes, pieces of 7 rows, .*shuffled = in 1920 bytes, pieces of 1 rows",
        ):
            StackedAutoencoder([Plain(8)]).fit(dataset, run=tmp_path / "run")


def test_a_run_stays_where_it_began_when_the_working_directory_changes(rows, tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)

    class Wander(Callback):
        def on_epoch(self, training, record):
            os.chdir(tmp_path / "elsewhere")

    StackedAutoencoder([Plain(8), Plain(6)], MOMENTUM).fit(rows, run=RunDirectory("run", 0), callbacks=[Wander()])
    assert (tmp_path / "run" / "layer-2.safetensors").exists()
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_codes_that_are_there_need_no_room(rows, tmp_path, monkeypatch):
    def fit(**options):
        return StackedAutoencoder([Plain(8), Plain(6)], MOMENTUM).fit(rows, run=RunDirectory(tmp_path, 0), **options)

    with pytest.raises(KeyboardInterrupt):
        fit(callbacks=[Interrupt(25)])
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage._replace(free=130 * 8 * 4 - 1))
    fit()


def test_codes_half_written_by_a_killed_process_are_removed_at_the_next_start(rows, tmp_path):
    def fit(**options):
        return StackedAutoencoder([Plain(8), Plain(6)], MOMENTUM).fit(rows, run=tmp_path, **options)

    with pytest.raises(KeyboardInterrupt):
        fit(callbacks=[Interrupt(22)])
    left = tmp_path / "codes" / ".0123.h5.stacked.part"
    left.write_bytes(b"half")
    with pytest.raises(KeyboardInterrupt):
        fit(callbacks=[Interrupt(0)])
    assert not left.exists()


def test_a_run_that_goes_on_removes_what_its_killed_process_left_in_the_cache(rows, tmp_path):
    def fit():
        return StackedAutoencoder([Plain(8), Plain(6)], MOMENTUM, cache=tmp_path / "cache").fit(
            rows, run=tmp_path / "run"
        )

    fit()
    left = tmp_path / "cache" / ".0123.h5.stacked.lock"
    left.touch()
    fit()
    assert not left.exists()


def test_rows_give_the_same_codes_at_any_address(rows):
    stack = StackedAutoencoder([Plain(7)]).draw(12)
    expected = stack.encode(rows).tobytes()
    for offset in range(4, 64, 4):
        room = np.empty(rows.nbytes + 128, np.uint8)
        start = -room.ctypes.data % 64 + offset
        moved = room[start : start + rows.nbytes].view(np.float32).reshape(rows.shape)
        moved[:] = rows
        assert stack.encode(moved).tobytes() == expected


def test_the_display_says_where_it_goes_on_and_counts_what_was_done_before(rows, tmp_path, capsys):
    def fit(**options):
        return StackedAutoencoder([Plain(7)], MOMENTUM).fit(rows, run=RunDirectory(tmp_path, 0), **options)

    with pytest.raises(KeyboardInterrupt):
        fit(callbacks=[Interrupt(9)])
    fit(progress=True)
    shown = capsys.readouterr().err
    assert "layer 1: plain 12-7: goes on in epoch 2, step 3" in shown
    assert "100%" in shown or "epoch 3/3" in shown
