"""A folder of images as a table: one row an image, its pixels as bytes that are read as numbers from 0 to 1.

Only this file imports Pillow.
"""

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from stacked.collected import collected
from stacked.errors import StackedError, mismatch
from stacked.extras import needing
from stacked.image_files import images_in
from stacked.paths import open_plain
from stacked.rows import Array
from stacked.scaled_rows import ScaledRows

with needing("images", "images"):
    from PIL import Image

_GREY = ("1", "L", "LA")
_COLOUR = ("P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr")
_RAISED = (ValueError, TypeError, SyntaxError, EOFError, MemoryError, ArithmeticError, LookupError)
"""What Pillow makes of damaged files, besides OSError."""


class _Kind(NamedTuple):
    width: int
    height: int
    colour: str

    def __str__(self) -> str:
        return f"{self.width} x {self.height} in {self.colour}"


def image_rows(folder: Path) -> ScaledRows:
    """The images in a folder, each as a row.

    Parameters
    ----------
    folder : Path
        Of which `images_in` are taken.

    Returns
    -------
    ScaledRows
        Shape `(n, height * width)` for grey images, `(n, height * width * 3)` for those in colour, red, green and
        blue of a pixel side by side, without transparency. The bytes are as `collected` has them.

    Raises
    ------
    StackedError
        When `images_in` finds none, one cannot be read, or they differ in size or in having colour.
    """
    return ScaledRows(collected(_pixels(folder)), 255, "float64")


def _pixels(folder: Path) -> Iterator[Array]:
    """Image after image as one row of bytes, shape `(1, n_inputs)`."""
    first, paths = None, images_in(folder)
    for path in paths:
        pixels, kind = _read(path)
        first = kind if first is None else first
        if kind != first:
            expected, remedy = f"{first}, as in {paths[0].name}", "make all images of one size and kind"
            raise mismatch(str(path), expected=expected, received=f"{kind}", remedy=remedy)
        yield pixels.reshape(1, -1)


def _read(path: Path) -> tuple[Array, _Kind]:
    try:
        with open_plain(path) as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(file) as image:
                if image.mode not in _GREY + _COLOUR:
                    received, remedy = f"mode {image.mode}", "convert it to 8 bits a channel"
                    raise mismatch(str(path), expected="8 bits a channel", received=received, remedy=remedy)
                colour = "grey" if image.mode in _GREY else "colour"
                pixels = np.asarray(image.convert("L" if colour == "grey" else "RGB"))
                return pixels, _Kind(image.width, image.height, colour)
    except StackedError:
        raise
    except (OSError, Image.DecompressionBombError, Image.DecompressionBombWarning, *_RAISED) as error:
        reason = getattr(error, "strerror", None) or error
        received, remedy = f"what does not read as one ({reason})", "restore or remove it"
        raise mismatch(str(path), expected="an image", received=received, remedy=remedy) from error
