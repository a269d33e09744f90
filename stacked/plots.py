"""Figures. The only file that imports matplotlib."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stacked.files import write_atomically
from stacked.rows import Array

_BLUE, _GREY, _INK = "#1f5fa8", "#a3a3a3", "#222222"


def error_distributions(
    arms: Mapping[str, Sequence[float]],
    path: Path,
    *,
    title: str,
    reference: Mapping[str, Sequence[float]] | None = None,
) -> None:
    """Every error rate of every arm as a dot on a logarithmic axis, medians marked; a reference below each arm.

    Parameters
    ----------
    arms, reference : mapping
        Name to error rates as fractions.
    path : Path
        The PNG to write.
    title : str
        Above the figure.
    """
    figure = Figure(figsize=(8, 1.2 + 1.1 * len(arms)), layout="constrained")
    axes = figure.add_subplot()
    for i, (name, rates) in enumerate(arms.items()):
        _strip(axes, 100 * np.asarray(rates), -i + 0.12, _BLUE, f"stacked, {len(rates)} seeds" if i == 0 else None)
        if reference and name in reference:
            theirs = 100 * np.asarray(reference[name])
            _strip(axes, theirs, -i - 0.2, _GREY, f"DeepLearnToolbox, {len(theirs)} seeds" if i == 0 else None)
    axes.set_yticks([-i for i in range(len(arms))], list(arms))
    axes.set_xscale("log")
    ticks = [tick for tick in (1, 2, 3, 4, 5, 7, 10, 15, 20, 30, 40, 60, 90) if _within(tick, axes.get_xlim())]
    axes.set_xticks(ticks, [f"{tick} %" for tick in ticks])
    axes.set_xticks([], minor=True)
    axes.set_xlabel("test error rate (logarithmic); the bar marks the median")
    axes.set_title(title, loc="left", color=_INK)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    if axes.get_legend_handles_labels()[0]:
        figure.legend(frameon=False, loc="outside lower center", ncols=2)
    _write(figure, path)


def filter_tiles(
    tiles: Mapping[str, Array], path: Path, *, title: str, image_shape: tuple[int, int] = (28, 28)
) -> None:
    """Panels of first-layer filters, each filter a picture scaled to its own largest absolute weight.

    Parameters
    ----------
    tiles : mapping
        Title of each panel to weights, shape `(n_units, height * width)`.
    path : Path
        The PNG to write.
    title : str
        Above the figure.
    image_shape : (int, int)
        Height and width of the pictures.
    """
    n_columns = min(3, len(tiles))
    n_rows = -(-len(tiles) // n_columns)
    figure = Figure(figsize=(3.6 * n_columns, 3.9 * n_rows + 0.4), layout="constrained")
    figure.suptitle(title, color=_INK)
    for i, (name, weights) in enumerate(tiles.items()):
        axes = figure.add_subplot(n_rows, n_columns, i + 1)
        axes.imshow(_mosaic(weights, image_shape), cmap="gray", vmin=-1, vmax=1, interpolation="nearest")
        axes.set_title(name, fontsize=10, color=_INK)
        axes.axis("off")
    _write(figure, path)


def _write(figure: Figure, path: Path) -> None:
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=150)
    write_atomically(path, png.getvalue())


def _strip(axes: Axes, percent: Any, height: float, colour: str, label: str | None) -> None:
    if len(percent) == 0:
        return
    jitter = np.random.default_rng(0).uniform(-0.08, 0.08, len(percent))
    axes.scatter(percent, height + jitter, s=22, color=colour, alpha=0.75, linewidths=0, label=label)
    axes.vlines(np.median(percent), height - 0.14, height + 0.14, color=colour, linewidth=2.5)


def _within(value: float, limits: tuple[float, float]) -> bool:
    return limits[0] <= value <= limits[1]


def _mosaic(weights: Array, image_shape: tuple[int, int]) -> Array:
    """A square of pictures, one a row of weights, with a pixel between them."""
    height, width = image_shape
    side = int(np.ceil(np.sqrt(len(weights))))
    mosaic = np.ones((side * (height + 1) - 1, side * (width + 1) - 1))
    for i, row in enumerate(weights):
        top, left = i // side * (height + 1), i % side * (width + 1)
        picture = row.reshape(image_shape) / max(np.abs(row).max(), np.finfo(row.dtype).tiny)
        mosaic[top : top + height, left : left + width] = picture
    return mosaic
