"""Error rates of every arm and seed as dots."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stacked.plots.page import COLOURS, GREY, INK, write


def error_distributions(
    arms: Mapping[str, Sequence[float]],
    path: Path,
    *,
    title: str,
    reference: Mapping[str, Sequence[float]] | None = None,
) -> None:
    """Every error rate of every arm as a dot on a logarithmic axis, medians marked; a reference below each arm.

    Parameters
    ----------
    arms, reference : mapping
        Name to error rates as fractions.
    path : Path
        The PNG to write.
    title : str
        Above the figure.
    """
    figure = Figure(figsize=(8, 1.2 + 1.1 * len(arms)), layout="constrained")
    axes = figure.add_subplot()
    for i, (name, rates) in enumerate(arms.items()):
        _strip(
            axes, 100 * np.asarray(rates), -i + 0.12, COLOURS[0], f"stacked, {len(rates)} seeds" if i == 0 else None
        )
        if reference and name in reference:
            theirs = 100 * np.asarray(reference[name])
            _strip(axes, theirs, -i - 0.2, GREY, f"DeepLearnToolbox, {len(theirs)} seeds" if i == 0 else None)
    axes.set_yticks([-i for i in range(len(arms))], list(arms))
    axes.set_xscale("log")
    ticks = [tick for tick in (1, 2, 3, 4, 5, 7, 10, 15, 20, 30, 40, 60, 90) if _within(tick, axes.get_xlim())]
    axes.set_xticks(ticks, [f"{tick} %" for tick in ticks])
    axes.set_xticks([], minor=True)
    axes.set_xlabel("test error rate (logarithmic); the bar marks the median")
    axes.set_title(title, loc="left", color=INK)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    if axes.get_legend_handles_labels()[0]:
        figure.legend(frameon=False, loc="outside lower center", ncols=2)
    write(figure, path)


def _strip(axes: Axes, percent: Any, height: float, colour: str, label: str | None) -> None:
    if len(percent) == 0:
        return
    jitter = np.random.default_rng(0).uniform(-0.08, 0.08, len(percent))
    axes.scatter(percent, height + jitter, s=22, color=colour, alpha=0.75, linewidths=0, label=label)
    axes.vlines(np.median(percent), height - 0.14, height + 0.14, color=colour, linewidth=2.5)


def _within(value: float, limits: tuple[float, float]) -> bool:
    return limits[0] <= value <= limits[1]
