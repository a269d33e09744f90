"""Points in the colours of numbers or dates, with a bar that tells which is which."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np
from matplotlib import dates
from matplotlib.colorbar import Colorbar

from stacked.plots.points import Points
from stacked.rows import Array
from stacked.short_names import short_names

_LONGEST_NAME = 40
_FAR = 2
"""A value so many times as far out as all but the outermost hundredth reach has no colour of its own."""


def by_number(points: Points, values: Array, name: str, *, are_days: bool = False) -> None:
    """Points by a number each, shape `(n,)`, or a day as `days_of` gives it; those with NaN are rings.

    The bar ends before outliers, in an arrow, or they would leave one colour for all others.
    """
    known = np.isfinite(values)
    points.draw_unlabelled(~known)
    low, high = _ends(values[known])
    image = points.draw(known, c=values[known], cmap="viridis", vmin=low, vmax=high, alpha=0.8)
    below, above = (values[known] < low).any(), (values[known] > high).any()
    extend = "both" if below and above else "min" if below else "max" if above else "neither"
    (label,) = short_names([name], _LONGEST_NAME)
    bar = points.figure.colorbar(image, ax=points.panel, label=label, extend=extend)
    if are_days:
        _write_dates(bar)
    handles, told = points.panel.get_legend_handles_labels()
    if handles:
        points.figure.legend(handles, told, frameon=False, loc="outside lower center", fontsize=8)


def days_of(names: Sequence[str]) -> Array | None:
    """The days that names stand for, as numbers, where all are dates such as 2024-03-01, maybe with a time."""
    date2num: Any = dates.date2num
    try:
        return np.array([date2num(datetime.fromisoformat(name).replace(tzinfo=None)) for name in names])
    except ValueError:
        return None


def _ends(values: Array) -> tuple[float, float]:
    """The least and the largest value that have colours of their own."""
    if len(values) == 0:
        return 0.0, 1.0
    low, first, last, high = (float(value) for value in np.quantile(values, (0, 0.01, 0.99, 1)))
    room = _FAR * (last - first)
    return low if first - low <= room else first, high if high - last <= room else last


def _write_dates(bar: Colorbar) -> None:
    locator_of: Any = dates.AutoDateLocator
    formatter_of: Any = dates.ConciseDateFormatter
    locator = locator_of(maxticks=8)
    bar.ax.yaxis.set_major_locator(locator)
    bar.ax.yaxis.set_major_formatter(formatter_of(locator))
