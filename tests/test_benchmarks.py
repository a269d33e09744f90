"""The benchmarks run and write their figures; what they measure is for people to judge."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
SIDES = {
    "cache": {"memory", "cache", "HDF5, contiguous", "HDF5, gzip chunks"},
    "classic": {"stacked", "autograd"},
    "startup": {
        *("pass", "import typer", "stacked --help"),
        *("import stacked", "import torch", "import torch, stacked", "from stacked import *"),
    },
}


def run(name, folder, *flags):
    command = [sys.executable, BENCHMARKS / f"{name}.py", "--repetitions", "1", "--json", folder / "figures", *flags]
    finished = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=300, check=False)
    assert finished.returncode == 0, finished.stderr
    return finished


@pytest.mark.parametrize("name", SIDES)
def test_benchmark(name, tmp_path):
    finished = run(name, tmp_path)
    figures = json.loads((tmp_path / "figures").read_text())
    assert set(figures["sides"]) == SIDES[name]
    for side, measured in figures["sides"].items():
        assert len(measured["seconds"]) == 1
        assert side in finished.stdout


def test_the_steps_of_every_side_learn_the_same(tmp_path):
    """Each with random numbers of its own; scikit-learn also draws other weights."""
    run("step", tmp_path, "--rows", "2048")
    cases = json.loads((tmp_path / "figures").read_text())["cases"]
    assert len(cases) == 6
    for case in cases.values():
        losses = [loss for side, loss in case["losses"].items() if side != "scikit-learn"]
        assert set(case["sides"]) == {"matrix products", *case["losses"]}
        assert losses == pytest.approx([losses[0]] * 4, rel=0.1)
