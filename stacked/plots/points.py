"""Rows as points of a plane."""

from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure

from stacked.plots.page import GREY
from stacked.rows import Array


class Points(NamedTuple):
    """Places, shape `(n, 2)`, on a panel, and the area of a point."""

    figure: Figure
    panel: Axes
    places: Array
    size: float

    def draw(self, which: Array, **style: Any) -> PathCollection:
        """Those of some rows, by number or by a mask."""
        here = self.places[which]
        return self.panel.scatter(here[:, 0], here[:, 1], s=self.size, **{"linewidths": 0, **style})

    def draw_unlabelled(self, which: Array) -> None:
        """Rings for rows, by a mask, that nothing is known of; if there are any."""
        if which.any():
            self.draw(which, facecolors="none", edgecolors=GREY, linewidths=0.7, label="without label")
