"""What all figures share: colours, axes, and how a figure becomes a PNG."""

import io
import math
import textwrap
from pathlib import Path
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, ScalarFormatter

from stacked.files import write_atomically
from stacked.ticks import MOST, logarithmic_ticks

INK, GREY = "#222222", "#a3a3a3"
COLOURS = (
    "#1f5fa8",
    "#d1602d",
    "#2f8f5b",
    "#8a4fa3",
    "#b3882a",
    "#c23b5e",
    "#3b9fb5",
    "#6b6b6b",
    "#7fae3f",
    "#5a4632",
)
"""For what is told apart by colour, ten of them; the first is the one used alone."""


def panels(titles: list[str], columns: int, size: tuple[float, float], title: str) -> tuple[Figure, list[Axes]]:
    """A figure with one panel of `size` inches for each title, in at most so many columns."""
    rows = -(-len(titles) // columns)
    columns = -(-len(titles) // rows)
    figure = Figure(figsize=(size[0] * columns, size[1] * rows + 0.5), layout="constrained")
    figure.suptitle(title, color=INK)
    axes = [figure.add_subplot(rows, columns, i + 1) for i in range(len(titles))]
    for panel, name in zip(axes, titles, strict=True):
        panel.set_title(textwrap.fill(name, int(11 * size[0])), fontsize=10, color=INK)
    return figure, axes


def whole_numbers(axis: Axis) -> None:
    """Write whole numbers along an axis and no others, though there be but one."""
    axis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 5, 10], integer=True, min_n_ticks=1))


def logarithmic(panel: Axes, which: Literal["x", "y"], text: str = "{:g}", most: float = math.inf) -> None:
    """Make an axis logarithmic, with round numbers up to `most` as `text` has them."""
    panel.set(**{f"{which}scale": "log"})
    axis = panel.xaxis if which == "x" else panel.yaxis
    low, high = axis.get_view_interval()
    ticks = [tick for tick in logarithmic_ticks(low, high, MOST) if tick <= most]
    axis.set_ticks(ticks, [text.format(tick) for tick in ticks])
    axis.set_ticks([], minor=True)


def write(figure: Figure, path: Path) -> None:
    """Write the figure as a PNG, whole or not at all."""
    for panel in figure.axes:
        for axis in (panel.xaxis, panel.yaxis):
            formatter = axis.get_major_formatter()
            if isinstance(formatter, ScalarFormatter):
                formatter.set_useOffset(False)  # numbers as they are, not what is to be added to one at the corner
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=150)
    write_atomically(path, png.getvalue())
