"""How time and memory grow with rows, width and depth: one epoch of pretraining, straight from a file.

Every point is measured in a fresh process on one thread, from a .npy file of uniform numbers. The exponents are the
slopes of straight lines through the logarithms. Command: python benchmarks/growth.py
"""

import json as text
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Annotated, NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import torch
import typer
from common import Json, Repetitions, keep
from peaks import watched_peaks
from rich.console import Console
from rich.table import Table

from stacked import SGD, Denoising, StackedAutoencoder, TrainingConfig

BATCH, BLOCK = 100, 100_000


class Point(NamedTuple):
    """A stack of `depth` layers of `n_units`, trained on rows of `n_inputs` columns."""

    n_rows: int
    n_inputs: int
    n_units: int
    depth: int = 1


AXES = {
    "rows": [Point(n, 32, 16) for n in (10**4, 10**5, 10**6, 10**7, 3 * 10**7)],
    "width": [Point(2000, n, n) for n in (64, 128, 256, 512, 1024, 2048)],
    "depth": [Point(2000, 512, 512, depth) for depth in (1, 2, 4, 8, 16)],
}
FIGURES = {"seconds": "seconds an epoch, all layers", "RssAnon": "peak memory of its own, MB"}
Measured = dict[str, float]


def main(
    repetitions: Repetitions = 3,
    json: Json = None,
    smallest: Annotated[int, typer.Option(min=2, help="So many of the smallest points of every axis only.")] = 6,
    plot: Annotated[Path | None, typer.Option(help="Write the picture to this file.")] = None,
    once: Annotated[str, typer.Option(hidden=True, help="A file and a point: measure in this process.")] = "",
) -> None:
    """Measure every point of every axis in turn, all of them several times."""
    if once:
        print(text.dumps(_measured(*text.loads(once))))
        return
    axes = {axis: points[:smallest] for axis, points in AXES.items()}
    found = {axis: [_medians(point, repetitions) for point in points] for axis, points in axes.items()}
    exponents = {axis: _exponents(_sizes(axis, points), found[axis]) for axis, points in axes.items()}
    _show(axes, found, exponents)
    if plot is not None:
        _draw(axes, found, exponents, plot)
    keep(json, title="growth", points=found, exponents=exponents)


def _medians(point: Point, repetitions: int) -> Measured:
    """Of fresh processes, with the file in the disk cache, for it has just been written."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.npy"
        _write(path, point.n_rows, point.n_inputs)
        command = [sys.executable, __file__, "--once", text.dumps([str(path), point])]
        runs = [
            text.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)
            for _ in range(repetitions)
        ]
    return {name: median(run[name] for run in runs) for name in runs[0]}


def _write(path: Path, n_rows: int, n_inputs: int) -> None:
    random = np.random.default_rng(0)
    rows = np.lib.format.open_memmap(path, "w+", np.float32, (n_rows, n_inputs))
    for start in range(0, n_rows, BLOCK):
        block = rows[start : start + BLOCK]
        block[:] = random.random(block.shape, np.float32)


def _measured(path: str, numbers: list[int]) -> Measured:
    torch.set_num_threads(1)
    point = Point(*numbers)
    training = TrainingConfig(epochs=1, batch_size=BATCH, optimizer=SGD(0.1, momentum=0.5))
    stack = StackedAutoencoder([Denoising(point.n_units)] * point.depth, training)
    with watched_peaks() as peaks:
        began = time.perf_counter()
        stack.fit(np.load(path, mmap_mode="r"), progress=False)
        whole = time.perf_counter() - began
    return {"seconds": sum(history["seconds"][0] for history in stack.histories), "fit": whole, **peaks}


def _sizes(axis: str, points: list[Point]) -> list[int]:
    field = {"rows": "n_rows", "width": "n_units", "depth": "depth"}[axis]
    return [getattr(point, field) for point in points]


def _exponents(sizes: list[int], found: list[Measured]) -> Measured:
    """The slope of every figure over the sizes, both as logarithms."""
    figures = {name: np.log([measured[name] for measured in found]) for name in FIGURES}
    return {name: float(np.polyfit(np.log(sizes), figure, 1)[0]) for name, figure in figures.items()}


def _show(axes: dict[str, list[Point]], found: dict[str, list[Measured]], exponents: dict[str, Measured]) -> None:
    for axis, points in axes.items():
        slopes = ", ".join(f"{figure} ~ {axis}^{exponents[axis][figure]:.2f}" for figure in FIGURES)
        table = Table(title=f"{axis}: {slopes}", title_justify="left", box=None, pad_edge=False)
        for column in ("rows", "inputs", "units", "depth", "s an epoch", "s in fit", "peak MB"):
            table.add_column(column, justify="right", no_wrap=True)
        for point, measured in zip(points, found[axis], strict=True):
            figures = (f"{measured['seconds']:.3f}", f"{measured['fit']:.3f}", f"{measured['RssAnon']:.0f}")
            table.add_row(*(f"{number:,}" for number in point), *figures)
        Console().print(table)


def _draw(
    axes: dict[str, list[Point]], found: dict[str, list[Measured]], exponents: dict[str, Measured], path: Path
) -> None:
    figure, places = plt.subplots(len(FIGURES), len(axes), figsize=(10, 6), layout="constrained", squeeze=False)
    for column, (axis, points) in enumerate(axes.items()):
        sizes = np.array(_sizes(axis, points))
        for place, (name, label) in zip(places[:, column], FIGURES.items(), strict=True):
            values = np.array([measured[name] for measured in found[axis]])
            slope = exponents[axis][name]
            line = np.exp(np.mean(np.log(values)) + slope * (np.log(sizes) - np.mean(np.log(sizes))))
            place.loglog(sizes, values, "o", label="measured")
            place.loglog(sizes, line, "--", color="grey", label=f"{axis}$^{{{slope:.2f}}}$")
            place.set(xlabel=axis, ylabel=label)
            place.set_ylim(min(values.min() / 2, 10 if name == "RssAnon" else np.inf), values.max() * 2)
            place.legend(frameon=False)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    typer.run(main)
