"""`stacked compare`: from a file to a table and a sentence, also after Ctrl-C and kills, and what it refuses."""

import csv
import inspect
import json
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from sklearn.datasets import load_wine
from typer.testing import CliRunner

from stacked.cli import app
from stacked.cli.compare import compare as verb

X, Y = load_wine(return_X_y=True)
SHORT = ["--epochs", "2", "--finetune-epochs", "2", "--jobs", "1"]
SMALL = ["--layers", "denoising:6:mask=0.3, denoising:4:mask=0.3", *SHORT]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """The working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_csv(name, numbers, header=("size", "weight", "age", "kind")):
    """Rows of the wines of these numbers with their class as text; the last has none."""
    with open(name, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        for number in numbers:
            writer.writerow([*X[number, :3], "" if number == numbers[-1] else f"class {Y[number]}"])


def compare(*arguments):
    return CliRunner().invoke(app, ["compare", *map(str, arguments)])


def results_in(folder):
    return json.loads((folder / "results.json").read_text())


def untimed(value):
    """A JSON value without the times in it."""
    if isinstance(value, dict):
        return {k: untimed(inner) for k, inner in value.items() if k not in ("seconds", "rows_per_second")}
    return [untimed(inner) for inner in value] if isinstance(value, list) else value


def test_a_table_of_20_lines_with_the_defaults(folder):
    write_csv("wines.csv", np.arange(45, 84, 2))
    ended = compare("wines.csv", "--labels", "kind", "--seeds", "2", "--jobs", "1")
    assert (ended.exit_code, ended.stderr) == (0, ""), ended.output
    lines = ended.stdout.splitlines()
    assert lines[0] == "20 rows, 2 classes: class 0 (7), class 1 (12); 1 row without a label"
    assert lines[1] == "3 arms x 2 seeds; each seed tests on 4 rows of its own"
    assert [line.split()[0] for line in lines[4:7]] == ["denoising", "plain", "random"]
    assert "corrected resampled" in ended.stdout
    results = results_in(folder / "results" / "wines")
    assert lines[-2] == results["conclusion"]
    assert lines[-1] == "written to results/wines"
    assert results["data"] == {
        **{"rows": 20, "inputs": 3, "labelled": 19, "trained_on": 15, "tested_on": 4, "test": ""},
        **{"classes": ["class 0", "class 1"], "source": "wines.csv", "target": "kind"},
        "columns": ["size", "weight", "age"],
    }
    assert sorted(path.name for path in (folder / "results" / "wines").iterdir()) == [
        "errors.png",
        "results.json",
        "runs",
    ]
    assert results["settings"]["recipe"]["scaling"] == "auto"
    assert all(0 <= rate <= 1 for arm in results["arms"].values() for rate in arm["error_rate"])


def test_numbers_in_npy_files_and_a_test_file():
    random = np.random.default_rng(0)
    x = random.random((60, 5), dtype=np.float32)
    np.save("x.npy", x[:40])
    np.save("y.npy", x[:40].sum(axis=1))
    np.save("xt.npy", x[40:])
    np.save("yt.npy", x[40:].sum(axis=1))
    ended = compare(
        "x.npy", "--labels", "y.npy", "--test", "xt.npy", "--test-labels", "yt.npy", "--seeds", "2", *SMALL
    )
    assert ended.exit_code == 0, ended.output
    assert "40 rows, numbers from" in ended.stdout
    assert "one test file for all" in ended.stdout
    assert "Test error, root mean square" in ended.stdout
    assert "Wilcoxon" in ended.stdout


def test_arms_by_name_and_what_they_are_trained_by(folder):
    write_csv("wines.csv", np.arange(0, 178, 2))
    arms = ["--arm", "masked=denoising:6:mask=0.3", "--arm", "few=sparse:6:weight=0.1"]
    flags = ["--batch-size", "7", "--learning-rate", "0.01", "--scaling", "standard", "--drop", "age"]
    more = ["--validation-fraction", "0.2", "--patience", "1", "--test-fraction", "0.3"]
    ended = compare("wines.csv", "--labels", "kind", *arms, *flags, *more, *SHORT, "--seeds", "1", "--out", "out")
    assert ended.exit_code == 0, ended.output
    results = results_in(folder / "out")
    assert list(results["arms"]) == ["masked", "few", "random"]
    recipe = results["settings"]["recipe"]
    assert recipe["network"]["sizes"] == [2, 6, 3]
    assert recipe["scaling"] == "standard"
    for phase in ("pretraining", "finetuning"):
        training = recipe[phase]
        assert (training["epochs"], training["batch_size"], training["patience"]) == (2, 7, 1)
        assert training["optimizer"]["learning_rate"] == 0.01
    assert results["settings"]["split"] == {"test_fraction": 0.3, "validation_fraction": 0.2}


def test_a_killed_comparison_goes_on_and_has_the_figures_of_an_uninterrupted_one(folder):
    write_csv("wines.csv", np.arange(178))
    flags = ["wines.csv", "--labels", "kind", *SMALL, "--finetune-epochs", "40", "--seeds", "2", "--out"]
    command = [sys.executable, "-m", "stacked", "compare", *flags, "killed"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
    deadline = time.monotonic() + 120
    while not list(folder.glob("killed/runs/*-0.json")) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    assert not (folder / "killed" / "results.json").exists()
    kept = {path: path.stat().st_mtime_ns for path in folder.glob("killed/runs/*-?.json")}
    assert 1 <= len(kept) < 6
    assert compare(*flags, "killed").exit_code == 0
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert compare(*flags, "whole").exit_code == 0
    assert untimed(results_in(folder / "killed")) == untimed(results_in(folder / "whole"))


def test_ctrl_c_ends_with_one_line(folder):
    write_csv("wines.csv", np.arange(178))
    flags = ["wines.csv", "--labels", "kind", *SMALL, "--seeds", "200", "--out", "out"]
    command = [sys.executable, "-m", "stacked", "compare", *flags]
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background inherits that it is ignored
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not list(folder.glob("out/runs/*-0.json")) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, complaints = process.communicate(timeout=60)
    assert process.returncode == 130
    assert complaints.splitlines()[-1] == "interrupted; finished runs are kept: the same command goes on from there"


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--labels", "kinds"], "expected a column named 'kinds', .*perhaps 'kind' is meant"),
        (
            ["--labels", "kind", "--arm", "a=plain:3", "--layers", "plain:3"],
            "--layers: expected it or --arm, received",
        ),
        (["--labels", "kind", "--layers", "plan:3"], "layer 1, 'plan:3': kind: expected one of"),
        (
            ["--labels", "kind", "--arm", "a=plain:3", "--arm", "b=plain:4"],
            "arm 'b': expected hidden layers 3 sigmoid",
        ),
        (["--labels", "kind", "--seeds", "0"], "--seeds: expected a whole number of at least 1, received 0"),
        (["--labels", "kind", "--jobs", "0"], "--jobs: expected a whole number of at least 1, received 0"),
        (["--labels", "kind", "--scaling", "log"], "scaling: expected one of 'none', 'min_max', 'standard', 'auto'"),
        (["--labels", "kind", "--task", "regression"], "kind: expected numbers for regression, received text"),
        (["--labels", "kind", "--test-fraction", "0.9"], "--test-fraction: expected a number from 0.01 to 0.5"),
        (["--labels", "kind", "--patience", "3"], "patience: expected validation rows, received none"),
        (["--labels", "kind", "--test", "other.csv"], "other.csv"),
        (["--labels", "y.npy", "--test", "x.npy"], "--test-labels: expected where the labels are, received nothing"),
    ],
)
def test_bad_flags_end_with_one_line_before_any_work(flags, message, folder):
    write_csv("wines.csv", np.arange(40, 80))
    ended = compare("wines.csv", *flags)
    assert ended.exit_code == 2
    assert ended.stderr.startswith("error: ")
    assert ended.stderr.count("\n") == 1
    assert re.search(message, ended.stderr)
    assert not (folder / "results").exists()


def test_a_comparison_of_other_settings_is_refused():
    write_csv("wines.csv", np.arange(40, 80))
    flags = ["wines.csv", "--labels", "kind", *SMALL, "--seeds", "1"]
    assert compare(*flags).exit_code == 0
    ended = compare(*flags, "--epochs", "3")
    assert ended.exit_code == 2
    assert re.search("expected runs with recipe pretraining epochs = 3, .*name another folder", ended.stderr)
    write_csv("wines.csv", np.arange(41, 81))
    assert "expected runs with data" in compare(*flags).stderr


def test_every_flag_is_explained():
    shown = compare("--help").stdout
    for name in inspect.signature(verb).parameters:
        if name not in ("rows", "out"):
            assert f"--{name.replace('_', '-')}" in shown


def test_warnings_name_classes_as_the_table_does():
    with open("t.csv", "w", newline="") as file:
        random = np.random.default_rng(0).random((40, 3)).tolist()
        csv.writer(file).writerows([("p", "q", "k"), *((a, b, "rare" if a < 0.1 else "usual") for a, b, _ in random)])
    flags = ["--layers", "plain:3", "--seeds", "1", *SHORT]
    ended = compare("t.csv", "--labels", "k", *flags)
    assert ended.exit_code == 0, ended.output
    assert re.search(
        r"warning: plain, seed 0: classifier .* always saying class 'usual' is right for \d+", ended.stderr
    )
    given = ["t.csv", "--labels", "k", "--epochs", "1", "--out"]
    CliRunner().invoke(app, ["pretrain", *given, "enc", "--layers", "plain:3"])
    ended = CliRunner().invoke(app, ["finetune", "enc", *given, "clf"])
    assert ended.exit_code == 0, ended.output
    assert re.search(r"classifier 2-3-2: .* always saying class 'usual' is right for \d+", ended.stderr)


def test_shares_that_may_leave_a_class_nothing_are_refused_before_any_work(folder):
    with open("t.csv", "w", newline="") as file:
        random = np.random.default_rng(0).random((40, 2)).tolist()
        csv.writer(file).writerows(
            [("p", "k"), *((a, "rare" if i < 2 else "usual") for i, (a, _) in enumerate(random))]
        )
    ended = compare("t.csv", "--labels", "k", "--test-fraction", "0.5", "--validation-fraction", "0.5", *SHORT)
    assert ended.exit_code == 2
    assert "expected at least 4 rows of every class, to part them, received 2 of class 'rare'" in ended.stderr
    assert [path.name for path in folder.iterdir()] == ["t.csv"]
