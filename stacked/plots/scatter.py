"""Rows as points of a plane, coloured by class."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from stacked.plots.page import COLOURS, panels, write
from stacked.rows import Array


def scatters(charts: Mapping[str, Array], classes: Array, path: Path, *, title: str) -> None:
    """Panels of points, one a row, in the colour of its class.

    Parameters
    ----------
    charts : mapping
        Title of each panel to the places, shape `(n, 2)`.
    classes : array of int
        Shape `(n,)`, the same for all panels.
    path : Path
        The PNG to write.
    title : str
        Above the figure.
    """
    figure, axes = panels(list(charts), 3, (4.2, 4.2), title)
    for panel, places in zip(axes, charts.values(), strict=True):
        for label in np.unique(classes):
            here = places[classes == label]
            colour = COLOURS[int(label) % len(COLOURS)]
            panel.scatter(here[:, 0], here[:, 1], s=5, color=colour, alpha=0.7, linewidths=0, label=str(label))
        panel.tick_params(labelsize=6)
    handles, names = axes[0].get_legend_handles_labels()
    figure.legend(handles, names, frameon=False, loc="outside lower center", ncols=10, markerscale=3)
    write(figure, path)
