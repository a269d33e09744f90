"""Arrays as small PNG pictures that stand in the page itself; where they are transparent, the page shows through."""

import base64
import math
import re
import struct
import zlib
from collections.abc import Sequence

import numpy as np

from stacked.rows import Array

_KINDS = {1: 0, 2: 4, 3: 2, 4: 6}  # channels to the colour type of PNG: grey, grey and alpha, RGB, RGB and alpha
_LEAST_SIDE = 8
_NEGATIVE, _POSITIVE = (46, 124, 196), (226, 110, 40)  # to be told apart by all eyes, on white and on black


def image_side(n_columns: int, names: Sequence[str] = ()) -> int | None:
    """The side of the square pictures that rows of so many columns are; None where they seem to be none.

    They are taken for pictures if they have the numbers of pixels of a square of at least 8 x 8, and no names of
    their own; "pixel 17" is none.
    """
    side = math.isqrt(n_columns)
    named = any(not re.fullmatch(r"(?i)(p|px|pixel)?[\s_-]*\d+([\s_x-]+\d+)?", name) for name in names)
    return side if side * side == n_columns and side >= _LEAST_SIDE and not named else None


def mosaic(pictures: Array, n_across: int, limits: tuple[float, float]) -> Array:
    """Pictures in lines of so many, as grey with alpha, shape `(height, width, 2)`; the gaps are transparent.

    Parameters
    ----------
    pictures : array
        Shape `(n, side, side)`.
    n_across : int
        How many stand side by side.
    limits : (float, float)
        The values of black and of white.
    """
    n, side, _ = pictures.shape
    down = -(-n // n_across)
    canvas = np.zeros((down * (side + 1) - 1, n_across * (side + 1) - 1, 2), np.uint8)
    low, high = limits
    grey = np.clip((pictures - low) / ((high - low) or 1.0), 0, 1) * 255
    for i, picture in enumerate(np.nan_to_num(grey).astype(np.uint8)):
        top, left = i // n_across * (side + 1), i % n_across * (side + 1)
        canvas[top : top + side, left : left + side] = np.stack([picture, np.full_like(picture, 255)], axis=2)
    return canvas


def enlarged(pixels: Array, width: int) -> Array:
    """Pixels as squares of pixels, so many that the picture is nearly as wide as this; never smaller."""
    side = max(1, width // pixels.shape[1])
    return pixels.repeat(side, axis=0).repeat(side, axis=1)


def signed_colours(values: Array) -> Array:
    """Negative values blue, positive ones orange, zero transparent; `(height, width)` to `(height, width, 4)`."""
    sound = np.nan_to_num(values.astype(np.float64), posinf=0, neginf=0)
    strength = np.abs(sound) / max(float(np.abs(sound).max(initial=0)), np.finfo(np.float64).tiny)
    coloured = np.where((sound < 0)[..., None], _NEGATIVE, _POSITIVE).astype(np.uint8)
    alpha = np.round(255 * strength).astype(np.uint8)
    return np.concatenate([coloured, alpha[..., None]], axis=2)


def data_uri(pixels: Array) -> str:
    """A picture as the address of an image: bytes, shape `(height, width, channels)`."""
    return "data:image/png;base64," + base64.b64encode(png(pixels)).decode()


def png(pixels: Array) -> bytes:
    """PNG of bytes, shape `(height, width, channels)`: grey, grey and alpha, RGB, or RGB and alpha."""
    height, width, channels = pixels.shape
    lines = np.concatenate([np.zeros((height, 1), np.uint8), pixels.reshape(height, -1)], axis=1)  # 0: no filter
    header = struct.pack(">IIBBBBB", width, height, 8, _KINDS[channels], 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(lines.tobytes(), 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*part) for part in parts)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
