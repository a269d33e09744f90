"""What the first layer looks for: filters as pictures where rows are pictures, or else as a map of weights."""

import math
from collections.abc import Sequence

import numpy as np

from stacked.report.charts import heat_map
from stacked.report.contents import Contents
from stacked.report.figures import figure, side_by_side
from stacked.report.html import Html, element, joined
from stacked.report.pictures import data_uri, enlarged, image_side, mosaic, signed_colours
from stacked.report.words import number
from stacked.rows import Array
from stacked.short_names import short_names
from stacked.wording import counted

_MOST = 64
_WIDTH = 400
_MOST_NAMES = 40
_LONGEST_NAME = 20


def weights(contents: Contents) -> Html | None:
    """The weights of the first layer."""
    if not contents.filters:
        return None
    shapes = {of.shape for of in contents.filters.values()}
    note = element("p", " ".join(_note(shape, contents.columns) for shape in sorted(shapes)), class_="note")
    return joined(note, side_by_side([_figure(name, of, contents.columns) for name, of in contents.filters.items()]))


def _note(shape: tuple[int, ...], columns: Sequence[str]) -> str:
    n_units, n_columns = shape
    units = f"{_MOST} of {n_units:,} units" if n_units > _MOST else counted(n_units, "unit")
    side = image_side(n_columns, columns)
    if side is not None:
        return f"{units}, as pictures of {side} by {side}; each is scaled to its own largest weight, and grey is 0."
    return f"{units} across, columns down. Orange is positive and blue negative; the stronger, the larger."


def _figure(name: str, of: Array, columns: Sequence[str]) -> Html:
    side, shown = image_side(of.shape[1], columns), np.nan_to_num(of[:_MOST].astype(np.float64), posinf=0, neginf=0)
    title = name[:1].upper() + name[1:]
    if side is not None:
        return figure(title, "", _pictures(shown, side, name))
    note = f"From {number(float(shown.min()), '.3g')} to {number(float(shown.max()), '.3g')}."
    return figure(title, note, _map(shown, columns, name))


def _pictures(shown: Array, side: int, name: str) -> Html:
    scaled = shown / np.maximum(np.abs(shown).max(axis=1, keepdims=True), np.finfo(np.float64).tiny)
    pixels = mosaic(scaled.reshape(-1, side, side), math.ceil(math.sqrt(len(shown))), (-1.0, 1.0))
    return element("img", src=data_uri(enlarged(pixels, _WIDTH)), alt=f"Weights of {name} as {len(shown)} pictures")


def _map(shown: Array, columns: Sequence[str], name: str) -> Html:
    """Columns downwards with their names, if these are few; units across."""
    named = columns if len(columns) == shown.shape[1] <= _MOST_NAMES else ()
    height = 18 * shown.shape[1] if named else int(min(480, max(120, 8 * shown.shape[1])))
    label = f"Weights of {name}: {shown.shape[1]} columns by {len(shown)} units"
    return heat_map(data_uri(signed_colours(shown.T)), short_names(named, _LONGEST_NAME), height, label)
