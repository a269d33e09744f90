"""`stacked pretrain`: what it saves is what the library trains, also after Ctrl-C and kills."""

import contextlib
import inspect
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from stacked import (
    SGD,
    Adam,
    Denoising,
    Masking,
    Plain,
    RunDirectory,
    Sparse,
    StackedAutoencoder,
    TrainingConfig,
    load_stack,
    save,
)
from stacked.cli import app
from stacked.cli import pretrain as verb
from stacked.files import locked
from stacked.state_files import read_state

ROOT = Path(__file__).parents[1]
ROWS = np.random.default_rng(0).random((130, 12), dtype=np.float32)
TEXT = "denoising:8:mask=0.3, sparse:5"
LAYERS = [Denoising(8, corruption=Masking(0.3)), Sparse(5)]
SHORT = ["--epochs", "2"]


@pytest.fixture
def rows(tmp_path, monkeypatch):
    """The name of a file of rows, in the working directory."""
    monkeypatch.chdir(tmp_path)
    np.save("rows.npy", ROWS)
    return "rows.npy"


def pretrain(rows, *flags, layers=TEXT, out="out"):
    return CliRunner().invoke(app, ["pretrain", str(rows), "--layers", layers, "--out", str(out), *map(str, flags)])


def trained(x=ROWS, layers=LAYERS, **training):
    return StackedAutoencoder(layers, TrainingConfig(**{"epochs": 2} | training)).fit(x)


def outcome(stack):
    """The weights as bytes, and the losses."""
    weights = [tensor.numpy().tobytes() for layer in stack.layers for tensor in layer.state_dict().values()]
    return weights, [history["loss"] for history in stack.histories]


def names_in(folder):
    return sorted(path.name for path in Path(folder).iterdir())


def test_the_stack_is_the_one_that_the_library_trains_and_nothing_else_is_left(rows, tmp_path):
    ended = pretrain(rows, *SHORT)
    expected = trained()
    assert (ended.exit_code, ended.stderr) == (0, "")
    assert outcome(load_stack("out")) == outcome(expected)
    assert names_in(tmp_path) == ["out", "rows.npy"]
    assert [name.split("-")[0] for name in names_in("out")] == ["model.json", "model_card.md", "weights"]
    losses = [history["loss"][-1] for history in expected.histories]
    assert ended.stdout.splitlines() == [
        f"denoising 12-8: loss {losses[0]:.4g} in epoch 2",
        f"sparse 8-5: loss {losses[1]:.4g} in epoch 2",
        "written to out",
    ]


def test_rows_of_an_hdf5_file_and_images_give_what_arrays_give(tmp_path, rows):
    with h5py.File("rows.h5", "w") as file:
        file.create_dataset("a/x", data=ROWS, chunks=(20, 12))
    pixels = (ROWS * 255).astype(np.uint8)
    Path("images.idx").write_bytes(bytes([0, 0, 8, 3]) + np.array([130, 3, 4], ">u4").tobytes() + pixels.tobytes())
    for name, x in {"rows.h5": ROWS, "rows.h5:/a/x": ROWS, "images.idx": (pixels / 255).astype("f4")}.items():
        assert pretrain(name, *SHORT, "--overwrite").exit_code == 0
        assert outcome(load_stack("out")) == outcome(trained(x))


@pytest.mark.parametrize(
    ("flags", "training"),
    [
        ("", TrainingConfig()),
        ("--epochs 0", TrainingConfig(epochs=0)),
        ("--epochs 1 --batch-size 7", TrainingConfig(epochs=1, batch_size=7)),
        ("--optimizer sgd", TrainingConfig(optimizer=SGD())),
        ("--optimizer sgd --learning-rate 0.2 --momentum 0.5", TrainingConfig(optimizer=SGD(0.2, momentum=0.5))),
        ("--optimizer adam --learning-rate 0.2", TrainingConfig(optimizer=Adam(0.2))),
        ("--validation-fraction 0.2 --patience 3", TrainingConfig(validation_fraction=0.2, patience=3)),
        ("--precision bf16", TrainingConfig(precision="bf16")),
    ],
)
def test_the_flags_are_the_settings_of_the_training(rows, flags, training):
    assert pretrain(rows, *flags.split(), layers="plain:3").exit_code == 0
    stack = load_stack("out")
    assert stack.training == (training,)
    assert outcome(stack) == outcome(StackedAutoencoder([Plain(3)], training).fit(ROWS))


