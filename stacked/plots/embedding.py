"""Rows as points of a plane, coloured by class or by a number."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stacked.plots.page import COLOURS, GREY, INK, in_short, write
from stacked.rows import Array

_MARKERS = ("o", "s", "^", "D", "v")
MOST_CLASSES = len(COLOURS) * len(_MARKERS)
"""Classes that are told apart, by colour and shape together."""
_NAMES_A_COLUMN = 20


def embedding(
    places: Array,
    path: Path,
    *,
    title: str,
    axes: tuple[str, str] = ("", ""),
    target: Array | None = None,
    classes: Sequence[str] = (),
) -> None:
    """Points, one a row; neighbours in the list of classes differ in colour and in shape.

    Parameters
    ----------
    places : array
        Shape `(n, 2)`.
    path : Path
        The PNG to write.
    title : str
        Above the figure.
    axes : (str, str)
        What the axes are; they have no numbers where they are nothing.
    target : array, optional
        Shape `(n,)`: with `classes` whole numbers, their places in it; otherwise numbers for a scale of colours. Rows
        with a negative class or with NaN are grey. Without a target all points have one colour.
    classes : sequence of str
        Names of the classes; where they are more than 50, their places in it are numbers on the scale.
    """
    by_class = target is not None and 0 < len(classes) <= MOST_CLASSES
    figure = Figure(figsize=(6.6 + 1.1 * by_class * _columns(classes), 5.6), layout="constrained")
    panel = figure.add_subplot()
    panel.set_title(title, loc="left", fontsize=11, color=INK)
    size = float(np.clip(12_000 / len(places), 7, 30))
    if target is None:
        panel.scatter(places[:, 0], places[:, 1], s=size, color=COLOURS[0], alpha=0.6, linewidths=0)
    elif by_class:
        _by_class(figure, panel, places, size, (target, classes))
    else:
        _by_number(figure, panel, places, size, np.where(target < 0, np.nan, target) if classes else target)
    panel.set_xlabel(axes[0])
    panel.set_ylabel(axes[1])
    if not any(axes):
        panel.set_xticks([])
        panel.set_yticks([])
    panel.set_aspect("equal", adjustable="datalim")
    write(figure, path)


def _by_class(figure: Figure, panel: Axes, places: Array, size: float, target: tuple[Array, Sequence[str]]) -> None:
    labels, names = target
    _unlabelled(panel, places[labels < 0], size)
    turn = np.random.default_rng(0).permutation(len(places))  # or the last class would lie on top of all others
    colours = np.array([COLOURS[k % len(COLOURS)] for k in range(len(names))])
    shapes = np.array([(k + k // len(COLOURS)) % len(_MARKERS) for k in range(len(names))])
    for shape, marker in enumerate(_MARKERS):
        here = turn[(labels[turn] >= 0) & (shapes[labels[turn]] == shape)]
        panel.scatter(
            places[here, 0], places[here, 1], s=size, c=colours[labels[here]], marker=marker, alpha=0.7, linewidths=0
        )
    for k, name in enumerate(names):
        if (labels == k).any():
            panel.scatter([], [], s=30, color=colours[k], marker=_MARKERS[shapes[k]], label=in_short(name))
    handles, told = panel.get_legend_handles_labels()
    figure.legend(handles, told, frameon=False, loc="outside right center", ncols=_columns(told), fontsize=8)


def _by_number(figure: Figure, panel: Axes, places: Array, size: float, target: Array) -> None:
    known = np.isfinite(target)
    _unlabelled(panel, places[~known], size)
    image = panel.scatter(
        places[known, 0], places[known, 1], s=size, c=target[known], cmap="viridis", alpha=0.8, linewidths=0
    )
    figure.colorbar(image, ax=panel, label="target")
    handles, told = panel.get_legend_handles_labels()
    if handles:
        figure.legend(handles, told, frameon=False, loc="outside lower center", fontsize=8)


def _columns(names: Sequence[str]) -> int:
    return -(-len(names) // _NAMES_A_COLUMN)


def _unlabelled(panel: Axes, places: Array, size: float) -> None:
    if len(places) > 0:
        panel.scatter(places[:, 0], places[:, 1], s=size, color=GREY, alpha=0.4, linewidths=0, label="without label")
