"""Error rates of every arm and seed as dots."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure

from stacked.plots.page import COLOURS, GREY, INK, logarithmic, write
from stacked.rows import Array
from stacked.short_names import short_names
from stacked.ticks import MOST
from stacked.wording import counted

_LONGEST_NAME = 32
_BELOW = 0.32
"""How far below an arm its reference lies, where arms are 1 apart."""


def error_distributions(
    arms: Mapping[str, Sequence[float]],
    path: Path,
    *,
    title: str,
    reference: Mapping[str, Sequence[float]] | None = None,
    reference_name: str = "reference",
    error: str = "",
) -> None:
    """Every error of every arm as a dot level with its name, medians marked; a reference below each arm.

    The axis is logarithmic for error rates, unless one of them is zero.

    Parameters
    ----------
    arms, reference : mapping
        Name to error rates as fractions, or to other errors; none where all runs of an arm have failed.
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
    figure = Figure(figsize=(8, 1.4 + (0.9 if theirs else 0.55) * len(arms)), layout="constrained")
    axes, legend = figure.add_subplot(), {}
    strips = [(arms, 0.0, COLOURS[0], _runs(arms)), (theirs, _BELOW, GREY, f"{reference_name}, {_runs(theirs)}")]
    for rates, below, colour, label in strips:
        for i, name in enumerate(arms):
            if len(rates.get(name, ())) > 0:
                legend[label] = _strip(axes, np.asarray(rates[name]) * (1 if error else 100), -i - below, colour)
    _name_arms(axes, arms, _BELOW if theirs else 0.0)
    axes.set_xlabel(f"{_scale(axes, [*arms.values(), *theirs.values()], error)}; the bar marks the median")
    axes.set_title(title, loc="left", color=INK)
    axes.spines[["top", "right", "left"]].set_visible(False)
    if legend:
        figure.legend(legend.values(), legend.keys(), frameon=False, loc="outside lower center", ncols=2)
    write(figure, path)


def _runs(arms: Mapping[str, Sequence[float]]) -> str:
    """How many seeds every arm has; without the number where they differ."""
    counts = {len(rates) for rates in arms.values()}
    return counted(counts.pop(), "seed") if len(counts) == 1 else "runs"


def _strip(axes: Axes, errors: Array, height: float, colour: str) -> PathCollection:
    """Dots about a height, moved a little so that those of one error are all seen, before the bar of their median."""
    moved = (np.arange(len(errors)) * 0.618034 % 1 - 0.5) * 0.24  # the golden ratio: neighbours in turn lie far apart
    axes.vlines(np.median(errors), height - 0.15, height + 0.15, color=INK, linewidth=1.5, zorder=1)
    heights = height + moved - moved.mean()
    return axes.scatter(errors, heights, s=26, color=colour, alpha=0.85, linewidths=0.5, edgecolors="white", zorder=2)


def _name_arms(axes: Axes, arms: Mapping[str, Sequence[float]], below: float) -> None:
    axes.set_yticks([-i for i in range(len(arms))], short_names(list(arms), _LONGEST_NAME))
    axes.set_ylim(0.5 - len(arms) - below, 0.5)
    axes.tick_params(axis="y", length=0)
    for i, name in enumerate(arms):
        if len(arms[name]) == 0:
            place = axes.get_yaxis_transform()
            axes.text(0.01, -i, "no run has finished", transform=place, va="center", fontsize=8, color=INK)


def _scale(axes: Axes, errors: Sequence[Sequence[float]], error: str) -> str:
    """Set the scale of the errors, and return what they are called."""
    known = [rate for rates in errors for rate in rates]
    if error or not known or min(known) <= 0:
        axes.locator_params(axis="x", nbins=MOST)  # errors that hardly differ are long numbers
        return error or "test error rate, per cent"
    logarithmic(axes, "x", "{:g} %", most=100.0)
    return "test error rate (logarithmic)"
