"""Losses by epoch, a panel for each training, with the best epoch marked."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes

from stacked.callbacks import Record
from stacked.plots.page import COLOURS, GREY, INK, logarithmic, panels, whole_numbers, write
from stacked.rows import Array

_FIGURES = {
    "loss": ("loss", "validation_loss"),
    "error rate, per cent": ("validation_error_rate",),
}
_NAMES = {
    "loss": "training loss, with noise and penalties",
    "validation_loss": "validation loss, clean",
    "validation_error_rate": "validation error rate",
}
_COLOURS = dict(zip(_NAMES, COLOURS, strict=False))
_STEEP = 30
"""Where the largest value is so many times the smallest, the axis is logarithmic."""


class _Chart(NamedTuple):
    """What one panel shows: of what training, what stands along the axis, the epochs, and figures by name."""

    title: str
    what: str
    epochs: Array
    figures: dict[str, Array]


def loss_curves(histories: Mapping[str, Iterable[Record]], path: Path, *, title: str) -> None:
    """Loss and, where they were measured, validation loss and error rate of every training by epoch.

    The lowest validation figure is marked, or where there is none the lowest loss.

    Parameters
    ----------
    histories : mapping
        Title of each panel to a history, of one epoch at least.
    path : Path
        The PNG to write.
    title : str
        Above the figure.
    """
    charts = [chart for name, history in histories.items() for chart in _charts(name, list(history))]
    figure, axes = panels([chart.title for chart in charts], 3, (4.6, 3.3), title)
    legend = {}
    for panel, chart in zip(axes, charts, strict=True):
        for name, values in chart.figures.items():
            marker = "o" if len(chart.epochs) < 20 else None
            (legend[_NAMES[name]],) = panel.plot(
                chart.epochs, values, color=_COLOURS[name], marker=marker, markersize=3
            )
        _mark_best(panel, chart)
        _dress(panel, chart)
    figure.legend(legend.values(), legend.keys(), frameon=False, loc="outside lower center", ncols=min(3, len(axes)))
    write(figure, path)


def _charts(name: str, history: list[Record]) -> list[_Chart]:
    """One for the losses of a training, and one for its error rates if it has any."""
    epochs, charts = np.array([record["epoch"] for record in history]), []
    for what, names in _FIGURES.items():
        figures = {
            figure: np.array([record.get(figure, np.nan) for record in history], float)
            * (1 if what == "loss" else 100)
            for figure in names
            if any(figure in record for record in history)
        }
        if figures:
            charts.append(_Chart(name, what, epochs, figures))
    return charts


def _mark_best(panel: Axes, chart: _Chart) -> None:
    """A ring around the lowest point, and in words outside of the lines what it is."""
    name, values = list(chart.figures.items())[-1]
    if not np.isfinite(values).any():
        return
    best = int(np.nanargmin(np.where(np.isfinite(values), values, np.nan)))
    panel.axvline(chart.epochs[best], color=GREY, linewidth=1, linestyle=":", zorder=0)
    panel.plot(
        chart.epochs[best],
        values[best],
        marker="o",
        markersize=9,
        fillstyle="none",
        color=_COLOURS[name],
        label="best",
    )
    kind = "validation" if name.startswith("validation") else "training"
    words = f"best {kind}: {values[best]:.4g} in epoch {chart.epochs[best]}"
    blank = {"facecolor": "white", "edgecolor": "none", "pad": 1}
    style: dict[str, Any] = {"fontsize": 8, "color": INK, "bbox": blank}
    panel.text(0.98, 0.97, words, transform=panel.transAxes, ha="right", va="top", **style)


def _dress(panel: Axes, chart: _Chart) -> None:
    values = np.concatenate(list(chart.figures.values()))
    finite = values[np.isfinite(values)]
    if len(finite) > 0 and finite.min() > 0 and finite.max() > _STEEP * finite.min():
        room = (finite.max() / finite.min()) ** 0.06
        panel.set_ylim(finite.min() / room, finite.max() * room**3)  # the upper end is for the words
        logarithmic(panel, "y")
    else:
        panel.margins(y=0.15)
    whole_numbers(panel.xaxis)
    panel.set_xlabel("epoch")
    panel.set_ylabel(chart.what)
    panel.spines[["top", "right"]].set_visible(False)