def test_seed_dtype_and_cache_are_those_of_the_stack(rows):
    assert pretrain(rows, *SHORT, "--seed", 3, "--dtype", "float64", "--cache", "codes").exit_code == 0
    stack = load_stack("out")
    assert (stack.randomness.seed, stack.dtype) == (3, torch.float64)
    expected = StackedAutoencoder(LAYERS, TrainingConfig(epochs=2), seed=3, dtype="float64").fit(ROWS)
    assert outcome(stack) == outcome(expected)
    assert len(list(Path("codes").glob("*.h5"))) == 1


def test_the_defaults_that_the_help_tells_are_those_of_the_library():
    annotations = inspect.signature(inspect.unwrap(verb.command)).parameters
    told = {name: one.annotation.__metadata__[0].show_default for name, one in annotations.items()}
    assert told["epochs"] == str(TrainingConfig().epochs)
    assert told["batch_size"].startswith(f"{TrainingConfig().batch_size}, or a tenth of fewer rows")
    assert told["learning_rate"] == f"{Adam().learning_rate:g}, of sgd {SGD().learning_rate:g}"
    assert told["momentum"] == f"{SGD().momentum:g}"
    assert told["validation_fraction"] == f"{TrainingConfig().validation_fraction:g}"
    assert isinstance(TrainingConfig().optimizer, Adam)
    stack = inspect.signature(StackedAutoencoder).parameters
    assert {name: annotations[name].default for name in ("seed", "dtype", "device")} == {
        name: stack[name].default for name in ("seed", "dtype", "device")
    }


def test_a_table_of_fewer_rows_has_smaller_minibatches(tmp_path):
    np.save(tmp_path / "few.npy", ROWS[:45])
    assert pretrain(tmp_path / "few.npy", "--validation-fraction", "0.2", out=tmp_path / "out").exit_code == 0
    assert load_stack(tmp_path / "out").training[0].batch_size == 3


# What is there already


def test_a_folder_with_a_model_is_refused_before_any_work(rows, tmp_path):
    save(trained(), "out")
    before = {path.name: path.read_bytes() for path in Path("out").iterdir()}
    ended = pretrain("no such rows", layers="no such layers")
    assert ended.exit_code == 2
    expected = (
        "expected a folder without a model, received one with a model; name another folder, or pass --overwrite"
    )
    assert ended.stderr == f"error: {tmp_path}/out: {expected}\n"
    assert {path.name: path.read_bytes() for path in Path("out").iterdir()} == before


def test_a_model_that_may_be_replaced_stays_until_the_new_one_is_complete(rows, tmp_path):
    save(trained(layers=[Plain(3)]), "out")
    before = outcome(load_stack("out"))
    steep = ["--optimizer", "sgd", "--learning-rate", "1e30"]
    ended = pretrain(rows, *SHORT, "--overwrite", *steep, layers="plain:3:output=linear")
    assert (ended.exit_code, "the loss became" in ended.stderr) == (2, True)
    assert outcome(load_stack("out")) == before
    ended = pretrain(rows, *SHORT, "--overwrite")
    assert (ended.exit_code, ended.stderr) == (0, "")
    assert outcome(load_stack("out")) == outcome(trained())


def test_another_run_beside_the_folder_is_refused_unless_it_may_be_replaced(rows, tmp_path):
    StackedAutoencoder([Plain(3)], TrainingConfig(epochs=1)).fit(ROWS, run="out.run")
    other = pretrain(rows, *SHORT)
    assert other.exit_code == 2
    assert other.stderr.startswith(f"error: {tmp_path}/out.run: expected a run with settings ")
    assert RunDirectory("out.run").states
    ended = pretrain(rows, *SHORT, "--overwrite")
    told = f"warning: {tmp_path}/out.run: another run that was there is discarded\n"
    assert (ended.exit_code, ended.stderr) == (0, told)
    assert names_in(tmp_path) == ["out", "rows.npy"]


