"""What all figures share: colours, and how a figure becomes a PNG."""

import io
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stacked.files import write_atomically

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
        panel.set_title(name, fontsize=10, color=INK)
    return figure, axes


def write(figure: Figure, path: Path) -> None:
    """Write the figure as a PNG, whole or not at all."""
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=150)
    write_atomically(path, png.getvalue())


def in_short(name: str, most: int = 24) -> str:
    """A name of at most so many characters."""
    return name if len(name) <= most else f"{name[: most - 1]}…"
