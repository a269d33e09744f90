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
    "classic": {"stacked", "autograd"},
    "startup": {"torch", "stacked", "torch, then stacked"},
    "large_rows": {"memory", ".npy map", "HDF5, contiguous", "HDF5, gzip chunks"},
}
SMALL = {"large_rows": ("--gigabytes", "0.03", "--in-memory", "5000")}


@pytest.mark.parametrize("name", SIDES)
def test_benchmark(name, tmp_path):
    command = [
        sys.executable,
        str(BENCHMARKS / f"{name}.py"),
        "--repetitions",
        "1",
        "--json",
        str(tmp_path / "figures"),
        *SMALL.get(name, ()),
    ]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert finished.returncode == 0, finished.stderr
    figures = json.loads((tmp_path / "figures").read_text())
    assert set(figures["sides"]) == SIDES[name]
    for side, measured in figures["sides"].items():
        assert len(measured["seconds"]) == 1
        assert side in finished.stdout


def test_shuffling_is_as_good_as_counting_has_it(tmp_path):
    figures = tmp_path / "figures"
    small = ["--rows", "50000", "--buffer", "20000000", "--epochs", "8"]
    command = [sys.executable, str(BENCHMARKS / "shuffling.py"), *small, "--json", str(figures)]
    subprocess.run(command, capture_output=True, timeout=300, check=True)
    sides = json.loads(figures.read_text())["sides"]
    assert set(sides) == {"as a whole", "in the buffer", "not at all"}
    for side in sides.values():
        assert abs(side["of one label"] - side["expected"]) < 0.001