def test_a_log_that_is_none_leaves_no_run_behind(rows, tmp_path):
    Path("log.csv").write_text("mine")
    assert pretrain(rows, *SHORT, "--log", "log.csv").exit_code == 2
    assert names_in(tmp_path) == ["log.csv", "rows.npy"]


def test_ctrl_c_before_the_first_checkpoint_says_that_nothing_is_kept(rows, monkeypatch):
    def interrupted(*arguments, **more):
        raise KeyboardInterrupt

    monkeypatch.setattr("stacked.training.Training.fit", interrupted)
    ended = pretrain(rows, *SHORT)
    line = "interrupted; nothing was kept yet: the same command begins anew\n"
    assert (ended.exit_code, ended.stderr) == (130, line)


@pytest.mark.parametrize("out", [".", "../here", "deep/er/", "link"])
def test_the_run_lies_beside_the_folder_whatever_its_name(rows, tmp_path, monkeypatch, out):
    home = tmp_path / "here"
    home.mkdir()
    (home / "mine.txt").write_text("mine")
    (home / "link").symlink_to("target")
    monkeypatch.chdir(home)
    ended = pretrain("../rows.npy", *SHORT, out=out)
    assert (ended.exit_code, ended.stdout.splitlines()[-1]) == (0, f"written to {out}")
    assert outcome(load_stack(out)) == outcome(trained())
    assert (home / "mine.txt").read_text() == "mine"
    assert list(tmp_path.rglob("*.run")) == []


def test_a_run_is_removed_whole_unless_somebody_works_on_it_or_it_holds_things_of_others(tmp_path):
    run = RunDirectory(tmp_path / "run")
    stack = StackedAutoencoder(LAYERS, TrainingConfig(epochs=1)).fit(ROWS, run=run)
    before = names_in(run.folder)
    with locked(run.folder / "run"):
        run.remove()
        assert set(before) < set(names_in(run.folder))
    (run.folder / "mine").write_text("mine")
    run.remove()
    assert names_in(run.folder) == ["mine"]
    (run.folder / "mine").unlink()
    run.remove()
    assert names_in(tmp_path) == []
    assert len(stack.layers) == 2


# Interruptions

LONG = ["--epochs", "40", "--batch-size", "2"]


@contextlib.contextmanager
def working_on_the_second_layer(rows):
    """A process that has finished the first layer; killed at the end if it still lives."""
    command = [sys.executable, "-m", "stacked", "pretrain", rows, "--layers", TEXT, "--out", "out", *LONG]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            while not Path("out.run/layer-1.safetensors").exists():
                assert process.poll() is None, process.communicate()
                time.sleep(0.01)
            yield process
        finally:
            process.kill()


def goes_on_to_the_same_end(rows, tmp_path):
    assert names_in("out.run")[-1] == "run.json"
    assert not Path("out").exists()
    finished = read_state(Path("out.run/layer-1.safetensors"))
    assert pretrain(rows, *LONG).exit_code == 0
    assert outcome(load_stack("out")) == outcome(trained(epochs=40, batch_size=2))
    assert load_stack("out").histories[0]["seconds"] == [record["seconds"] for record in finished["history"]]
    assert names_in(tmp_path) == ["out", "rows.npy"]


def test_a_killed_command_goes_on_when_it_is_given_again(rows, tmp_path):
    with working_on_the_second_layer(rows) as process:
        process.kill()
        process.wait()
    goes_on_to_the_same_end(rows, tmp_path)


def test_ctrl_c_ends_with_one_line_and_the_same_command_goes_on(rows, tmp_path):
    with working_on_the_second_layer(rows) as process:
        process.send_signal(signal.SIGINT)
        told = process.communicate(timeout=60)
    kept = f"{tmp_path / 'out.run'} keeps all but the last half minute at most"
    assert (process.returncode, told) == (130, ("", f"interrupted; {kept}: the same command goes on from there\n"))
    goes_on_to_the_same_end(rows, tmp_path)
