"""Lines: a figure by epoch, by depth, by rank, with its range over the seeds."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from stacked.plots.page import COLOURS, panels, write
from stacked.rows import Array


class Line(NamedTuple):
    """Heights, shape `(n_seeds, n)`, above places, shape `(n,)`."""

    x: Sequence[float]
    y: Array


def curves(
    charts: Mapping[str, Mapping[str, Line]],
    path: Path,
    *,
    title: str,
    labels: tuple[str, str],
) -> None:
    """Panels of lines: each the mean over its seeds, in a band from the smallest to the largest.

    Parameters
    ----------
    charts : mapping
        Title of each panel to its lines by name; a name has the same colour in all panels.
    path : Path
        The PNG to write.
    title : str
        Above the figure.
    labels : (str, str)
        What stands along the axes.
    """
    names = list(dict.fromkeys(name for chart in charts.values() for name in chart))
    figure, axes = panels(list(charts), 2, (5.2, 3.8), title)
    for panel, chart in zip(axes, charts.values(), strict=True):
        for name, line in chart.items():
            colour, heights = COLOURS[names.index(name) % len(COLOURS)], np.atleast_2d(line.y)
            marker = "o" if len(line.x) < 20 else None
            panel.plot(line.x, heights.mean(axis=0), color=colour, marker=marker, markersize=4, label=name)
            panel.fill_between(line.x, heights.min(axis=0), heights.max(axis=0), color=colour, alpha=0.2, linewidth=0)
        panel.set_xlabel(labels[0])
        panel.set_ylabel(labels[1])
        panel.spines[["top", "right"]].set_visible(False)
    handles = {
        label: handle for panel in axes for handle, label in zip(*panel.get_legend_handles_labels(), strict=True)
    }
    figure.legend(
        handles.values(), handles.keys(), frameon=False, loc="outside lower center", ncols=2 * min(2, len(axes))
    )
    write(figure, path)
