"""Logs of runs: every epoch once, whatever interrupts them; told by the histories, the csv module and TensorBoard."""

import csv
import json
import math
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import Interrupting
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from test_ranks import finished, launched
from typer.testing import CliRunner

from stacked import (
    Callback,
    FeedforwardClassifier,
    Plain,
    RunDirectory,
    Sparse,
    StackedAutoencoder,
    StackedError,
    TrainingConfig,
    load_stack,
)
from stacked.cli import app
from stacked.logs import LogFile
from stacked.tensorboards import TensorBoard

LAYERS = [Plain(5), Sparse(4)]
NAMES = ["layer 1: plain 12-5", "layer 2: sparse 5-4"]
TRAINING = TrainingConfig(epochs=3, batch_size=50, validation_fraction=0.2)
STEPS = 3 * 3
"""Of one layer."""


def fitted(rows, *callbacks, run=None, seed=0):
    return StackedAutoencoder(LAYERS, TRAINING, seed=seed).fit(rows, callbacks=callbacks, run=run)


def read(path):
    """The lines of a log, with numbers as numbers and without cells that are empty."""
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text().splitlines()]
    with path.open(newline="") as file:
        lines = list(csv.DictReader(file))
    return [{name: number(cell) for name, cell in line.items() if cell} for line in lines]


def number(cell):
    try:
        return float(cell)
    except ValueError:
        return cell


def expected_lines(stack):
    """What a log says of a stack, without the run."""
    return [
        {"training": name, "layer": layer, **record}
        for layer, (name, history) in enumerate(zip(NAMES, stack.histories, strict=True), start=1)
        for record in history
    ]


def without_run(lines):
    return [{name: cell for name, cell in line.items() if name != "run"} for line in lines]


@pytest.fixture(params=[".csv", ".jsonl"])
def path(request, tmp_path):
    return tmp_path / f"log{request.param}"


def test_a_line_is_an_epoch_with_all_its_figures(rows, path):
    stack = fitted(rows, LogFile(path))
    lines = read(path)
    assert without_run(lines) == expected_lines(stack)
    assert len({line["run"] for line in lines}) == 1
    assert "dead_units" in lines[-1]
    assert "dead_units" not in lines[0]


def test_a_csv_file_is_one_table_whose_columns_grow(rows, tmp_path):
    fitted(rows, LogFile(tmp_path / "log.csv"))
    header, *lines = (tmp_path / "log.csv").read_text().splitlines()
    assert header.startswith("run,training,layer,epoch,loss,")
    assert header.endswith(",active_units,dead_units,unexplained_variance")
    assert {line.count(",") for line in lines} == {header.count(",")}
    assert lines[0].endswith(",,,")


def test_lines_are_there_as_epochs_end(rows, path):
    class Watching(Callback):
        def on_epoch(self, training, record):
            lengths.append(len(read(path)))

    lengths = []
    fitted(rows, LogFile(path), Watching())
    assert lengths == [1, 2, 3, 4, 5, 6]


def test_what_is_not_finite_can_be_read(rows, path):
    class Odd(Callback):
        def on_epoch(self, training, record):
            record.update({"a": math.nan, "b": math.inf, "c": -math.inf, "d": np.float32(0.5), "e": np.int64(7)})

    fitted(rows, Odd(), LogFile(path))
    for line in read(path):
        found = [line[name] for name in "abcde"]
        if path.suffix == ".csv":
            np.testing.assert_array_equal(found, [math.nan, math.inf, -math.inf, 0.5, 7])
        else:
            assert found == [None, None, None, 0.5, 7]


# Interruptions


@pytest.mark.parametrize("seconds", [0, 1000])
@pytest.mark.parametrize("steps", [1, 4, STEPS, STEPS + 1, STEPS + 5, 2 * STEPS])
def test_no_line_is_lost_or_doubled_by_an_interruption(rows, path, tmp_path, seconds, steps):
    run = RunDirectory(tmp_path / "run", seconds=seconds)
    with pytest.raises(KeyboardInterrupt):
        fitted(rows, LogFile(path), Interrupting(steps), run=run)
    if path.exists():
        with path.open("ab") as file:
            file.write(b'{"run": "run-12')  # a kill in the middle of a line
    stack = fitted(rows, LogFile(path), run=run)
    assert without_run(read(path)) == expected_lines(stack)
    whole = fitted(rows)
    assert [line["loss"] for line in read(path)] == [of for history in whole.histories for of in history["loss"]]


def test_a_finished_run_leaves_its_log_as_it_is(rows, path, tmp_path):
    fitted(rows, LogFile(path), run=tmp_path / "run")
    before = path.read_bytes()
    fitted(rows, LogFile(path), run=tmp_path / "run")
    assert path.read_bytes() == before


def test_a_log_may_begin_or_end_where_a_run_is_taken_up_again(rows, path, tmp_path):
    run = RunDirectory(tmp_path / "run", seconds=0)
    with pytest.raises(KeyboardInterrupt):
        fitted(rows, Interrupting(5), run=run)
    with pytest.raises(KeyboardInterrupt):
        fitted(rows, LogFile(path), Interrupting(7), run=run)  # in the second layer
    stack = fitted(rows, run=run)
    assert without_run(read(path)) == expected_lines(stack)[:3]


