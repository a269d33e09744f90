"""Rows as points of a plane, coloured by class, by date or by a number."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stacked.plots.colour_bar import by_number, days_of
from stacked.plots.colour_legend import by_class
from stacked.plots.page import COLOURS, INK, write
from stacked.plots.points import Points
from stacked.rows import Array

_MOST_DATES = 10
"""So many dates are classes; more are times on a scale."""


class Colours(NamedTuple):
    """What points are coloured by.

    `values`: shape `(n,)`; with `classes` whole numbers, their places in it, or negative; otherwise numbers, or NaN.
    `classes`: the names of classes.
    `name`: what the values are called.
    """

    values: Array
    classes: Sequence[str] = ()
    name: str = ""


def embedding(
    places: Array, path: Path, *, title: str, axes: tuple[str, str] = ("", ""), colours: Colours | None = None
) -> None:
    """Points, one a row.

    Parameters
    ----------
    places : array
        Shape `(n, 2)`. Where all lie on one line, they are spread beside it.
    path : Path
        The PNG to write.
    title : str
        Above the figure.
    axes : (str, str)
        What the axes are; they have no numbers where they are nothing.
    colours : Colours, optional
        A legend tells classes, and a bar numbers and more than 10 classes that are dates, such as 2024-03-01. Without
        colours all points have one.
    """
    figure, panel = _page(places, axes)
    panel.set_title(title, loc="left", fontsize=11, color=INK)
    points = Points(figure, panel, _spread(places), float(np.clip(12_000 / len(places), 7, 30)))
    if colours is None:
        points.draw(np.arange(len(places)), color=COLOURS[0], alpha=0.6)
    else:
        _colour(points, *colours)
    write(figure, path)


def _colour(points: Points, values: Array, classes: Sequence[str], name: str) -> None:
    days = days_of(classes) if len(classes) > _MOST_DATES else None
    if days is not None:
        by_number(points, np.where(values < 0, np.nan, days[values]), name, are_days=True)
    elif classes:
        by_class(points, values, classes, name)
    else:
        by_number(points, values, name)


def _page(places: Array, axes: tuple[str, str]) -> tuple[Figure, Axes]:
    """A figure whose axes have the same unit; a low one where all places lie on one line."""
    on_a_line = _are_on_a_line(places)
    figure = Figure(figsize=(6.6, 2.8 if on_a_line else 5.6), layout="constrained")
    panel = figure.add_subplot()
    panel.set_xlabel(axes[0])
    panel.set_ylabel("" if on_a_line else axes[1])
    if not axes[0]:
        panel.set_xticks([])
    if on_a_line or not axes[1]:
        panel.set_yticks([])
    if on_a_line:
        panel.set_ylim(-1, 1)
    else:
        panel.set_aspect("equal", adjustable="datalim")
    return figure, panel


def _are_on_a_line(places: Array) -> bool:
    return bool(np.ptp(places[:, 1]) <= 1e-6 * np.ptp(places[:, 0]))


def _spread(places: Array) -> Array:
    """The places; those on one line at random heights, so that rows that lie on each other are seen."""
    if not _are_on_a_line(places):
        return places
    return np.column_stack([places[:, 0], np.random.default_rng(0).uniform(-0.7, 0.7, len(places))])
