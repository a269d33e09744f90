"""How well each column of a table is rebuilt."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from stacked.plots.page import COLOURS, GREY, INK, in_short, write
from stacked.rows import Array

MOST = 50
"""Columns that are legible on a page; of more, as many of the best and of the worst."""
_FURTHEST = 125.0


def column_errors(missed: Array, columns: Sequence[str], path: Path, *, title: str) -> None:
    """A line for each column, the best above: what share of its variance the reconstruction misses.

    Columns without variance are left out, and counted below.

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
    panel.hlines(heights, 0, np.minimum(percent, end), color=COLOURS[0], linewidth=1.5)
    panel.scatter(np.minimum(percent, end), heights, s=20, color=COLOURS[0], zorder=3)
    for height, share in zip(heights, percent, strict=True):
        place = min(float(share), end) + 0.02 * end
        panel.text(place, height, f"{share:.3g} %", va="center", fontsize=7, color=INK)
    panel.set_yticks(heights, [in_short(columns[k]) if columns else str(k + 1) for k in shown], fontsize=8)
    panel.set_xlim(0, 1.12 * end)
    panel.set_ylim(heights.min(initial=0.0) - 0.7, 0.7)
    panel.xaxis.set_major_formatter("{x:g} %")
    panel.set_xlabel(
        "\n".join(
            [
                "share of the variance that is missed; 100 %: no better than the mean",
                *_left_out(
                    f"the {MOST // 2} best and the {MOST // 2} worst of {len(order)} columns" if cut else "",
                    f"{constant} constant columns are left out" if constant else "",
                ),
            ]
        )
    )
    panel.spines[["top", "right", "left"]].set_visible(False)
    panel.tick_params(axis="y", length=0)
    write(figure, path)


def _left_out(*words: str) -> list[str]:
    said = "; ".join(filter(None, words))
    return [said] if said else []
