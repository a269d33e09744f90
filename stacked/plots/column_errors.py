"""How well each column of a table is rebuilt."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stacked.plots.page import COLOURS, GREY, INK, write
from stacked.rows import Array
from stacked.short_names import short_names
from stacked.ticks import round_numbers
from stacked.wording import counted

MOST = 50
"""Columns that are legible on a page; of more, as many of the best and of the worst."""
_FURTHEST = 125.0
"""Per cent at which the axis ends, or else one column without hope would leave no room for the others."""
_LONGEST_NAME = 24


def column_errors(missed: Array, columns: Sequence[str], path: Path, *, title: str) -> None:
    """A line for each column, the best above: what share of its variance the reconstruction misses.

    Columns without variance are left out, and counted below. What goes beyond 125 % ends in an arrow.

    Parameters
    ----------
    missed : array
        Shares as `ReconstructionScores.unexplained_by_column` gives them, NaN without variance; shape `(n_inputs,)`.
    columns : sequence of str
        Names of the columns; numbers, from 1, where it is empty.
    path : Path
        The PNG to write.
    title : str
        Above the figure.
    """
    order = np.argsort(missed, kind="stable")[: np.isfinite(missed).sum()]
    constant = len(missed) - len(order)
    cut = len(order) > MOST
    shown = np.concatenate([order[: MOST // 2], order[len(order) - MOST // 2 :]]) if cut else order
    percent, heights = 100 * missed[shown], -np.arange(len(shown), dtype=float)
    if cut:
        heights[MOST // 2 :] -= 1  # a gap between the best and the worst
    figure = Figure(figsize=(7.5, 1.6 + 0.2 * max(4, len(shown))), layout="constrained")
    panel = figure.add_subplot()
    figure.suptitle(title, color=INK)
    end = min(_FURTHEST, float(percent.max(initial=1.0)))
    panel.axvline(100, color=GREY, linewidth=1, linestyle=":")
    _draw(panel, percent, heights, end)
    names = short_names([columns[k] if columns else str(k + 1) for k in shown], _LONGEST_NAME)
    panel.set_yticks(heights, names, fontsize=8)
    panel.set_xlim(0, 1.12 * end)
    panel.set_xticks(round_numbers(0.0, end))
    panel.set_ylim(heights.min(initial=0.0) - 0.7, 0.7)
    panel.xaxis.set_major_formatter("{x:g} %")
    panel.set_xlabel(
        "\n".join(
            [
                "share of the variance that is missed; 100 %: no better than the mean",
                *_told(
                    f"arrows go beyond {_FURTHEST:g} %" if (percent > end).any() else "",
                    f"the {MOST // 2} best and the {MOST // 2} worst of {len(order)} columns" if cut else "",
                    f"{counted(constant, 'constant column')} left out" if constant else "",
                ),
            ]
        )
    )
    panel.spines[["top", "right", "left"]].set_visible(False)
    panel.tick_params(axis="y", length=0)
    write(figure, path)


def _draw(panel: Axes, percent: Array, heights: Array, end: float) -> None:
    """A line and a dot for each column, or an arrow where the axis ends before it; and the number beside it."""
    beyond, places = percent > end, np.minimum(percent, end)
    panel.hlines(heights, 0, places, color=COLOURS[0], linewidth=1.5)
    for which, marker in ((~beyond, "o"), (beyond, ">")):
        panel.scatter(places[which], heights[which], s=20, marker=marker, color=COLOURS[0], zorder=3)
    for place, height, share in zip(places, heights, percent, strict=True):
        words = f"{share:,.0f} %" if share >= 1000 else f"{share:.3g} %"
        panel.text(place + 0.02 * end, height, words, va="center", fontsize=7, color=INK)


def _told(*words: str) -> list[str]:
    said = "; ".join(filter(None, words))
    return [said] if said else []
