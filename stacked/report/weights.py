"""What the first layer looks for: filters as pictures where rows are pictures, or else as a map of weights."""

from collections.abc import Sequence

import numpy as np

from stacked.report.charts import heat_map
from stacked.report.contents import Contents
from stacked.report.html import Html, element
from stacked.report.pictures import data_uri, image_side, mosaic, signed_colours
from stacked.report.words import shortened
from stacked.rows import Array

_MOST = 64
_ACROSS = 8
_MOST_NAMES = 40
_LONGEST_NAME = 20


def weights(contents: Contents) -> Html | None:
    """The weights of the first layer, as far as they are finite."""
    drawn = [_figure(name, of, contents.columns) for name, of in contents.filters.items() if of.size]
    return element("div", *drawn, class_="charts") if drawn else None


def _figure(name: str, of: Array, columns: Sequence[str]) -> Html:
    side, shown = image_side(of.shape[1], columns), np.nan_to_num(of[:_MOST].astype(np.float64), posinf=0, neginf=0)
    what = f"{len(shown)} of {len(of)} units" if len(of) > len(shown) else f"{len(of)} units"
    if side is None:
        picture, caption = _map(shown, columns, name), f"{name}: weights of {what} (across) for each column (down)."
        caption += " Orange is positive, blue negative, stronger is larger."
    else:
        pictures = (shown / np.maximum(np.abs(shown).max(axis=1, keepdims=True), 1e-300)).reshape(-1, side, side)
        uri = data_uri(mosaic(pictures, min(_ACROSS, len(pictures)), (-1.0, 1.0)))
        picture = element("img", src=uri, alt=f"Filters of {name}: {what} as pictures", class_="tiles")
        caption = f"{name}: {what} as pictures of {side} x {side}, each scaled to its own largest weight."
    return element("figure", picture, element("figcaption", caption))


def _map(shown: Array, columns: Sequence[str], name: str) -> Html:
    """Columns downwards with their names, if these are few; units across."""
    named = columns if len(columns) == shown.shape[1] <= _MOST_NAMES else ()
    height = 18 * shown.shape[1] if named else int(min(480, max(120, 8 * shown.shape[1])))
    label = f"Weights of {name}: {shown.shape[1]} columns by {len(shown)} units"
    names = [shortened(column, _LONGEST_NAME) for column in named]
    return heat_map(data_uri(signed_colours(shown.T)), names, height, label)
