"""What is said of a run that is not finished is what it has done so far."""

import json
import re

import numpy as np
import pytest
from conftest import Interrupting
from typer.testing import CliRunner

from stacked import (
    Callback,
    Denoising,
    FeedforwardClassifier,
    RunDirectory,
    Sparse,
    StackedAutoencoder,
    StackedError,
    TrainingConfig,
)
from stacked.cli import app
from stacked.run_summary import run_summary
from stacked.trial import Outcome
from stacked.trial_folder import TrialFolder

ROWS = np.random.default_rng(0).random((60, 5))
LAYERS = [Denoising(4), Sparse(3), Denoising(2)]


class InterruptAt(Callback):
    """Ctrl-C in an epoch of the layer of so many inputs."""

    def __init__(self, n_inputs, epoch):
        self.n_inputs, self.epoch = n_inputs, epoch
        self.records = {}

    def on_epoch(self, training, record):
        self.records[training.name] = record

    def on_step(self, training, n_rows):
        if getattr(training.model, "n_inputs", 0) == self.n_inputs and len(training.history) == self.epoch - 1:
            raise KeyboardInterrupt


def test_the_layers_and_epochs_of_a_stack_are_told(tmp_path):
    told = InterruptAt(4, epoch=3)
    training = TrainingConfig(epochs=5, batch_size=10, validation_fraction=0.2)
    with pytest.raises(KeyboardInterrupt):
        StackedAutoencoder(LAYERS, training, seed=7).fit(ROWS, run=RunDirectory(tmp_path, 0), callbacks=[told])
    first, second = told.records.values()
    head, *lines = run_summary(tmp_path)
    assert re.fullmatch(r"a run that is not finished: layers, seed 7, float32 on cpu, begun with stacked \S+", head)
    assert lines == [
        f"layer 1 (denoising, 4 units): finished, {losses(first)} in epoch 5",
        f"layer 2 (sparse, 3 units): in epoch 3 of 5, {losses(second)} in epoch 2",
        "layer 3 (denoising, 2 units): not begun, or without a checkpoint",
    ]


def losses(record):
    return f"loss {record['loss']:.4g}, validation loss {record['validation_loss']:.4g}"


def test_a_first_epoch_under_way_has_no_figures(tmp_path):
    fit = FeedforwardClassifier([5, 4, 2]).fit
    slowly = TrainingConfig(epochs=5, batch_size=10)
    for _ in range(2):  # the second attempt makes the first step
        with pytest.raises(KeyboardInterrupt):
            fit(ROWS, np.arange(60) % 2, slowly, run=RunDirectory(tmp_path, 0), callbacks=[Interrupting(3)])
    assert run_summary(tmp_path)[1:] == ["classifier: in epoch 1 of 5, no epoch is complete"]


def test_inspect_shows_it(tmp_path):
    StackedAutoencoder(LAYERS, TrainingConfig(epochs=1, batch_size=10)).fit(ROWS, run=tmp_path)
    told = CliRunner().invoke(app, ["inspect", str(tmp_path)])
    assert (told.exit_code, told.stdout.splitlines()) == (0, run_summary(tmp_path))


@pytest.mark.parametrize("content", ["", "[]", '{"format": 1}', json.dumps({"run": {}, "environment": {}})])
def test_a_damaged_description_is_one_sentence(tmp_path, content):
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(StackedError, match=r"run\.json.* cannot be used: .*; "):
        run_summary(tmp_path)


@pytest.mark.parametrize("content", ["", "[]", '{"arms": {"plain"'])
def test_damaged_results_are_one_sentence(tmp_path, content):
    (tmp_path / "results.json").write_text(content)
    told = CliRunner().invoke(app, ["inspect", str(tmp_path)])
    assert (told.exit_code, told.stderr.count("\n")) == (2, 1)


def test_inspect_counts_the_runs_of_a_comparison_that_is_not_finished(tmp_path):
    folder = TrialFolder(tmp_path, {})
    for arm, seeds in {"a-b/c": 2, "random": 1}.items():
        for seed in range(seeds):
            folder.store(arm, seed, Outcome({"error_rate": 0.5}), arrays=False)
    told = CliRunner().invoke(app, ["inspect", str(tmp_path)])
    assert told.stdout.splitlines()[0] == "a comparison that is not finished: a-b/c 2 runs, random 1 run"
