"""Points in the colours and shapes of their classes, with a legend."""

from collections.abc import Sequence

import numpy as np

from stacked.plots.page import COLOURS, GREY
from stacked.plots.points import Points
from stacked.rows import Array
from stacked.short_names import short_names

_MARKERS = ("o", "s", "^", "D", "v")
MOST_CLASSES = len(COLOURS) * len(_MARKERS)
"""Classes that are told apart, by colour and shape together."""
_NAMES_A_COLUMN, _LONGEST_NAME, _LONGEST_TITLE = 20, 24, 32
_NONE, _OTHER = -1, -2


def by_class(points: Points, labels: Array, classes: Sequence[str], name: str) -> None:
    """Points by the number of their class, shape `(n,)`, negative where they have none: these are rings.

    Neighbours in the list of classes differ in colour and in shape. Of more than 50 classes the largest have looks of
    their own, and all others are grey.
    """
    labels, names, n_others = _shown(labels, classes)
    points.draw_unlabelled(labels == _NONE)
    if n_others > 0:
        told = f"{n_others:,} smaller classes" if n_others > 1 else "the smallest class"
        points.draw(labels == _OTHER, color=GREY, alpha=0.5, label=told)
    _draw(points, labels, len(names))
    for k, told in enumerate(short_names(names, _LONGEST_NAME)):
        if (labels == k).any():
            colour, marker = _look(k)
            points.panel.scatter([], [], s=30, color=colour, marker=marker, label=told)
    _add_legend(points, name)


def _shown(labels: Array, classes: Sequence[str]) -> tuple[Array, list[str], int]:
    """Labels as numbers of classes that have looks, the names of these, and how many classes have none."""
    labels = np.maximum(labels, _NONE)
    if len(classes) <= MOST_CLASSES:
        return labels, list(classes), 0
    counts = np.bincount(labels[labels >= 0], minlength=len(classes))
    shown = np.sort(np.argsort(-counts, kind="stable")[:MOST_CLASSES])
    numbers = np.append(np.full(len(classes), _OTHER), _NONE)
    numbers[shown] = np.arange(len(shown))
    return numbers[labels], [classes[k] for k in shown], len(set(labels[numbers[labels] == _OTHER].tolist()))


def _look(k: int) -> tuple[str, str]:
    """The colour and the shape of a class."""
    return COLOURS[k % len(COLOURS)], _MARKERS[(k + k // len(COLOURS)) % len(_MARKERS)]


def _draw(points: Points, labels: Array, n_classes: int) -> None:
    """All shapes in random order, or the last class would lie on top of all others."""
    looks = [_look(k) for k in range(n_classes)]
    colours, shapes = np.array([colour for colour, _ in looks]), np.array([shape for _, shape in looks])
    turn = np.random.default_rng(0).permutation(np.flatnonzero(labels >= 0))
    for marker in _MARKERS:
        here = turn[shapes[labels[turn]] == marker]
        points.draw(here, c=colours[labels[here]], marker=marker, alpha=0.7)


def _add_legend(points: Points, name: str) -> None:
    """At the right, on a page that is made wider for it."""
    handles, told = points.panel.get_legend_handles_labels()
    n_columns = -(-len(told) // _NAMES_A_COLUMN)
    (title,) = short_names([name], _LONGEST_TITLE)
    longest = max(len(title) // n_columns, *map(len, told))
    width, height = points.figure.get_size_inches()
    points.figure.set_size_inches(width + n_columns * (0.5 + 0.065 * longest), height)
    look = {"frameon": False, "ncols": n_columns, "fontsize": 8, "title_fontsize": 8, "alignment": "left"}
    points.figure.legend(handles, told, title=title, loc="outside right center", **look)
