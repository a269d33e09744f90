"""Rows of a table drawn as pictures: filters, images, codes."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from stacked.plots.page import INK, panels, write
from stacked.rows import Array

_LARGEST = 1.3
"""Inches of the longer side of a picture, where few of them would be larger."""
_NARROWEST = 6.0
"""Inches of a strip, for the title to fit."""


def filter_tiles(
    tiles: Mapping[str, Array], path: Path, *, title: str, image_shape: tuple[int, int] = (28, 28)
) -> None:
    """Panels of filters, each filter a picture scaled to its own largest absolute weight.

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
    scaled = {
        name: weights / np.maximum(np.abs(weights).max(axis=1, keepdims=True), np.finfo(weights.dtype).tiny)
        for name, weights in tiles.items()
    }
    note = "each scaled to its own largest weight: white is positive, black negative, grey 0"
    _mosaics(scaled, path, title, image_shape, (-1.0, 1.0), note)


def image_tiles(
    tiles: Mapping[str, Array], path: Path, *, title: str, image_shape: tuple[int, int] = (28, 28)
) -> None:
    """The same for images with values in [0, 1]."""
    _mosaics(tiles, path, title, image_shape, (0.0, 1.0))


def picture_rows(
    rows: Mapping[str, Array], path: Path, *, title: str, image_shape: tuple[int, int] = (28, 28)
) -> None:
    """Strips of pictures below each other, such as originals over reconstructions; 0 is black.

    Parameters
    ----------
    rows : mapping
        What stands left of each strip to its pictures, shape `(n, height * width)`. A strip is as bright as its
        largest value, if that is above 1.
    path, title, image_shape
        As for `filter_tiles`.
    """
    height, width = image_shape
    longest = max(map(len, rows.values()))
    inches = min(10 / (longest * (width + 1)), _LARGEST / max(height, width))
    size = (max(_NARROWEST, inches * longest * (width + 1)), max(0.35, inches * (height + 1)))
    figure, axes = panels([""] * len(rows), 1, size, title)
    for panel, (name, pictures) in zip(axes, rows.items(), strict=True):
        strip = np.full((height, longest * (width + 1) - 1), np.nan)
        for i, picture in enumerate(pictures):
            strip[:, i * (width + 1) : i * (width + 1) + width] = picture.reshape(image_shape)
        panel.imshow(strip, cmap="gray", vmin=0, vmax=max(1.0, float(pictures.max())), interpolation="nearest")
        panel.set_ylabel(name, rotation=0, ha="right", va="center", fontsize=9, color=INK)
        panel.set_xticks([])
        panel.set_yticks([])
        panel.spines[:].set_visible(False)
    write(figure, path)


def _mosaics(
    tiles: Mapping[str, Array],
    path: Path,
    title: str,
    image_shape: tuple[int, int],
    limits: tuple[float, float],
    note: str = "",
) -> None:
    mosaics = [_mosaic(pictures, image_shape, limits[1]) for pictures in tiles.values()]
    wide = 3.6 if len(tiles) > 1 else 6.0
    high = wide * min(2.0, max(len(mosaic) / mosaic.shape[1] for mosaic in mosaics))
    figure, axes = panels(list(tiles), 3, (wide, high + 0.3), title)
    for panel, mosaic in zip(axes, mosaics, strict=True):
        panel.imshow(mosaic, cmap="gray", vmin=limits[0], vmax=limits[1], interpolation="nearest")
        panel.axis("off")
    figure.supxlabel(note, fontsize=8, color=INK)
    write(figure, path)


def _mosaic(pictures: Array, image_shape: tuple[int, int], background: float) -> Array:
    """Pictures in lines, as many in a line as lines at most, with a pixel between them."""
    height, width = image_shape
    side = int(np.ceil(np.sqrt(len(pictures))))
    lines = -(-len(pictures) // side)
    mosaic = np.full((lines * (height + 1) - 1, side * (width + 1) - 1), background)
    for i, picture in enumerate(pictures):
        top, left = i // side * (height + 1), i % side * (width + 1)
        mosaic[top : top + height, left : left + width] = picture.reshape(image_shape)
    return mosaic
