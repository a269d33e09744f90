"""What the units of a layer say of many rows: each one's values from the largest to the smallest."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stacked.measures import silent_units
from stacked.plots.page import COLOURS, INK, whole_numbers, write
from stacked.rows import Array
from stacked.wording import counted

_LEVELS = 201
"""Quantiles that are drawn of each unit."""


def code_map(codes: Array, path: Path, *, title: str, bounds: tuple[float, float]) -> None:
    """A heat map: one column a unit, by its mean value, its values over the rows sorted from top to bottom.

    So at 10 % from the top lies the value that a unit exceeds on one row in ten. Units that say the same of every row
    are marked: dead ones, at 0, below, saturated ones above.

    Parameters
    ----------
    codes : array
        Shape `(n, n_units)`.
    path : Path
        The PNG to write.
    title : str
        Above the figure.
    bounds : (float, float)
        The least and the largest value of the activation.
    """
    order = np.argsort(-codes.mean(axis=0), kind="stable")
    levels = np.quantile(codes[:, order], np.linspace(1, 0, _LEVELS), axis=0)
    figure = Figure(figsize=(8.5, 5.2), layout="constrained")
    panel = figure.add_subplot()
    figure.suptitle(title, color=INK)
    shades = _shades(levels, bounds)
    edges = (0.5, codes.shape[1] + 0.5, 100.0, 0.0)
    image = panel.imshow(levels, **shades, extent=edges, aspect="auto", interpolation="nearest")
    figure.colorbar(image, ax=panel, label="value of the unit")
    panel.set_xlabel(f"{counted(codes.shape[1], 'unit')}, by mean value")
    panel.tick_params(axis="x", pad=9)  # room for marks
    panel.set_ylabel("share of the rows with a larger value")
    panel.set_yticks(range(0, 101, 20), [f"{level} %" for level in range(0, 101, 20)])
    whole_numbers(panel.xaxis)
    dead, saturated = (state[order] for state in silent_units(codes, bounds))
    _mark(panel, dead, "dead", ("^", COLOURS[1], -0.02))
    _mark(panel, saturated, "saturated", ("v", COLOURS[5], 1.02))
    handles, names = panel.get_legend_handles_labels()
    if handles:
        figure.legend(handles, names, frameon=False, loc="outside lower center", ncols=2)
    write(figure, path)


def _shades(levels: Array, bounds: tuple[float, float]) -> dict[str, Any]:
    """From dark to light where no value is below 0, otherwise blue below it and red above."""
    largest = float(np.abs(levels).max()) or 1.0
    if bounds[0] < 0:
        return {"cmap": "RdBu_r", "vmin": -largest, "vmax": largest}
    return {"cmap": "viridis", "vmin": 0.0, "vmax": largest}


def _mark(panel: Axes, which: Array, state: str, how: tuple[str, str, float]) -> None:
    """A mark beyond the edge of the map for each of these units."""
    marker, colour, height = how
    if which.any():
        places = np.flatnonzero(which) + 1
        panel.scatter(
            places,
            np.full(len(places), height),
            marker=marker,
            s=22,
            color=colour,
            clip_on=False,
            transform=panel.get_xaxis_transform(),
            label=f"{len(places)} {state} on every row",
        )
