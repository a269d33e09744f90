"""The benchmarks run and write their figures; what they measure is for people to judge."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
SIDES = {
    "step": {"matrix products", "stacked", "autograd, DataLoader", "NumPy by hand", "NumPy by hand, in place"},
    "cache": {"memory", "cache", "HDF5, contiguous", "HDF5, gzip chunks"},
    "ranks": {"1 process", "2 processes", "1 process, 2 threads"},
    "classic": {"stacked", "autograd"},
    "startup": {
        *("pass", "import typer", "stacked --help"),
        *("import stacked", "import torch", "import torch, stacked", "from stacked import *"),
    },
}


@pytest.mark.parametrize("name", SIDES)
def test_benchmark(name, tmp_path):
    command = [
        sys.executable,
        str(BENCHMARKS / f"{name}.py"),
        "--repetitions",
        "1",
        "--json",
        str(tmp_path / "figures"),
    ]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert finished.returncode == 0, finished.stderr
    figures = json.loads((tmp_path / "figures").read_text())
    assert set(figures["sides"]) == SIDES[name]
    for side, measured in figures["sides"].items():
        assert len(measured["seconds"]) == 1
        assert side in finished.stdout
