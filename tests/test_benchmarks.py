"""The benchmarks run and write their figures; what they measure is for people to judge."""

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
SIDES = {
    "cache": {"memory", "cache", "HDF5, contiguous", "HDF5, gzip chunks"},
    "ranks": {"1 process", "2 processes", "1 process, 2 threads"},
    "classic": {"stacked", "autograd"},
    "startup": {
        *("pass", "import typer", "stacked --help"),
        *("import stacked", "import torch", "import torch, stacked", "from stacked import *"),
    },
    "large_rows": {"memory", ".npy map", "HDF5, contiguous", "HDF5, gzip chunks"},
    "seeds": {"one by one", "two processes", "together"},
    "precision": {"float32", "tf32", "bf16"},
}
SMALL = {
    "cache": ("--rows", "2000"),
    "ranks": ("--rows", "2000"),
    "large_rows": ("--gigabytes", "0.03", "--in-memory", "5000"),
    "seeds": ("--seeds", "2", "--rows", "500"),
    "precision": ("--rows", "500", "--units", "10"),
}


def run(name, folder, *flags):
    command = [sys.executable, BENCHMARKS / f"{name}.py", "--repetitions", "1", "--json", folder / "figures", *flags]
    finished = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=300, check=False)
    assert finished.returncode == 0, finished.stderr
    return finished


@pytest.mark.parametrize("name", SIDES)
def test_benchmark(name, tmp_path):
    finished = run(name, tmp_path, *SMALL.get(name, ()))
    figures = json.loads((tmp_path / "figures").read_text())
    assert set(figures["sides"]) == SIDES[name]
    for side, measured in figures["sides"].items():
        assert len(measured["seconds"]) == 1
        assert side in finished.stdout


def test_the_steps_of_every_side_learn_the_same(tmp_path):
    """Each with random numbers of its own, on which the first steps of a classifier depend; scikit-learn also draws
    its weights by another law. A sum in place of a mean would be off by a factor of the classes at least."""
    run("step", tmp_path, "--rows", "2048")
    cases = json.loads((tmp_path / "figures").read_text())["cases"]
    assert len(cases) == 6
    for name, case in cases.items():
        losses = [loss for side, loss in case["losses"].items() if side != "scikit-learn"]
        assert set(case["sides"]) == {"matrix products", *case["losses"]}
        assert losses == pytest.approx([losses[0]] * 4, rel=0.5 if name.endswith("-10") else 0.05)


def test_growth_is_fitted_and_drawn(tmp_path):
    run("growth", tmp_path, "--smallest", "2", "--plot", tmp_path / "growth.png")
    figures = json.loads((tmp_path / "figures").read_text())
    for axis, ratio in {"rows": 10, "width": 2, "depth": 2}.items():
        small, large = (point["RssAnon"] for point in figures["points"][axis])
        assert figures["exponents"][axis]["RssAnon"] == pytest.approx(math.log(large / small, ratio))
    assert (tmp_path / "growth.png").read_bytes().startswith(b"\x89PNG")


def test_shuffling_is_as_good_as_counting_has_it(tmp_path):
    figures = tmp_path / "figures"
    small = ["--rows", "50000", "--buffer", "20000000", "--epochs", "8"]
    command = [sys.executable, str(BENCHMARKS / "shuffling.py"), *small, "--json", str(figures)]
    subprocess.run(command, capture_output=True, timeout=300, check=True)
    sides = json.loads(figures.read_text())["sides"]
    assert set(sides) == {"as a whole", "in the buffer", "not at all"}
    for side in sides.values():
        assert abs(side["of one label"] - side["expected"]) < 0.001