def test_a_killed_command_goes_on_with_its_log(rows, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("rows.npy", rows)
    flags = ["rows.npy", "--layers", "plain:5, sparse:4", "--out", "out", "--log", "log.csv", "--epochs", "40"]
    flags = ["pretrain", *flags, "--batch-size", "2"]
    with subprocess.Popen([sys.executable, "-m", "stacked", *flags]) as process:
        try:
            while not (Path("log.csv").exists() and len(read(Path("log.csv"))) > 45):
                assert process.poll() is None
                time.sleep(0.01)
        finally:
            process.kill()
    with Path("log.csv").open("a") as file:
        file.write("run-12,layer 2: sp")
    assert CliRunner().invoke(app, flags).exit_code == 0
    assert without_run(read(Path("log.csv"))) == expected_lines(load_stack("out"))


# What is there already


@pytest.mark.parametrize("kept", [True, False])
def test_the_log_of_another_run_is_refused_before_any_work(rows, path, tmp_path, kept):
    runs = [tmp_path / "a", tmp_path / "b"] if kept else [None, None]
    fitted(rows, LogFile(path), run=runs[0])
    before, other = path.read_bytes(), StackedAutoencoder(LAYERS, TRAINING, seed=1)
    with pytest.raises(StackedError) as refused:
        other.fit(rows, callbacks=[LogFile(path)], run=runs[1])
    expected = "expected a new file, or the log of this run, received that of another run"
    assert str(refused.value) == f"{path}: {expected}; name another, or move this one away"
    assert (path.read_bytes(), other.layers) == (before, [])


@pytest.mark.parametrize(
    "content", [b"mine", b"mine\n", b"run,training,layer\n", b'{"run": 1}\n', b"\xff\n", b"{}\n"]
)
def test_a_file_that_is_no_log_is_refused(rows, path, content):
    path.write_bytes(content)
    with pytest.raises(StackedError, match="the log of this run, received something else; name another"):
        fitted(rows, LogFile(path))
    assert path.read_bytes() == content


def test_one_log_file_is_for_one_run(rows, path):
    log = LogFile(path)
    stack = fitted(rows, log)
    classifier = FeedforwardClassifier.from_stack(stack, 2)
    classifier.fit(rows, np.arange(len(rows)) % 2, TrainingConfig(epochs=2), callbacks=[log])
    assert [line["training"] for line in read(path)][-2:] == ["classifier 12-5-4-2"] * 2
    assert read(path)[-1].get("layer") is None
    with pytest.raises(StackedError, match="received that of another run"):
        fitted(rows, log)


@pytest.mark.parametrize("name", ["log", "log.txt", "", 3])
def test_a_log_has_a_name_that_says_its_format(name):
    with pytest.raises(
        StackedError, match=r"^the log: expected a (path|name that ends in \.csv or \.jsonl), received"
    ):
        LogFile(name)


def test_a_folder_that_is_not_there_is_told_before_any_work(rows, tmp_path):
    stack = StackedAutoencoder(LAYERS, TRAINING)
    with pytest.raises(StackedError, match="nowhere: expected a folder for the log, received none"):
        stack.fit(rows, callbacks=[LogFile(tmp_path / "nowhere" / "log.csv")])
    assert stack.layers == []


# TensorBoard


def scalars(folder):
    """Step and value of every figure of one training."""
    events = EventAccumulator(str(folder)).Reload()
    return {tag: [(one.step, one.value) for one in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def assert_drawn(folder, stack):
    assert sorted(path.name for path in folder.iterdir() if path.is_dir()) == [
        "layer-1-plain-12-5",
        "layer-2-sparse-5-4",
    ]
    for name, history in zip(
        sorted(path for path in folder.iterdir() if path.is_dir()), stack.histories, strict=True
    ):
        found = scalars(name)
        assert found.keys() == history.records[0].keys() - {"epoch"}
        for figure, points in found.items():
            assert [step for step, _ in points] == history["epoch"]
            np.testing.assert_allclose([value for _, value in points], history[figure], rtol=1e-6)


def test_tensorboard_finds_every_figure_by_epoch(rows, tmp_path):
    board = tmp_path / "board"
    assert_drawn(board, fitted(rows, TensorBoard(board)))


@pytest.mark.parametrize(("seconds", "steps"), [(0, 4), (1000, 5), (0, STEPS + 5), (1000, 2 * STEPS)])
def test_tensorboard_sees_epochs_once_after_an_interruption(rows, tmp_path, seconds, steps):
    board, run = tmp_path / "board", RunDirectory(tmp_path / "run", seconds=seconds)
    with pytest.raises(KeyboardInterrupt):
        fitted(rows, TensorBoard(board), Interrupting(steps), run=run)
    assert_drawn(board, fitted(rows, TensorBoard(board), run=run))


def test_the_events_of_another_run_are_refused(rows, tmp_path):
    board = TensorBoard(tmp_path / "board")
    fitted(rows, board)
    for again in (board, TensorBoard(tmp_path / "board")):
        with pytest.raises(
            StackedError, match="events of this run, received one with those of another; name another"
        ):
            fitted(rows, again)


def test_tensorboard_that_is_not_installed_is_told_with_the_remedy(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(StackedError, match=r'^tensorboard: .*; run pip install "stacked\[tensorboard\]"$'):
        TensorBoard(tmp_path)


# Ranks


def test_of_several_ranks_one_writes(rows, tmp_path):
    np.save(tmp_path / "rows.npy", rows)
    flags = ["--layers", "plain:5, sparse:4", "--epochs", "3", "--log-file", tmp_path / "log.csv"]
    flags += ["--out", tmp_path / "out", "--tensorboard", tmp_path / "board"]
    command = ["-m", "stacked", "pretrain", tmp_path / "rows.npy", *flags]
    code, _, errors = finished(launched(*command))
    assert code == 0, errors
    stack = load_stack(tmp_path / "out")
    assert without_run(read(tmp_path / "log.csv")) == expected_lines(stack)
    assert_drawn(tmp_path / "board", stack)
    code, _, errors = finished(launched(*command, "--overwrite", "--seed", "1"))
    assert code != 0
    assert errors.count("error: ") == 1
    assert "log.csv: expected a new file, or the log of this run, received that of another run" in errors
