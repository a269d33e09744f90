"""Which classes a classifier takes for which."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stacked.plots.page import INK, write
from stacked.rows import Array
from stacked.short_names import short_names

_SIZES = ((10, 0.75, 9.0), (20, 0.5, 7.0), (50, 0.36, 5.5))
"""Up to so many classes: inches of a cell, points of the numbers in it."""
_BARE = 0.2
"""Inches of a cell without numbers, where there are more classes."""
_LEAST = 3.3
"""Inches of all cells together, for the title to fit."""


def confusion_matrix(counts: Array, classes: Sequence[str], path: Path, *, title: str) -> None:
    """A line for each true class: how many of its rows were taken for each class, and what share of the line it is.

    The shade is that share. The names of the true classes have their numbers of rows beside them; cells of 0 are
    empty, and beyond 50 classes all are.

    Parameters
    ----------
    counts : array of int
        Shape `(n_classes, n_classes)`; a line is a true class.
    classes : sequence of str
        Their names.
    path : Path
        The PNG to write.
    title : str
        Above the figure.
    """
    n = len(classes)
    inches, points = next(((inches, points) for most, inches, points in _SIZES if n <= most), (_BARE, 0.0))
    inches = max(inches, _LEAST / n)
    totals, small = counts.sum(axis=1), max(points, 5.0)
    shares = counts / np.maximum(totals, 1)[:, None]
    names = short_names(classes, 18)
    lines = [f"{name}  ({total:,})" for name, total in zip(names, totals, strict=True)]
    upright = n > 2 and max(map(len, names)) > 3
    beside, below = _inches(lines, small) + 1.9, (_inches(names, small) if upright else 0.2) + 1.0
    figure = Figure(figsize=(n * inches + beside, n * inches + below), layout="constrained")
    panel = figure.add_subplot()
    panel.set_title(title, loc="left", fontsize=11, color=INK)
    image = panel.imshow(shares, cmap="Blues", vmin=0, vmax=1, interpolation="nearest")
    if points:
        _write_numbers(panel, counts, shares, points)
    panel.set_xticks(range(n), names, fontsize=small, rotation=90 if upright else 0)
    panel.set_yticks(range(n), lines, fontsize=small)
    panel.set_xlabel("predicted class")
    panel.set_ylabel("true class (rows)")
    panel.tick_params(length=0)
    scale = figure.colorbar(image, ax=panel, label="share of the true class", shrink=3 / (n * inches))
    scale.set_ticks([0, 0.5, 1], labels=["0 %", "50 %", "100 %"])
    write(figure, path)


def _inches(texts: Sequence[str], points: float) -> float:
    """Room for the longest of some texts, a character of which is 0.6 of its size wide."""
    return max(map(len, texts)) * 0.6 * points / 72


def _write_numbers(panel: Axes, counts: Array, shares: Array, points: float) -> None:
    for line, column in np.argwhere(counts > 0):
        share = shares[line, column]
        text = f"{_shortened(int(counts[line, column]))}\n{_percent(share)}"
        colour = "white" if share > 0.55 else INK
        panel.text(column, line, text, ha="center", va="center", fontsize=points, color=colour, in_layout=False)


def _percent(share: float) -> str:
    return "<1 %" if share < 0.005 else f"{100 * share:.0f} %"


def _shortened(count: int) -> str:
    """At most four figures: 1234, 12k, 3.4M."""
    if count < 10_000:
        return str(count)
    return f"{count / 1000:.0f}k" if count < 1_000_000 else f"{count / 1e6:.1f}M"
