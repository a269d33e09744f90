"""How every benchmark measures: all sides in turn in one run, several times; medians, ranges and ratios."""

import json
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from rich.console import Console
from rich.table import Table

from stacked.results import environment

Json = Annotated[Path | None, typer.Option("--json", help="Write the figures to this file.")]
Repetitions = Annotated[int, typer.Option(min=1, help="How often each side is timed.")]

Sides = dict[str, Callable[[], Any]]


def time_in_turn(
    sides: Sides, repetitions: int, clock: Callable[[], float] = time.perf_counter
) -> dict[str, list[float]]:
    """Seconds of each side, called in turn: A B C, A B C, ...; a first round is not counted.

    With `time.process_time` as the clock they are those of the processor, which what else the machine does disturbs
    less; for sides that keep one thread busy they are the same.
    """
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for round_number in range(repetitions + 1):
        for name, side in sides.items():
            began = clock()
            side()
            if round_number > 0:
                seconds[name].append(clock() - began)
    return seconds


def report(title: str, seconds: dict[str, list[float]], baseline: str, json_file: Path | None) -> None:
    """Print medians, ranges and the median of each round's ratio to the baseline; write them where asked."""
    show(title, seconds, baseline)
    keep(json_file, title=title, sides=figures_of(seconds, baseline))


def figures_of(seconds: dict[str, list[float]], baseline: str) -> dict[str, Any]:
    """The seconds of every side, its ratio to the baseline round by round, and the median of that."""
    figures = {}
    for name, times in seconds.items():
        ratios = [own / base for own, base in zip(times, seconds[baseline], strict=True)]
        figures[name] = {"seconds": times, "ratio": statistics.median(ratios), "ratios": ratios}
    return figures


def show(title: str, seconds: dict[str, list[float]], baseline: str) -> None:
    """Print a table of the sides."""
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for column in ("side", "median s", "range", f"/ {baseline}", "range"):
        table.add_column(column, justify="left" if column == "side" else "right", no_wrap=True)
    for name, side in figures_of(seconds, baseline).items():
        times, ratios = side["seconds"], side["ratios"]
        median, spread = f"{statistics.median(times):.3f}", f"{min(times):.3f}-{max(times):.3f}"
        table.add_row(name, median, spread, f"{side['ratio']:.2f}", f"{min(ratios):.2f}-{max(ratios):.2f}")
    Console().print(table)


def keep(json_file: Path | None, **figures: Any) -> None:
    """Write figures with the machine they were measured on, where a file is given."""
    if json_file is not None:
        json_file.write_text(json.dumps({"machine": machine(), **figures}, indent=1))


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    return {
        **environment(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": torch.__version__,
    }
