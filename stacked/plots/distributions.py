"""Error rates of every arm and seed as dots."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure

from stacked.plots.page import COLOURS, GREY, INK, write


def error_distributions(
    arms: Mapping[str, Sequence[float]],
    path: Path,
    *,
    title: str,
    reference: Mapping[str, Sequence[float]] | None = None,
    reference_name: str = "reference",
    error: str = "",
) -> None:
    """Every error of every arm as a dot, medians marked; a reference below each arm.

    The axis is logarithmic for error rates, unless one of them is zero.

    Parameters
    ----------
    arms, reference : mapping
        Name to error rates as fractions, or to other errors.
    path : Path
        The PNG to write.
    title : str
        Above the figure.
    reference_name : str
        What the legend calls the reference.
    error : str
        What other errors are called; empty for error rates, which are shown in per cent.
    """
    theirs = {name: rates for name, rates in (reference or {}).items() if name in arms}
    strips = [(arms, 0.12, COLOURS[0], _runs(arms)), (theirs, -0.2, GREY, f"{reference_name}, {_runs(theirs)}")]
    figure = Figure(figsize=(8, 1.2 + 1.1 * len(arms)), layout="constrained")
    axes = figure.add_subplot()
    legend = {}
    for rates, height, colour, label in strips:
        for i, name in enumerate(arms):
            if len(rates.get(name, ())) > 0:
                legend[label] = _strip(axes, np.asarray(rates[name]) * (1 if error else 100), height - i, colour)
    axes.set_yticks([-i for i in range(len(arms))], list(arms))
    some_are_zero = any(min(rates) <= 0 for rates in (*arms.values(), *theirs.values()) if len(rates) > 0)
    if not error and not some_are_zero:
        _percentages(axes)
        error = "test error rate (logarithmic)"
    axes.set_xlabel(f"{error or 'test error rate, per cent'}; the bar marks the median")
    axes.set_title(title, loc="left", color=INK)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    if legend:
        figure.legend(legend.values(), legend.keys(), frameon=False, loc="outside lower center", ncols=2)
    write(figure, path)


def _runs(arms: Mapping[str, Sequence[float]]) -> str:
    """How many seeds every arm has; without the number where they differ."""
    counts = {len(rates) for rates in arms.values()}
    n = counts.pop() if len(counts) == 1 else None
    return "runs" if n is None else f"{n} seed{'s' * (n > 1)}"


def _strip(axes: Axes, percent: Any, height: float, colour: str) -> PathCollection:
    jitter = np.random.default_rng(0).uniform(-0.08, 0.08, len(percent))
    axes.vlines(np.median(percent), height - 0.14, height + 0.14, color=colour, linewidth=2.5)
    return axes.scatter(percent, height + jitter, s=22, color=colour, alpha=0.75, linewidths=0)


def _percentages(axes: Axes) -> None:
    axes.set_xscale("log")
    ticks = _ticks(*axes.get_xlim())
    axes.set_xticks(ticks, [f"{tick:g} %" for tick in ticks])
    axes.set_xticks([], minor=True)


def _ticks(low: float, high: float) -> list[float]:
    """Round percentages between the ends of the axis; finer ones where fewer than three would be there."""
    coarse: list[float] = [1, 2, 3, 4, 5, 7, 10, 15, 20, 30, 40, 60, 90]
    fine = ([step * i for i in range(1, round(100 / step))] for step in (1.0, 0.5, 0.1))
    found: list[float] = []
    for grid in (coarse, *fine):
        found = [tick for tick in grid if low <= tick <= high]
        if len(found) >= 3:
            break
    return found
