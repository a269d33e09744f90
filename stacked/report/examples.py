"""Rows that were looked at: originals and reconstructions, and the predictions that were most wrong."""

from collections.abc import Sequence

import numpy as np

from stacked.report.contents import Contents, Mistakes, Reconstructed
from stacked.report.figures import figure
from stacked.report.html import Html, element, joined
from stacked.report.pictures import data_uri, enlarged, image_side, mosaic
from stacked.report.tables import table
from stacked.report.words import NBSP, listed, number, percent
from stacked.rows import Array

_MOST_DEVIATIONS = 3
_WIDTH = 72


def reconstructions(contents: Contents) -> Html | None:
    """Test rows beside what the stacks make of them."""
    shown = contents.reconstructed
    if shown is None:
        return None
    side = image_side(shown.rows.shape[1], contents.columns)
    return _tables(shown, contents.columns) if side is None else _pictures(shown, side)


def mistakes(contents: Contents) -> Html | None:
    """The worst predictions of every arm."""
    parts = [joined(element("h3", arm), _of_arm(worst, contents)) for arm, worst in contents.mistakes.items()]
    return joined(*parts) if parts else None


def _pictures(shown: Reconstructed, side: int) -> Html:
    """One picture a row: the original above what each arm makes of it."""
    arms = list(shown.by_arm)
    limits = _limits(shown.rows)
    made = [
        _picture(
            np.stack([rows[i] for rows in (shown.rows, *shown.by_arm.values())]), side, limits, f"Test row {i + 1}"
        )
        for i in range(len(shown.rows))
    ]
    note = f"The original on top, below it what {listed(arms)} make{'s' * (len(arms) == 1)} of it."
    return figure(f"{len(shown.rows)} test rows", note, element("div", *made, class_="pictures"))


def _picture(rows: Array, side: int, limits: tuple[float, float], alt: str) -> Html:
    pixels = mosaic(rows.reshape(-1, side, side).astype(np.float64), 1, limits)
    return element("img", src=data_uri(enlarged(pixels, _WIDTH)), alt=alt, class_="picture")


def _limits(rows: Array) -> tuple[float, float]:
    """Black and white: 0 and 1 where values lie between, or else the smallest and the largest."""
    low, high = float(np.nanmin(rows)), float(np.nanmax(rows))
    return (0.0, 1.0) if low >= 0 and high <= 1 else (low, high)


def _tables(shown: Reconstructed, columns: Sequence[str]) -> Html:
    head = ("test row", "deviation", "furthest off: original → reconstruction")
    lines = {arm: _lines(shown.rows, made, columns) for arm, made in shown.by_arm.items()}
    return joined(*(table(f"Reconstructions by {arm}", head, body, class_="words") for arm, body in lines.items()))


def _lines(rows: Array, made: Array, columns: Sequence[str]) -> list[tuple[str, str, str]]:
    """Row by row how far the reconstruction is off, and where the most."""
    lines = []
    for i, off in enumerate(_in_deviations(made - rows, rows)):
        told = [
            f"{_name(j, columns)} {number(float(rows[i, j]), '.3g')} → {number(float(made[i, j]), '.3g')}"
            for j in _largest(off)
        ]
        lines.append((str(i + 1), number(float(np.sqrt(np.mean(off**2))), ".2f"), "; ".join(told)))
    return lines


def _in_deviations(differences: Array, rows: Array) -> Array:
    """Differences, column by column in standard deviations of some rows."""
    spread = rows.std(axis=0)
    scaled: Array = differences / np.where(spread > 0, spread, 1.0)
    return scaled


def _largest(off: Array) -> list[int]:
    return [int(j) for j in np.argsort(-np.abs(off), kind="stable")[:_MOST_DEVIATIONS]]


def _name(column: int, columns: Sequence[str]) -> str:
    return columns[column] if column < len(columns) else f"column {column + 1}"


def _of_arm(worst: Mistakes, contents: Contents) -> Html:
    side = None if worst.rows is None else image_side(worst.rows.shape[1], contents.columns)
    if worst.rows is None or side is None:
        return _mistakes_table(worst, contents)
    limits = _limits(worst.rows)
    figures = []
    for i, row in enumerate(worst.rows):
        picture = _picture(row[None], side, limits, f"Row {worst.numbers[i]}")
        figures.append(element("figure", picture, element("figcaption", _told(worst, i))))
    return element("div", *figures, class_="pictures")


def _told(worst: Mistakes, i: int) -> str:
    sure = f" ({number(100 * worst.share[i], '.1f')}{NBSP}%)" if worst.share else ""
    return f"taken for {worst.predicted[i]}{sure}, is {worst.true[i]}"


def _mistakes_table(worst: Mistakes, contents: Contents) -> Html:
    head = ["row", "predicted", "true"]
    lines = [list(map(str, line)) for line in zip(worst.numbers, worst.predicted, worst.true, strict=True)]
    if worst.share:
        head.append("how sure, per cent")
        lines = [[*line, percent(share)] for line, share in zip(lines, worst.share, strict=True)]
    if worst.rows is not None and contents.reconstructed is not None:
        usual = contents.reconstructed.rows
        head.append(f"furthest from the mean of {len(usual)} test rows")
        unusual = _unusual(worst.rows, usual, contents.columns)
        lines = [[*line, told] for line, told in zip(lines, unusual, strict=True)]
    return table("Most confident mistakes" if worst.share else "Largest residuals", head, lines, class_="words")


def _unusual(rows: Array, usual: Array, columns: Sequence[str]) -> list[str]:
    """Of each row the values that are furthest from the mean of the usual ones, in their standard deviations."""
    off = _in_deviations(rows - usual.mean(axis=0), usual)
    return [
        "; ".join(f"{_name(j, columns)} {number(float(row[j]), '.3g')}" for j in _largest(far))
        for row, far in zip(rows, off, strict=True)
    ]
