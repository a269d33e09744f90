"""Weights of units on named columns, as a heat map."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from stacked.plots.page import INK, whole_numbers, write
from stacked.rows import Array
from stacked.short_names import short_names
from stacked.wording import counted

MOST_COLUMNS, MOST_UNITS = 60, 100
"""What is legible on a page."""
_LONGEST_NAME = 24


def weight_map(weights: Array, columns: Sequence[str], path: Path, *, title: str) -> None:
    """A line for each column of the rows, a place on it for each unit; blue is below 0, red above, white is 0.

    Of more than 60 columns those with the largest weights are shown, and of more than 100 units the first.

    Parameters
    ----------
    weights : array
        Shape `(n_units, n_inputs)`.
    columns : sequence of str
        Names of the columns; numbers, from 1, where it is empty.
    path : Path
        The PNG to write.
    title : str
        Above the figure.
    """
    n_units, n_inputs = weights.shape
    shown = np.sort(np.argsort(-np.square(weights[:MOST_UNITS]).sum(axis=0), kind="stable")[:MOST_COLUMNS])
    values = weights[:MOST_UNITS, shown].T
    names = short_names([columns[k] if columns else str(k + 1) for k in shown], _LONGEST_NAME)
    size = (min(11.0, max(5.5, 3.4 + 0.22 * values.shape[1])), 1.5 + 0.19 * len(shown))
    figure = Figure(figsize=size, layout="constrained")
    panel = figure.add_subplot()
    figure.suptitle(title, color=INK)
    largest = float(np.abs(values).max()) or 1.0
    edges = (0.5, values.shape[1] + 0.5, len(shown) - 0.5, -0.5)
    shades: dict[str, Any] = {"cmap": "RdBu_r", "vmin": -largest, "vmax": largest, "interpolation": "nearest"}
    image = panel.imshow(values, extent=edges, aspect="auto", **shades)
    panel.set_yticks(range(len(shown)), names, fontsize=8)
    whole_numbers(panel.xaxis)
    panel.set_xlabel(_words(counted(n_units, "unit"), n_units > MOST_UNITS, f"the first {MOST_UNITS} of "))
    panel.set_ylabel(
        _words(
            counted(n_inputs, "column"), n_inputs > MOST_COLUMNS, f"the {MOST_COLUMNS} with the largest weights of "
        )
    )
    panel.tick_params(length=0)
    figure.colorbar(image, ax=panel, label="weight", shrink=min(1.0, 3.0 / size[1]))
    write(figure, path)


def _words(all_of_them: str, cut: bool, before: str) -> str:
    return before + all_of_them if cut else all_of_them
