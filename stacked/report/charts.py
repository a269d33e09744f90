"""Drawings in SVG that take their colours and letters from the page.

Places are given in per cent of the drawing and sizes in pixels, so that a chart is as wide as there is room while its
letters, dots and lines keep their size.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from stacked.report.html import Html, element, joined
from stacked.report.scales import Scale
from stacked.short_names import short_names

Ticks = Sequence[tuple[float, str]]
"""Places along an axis, in per cent from its low end, and what is written there."""

LONGEST_NAME = 36
"""Letters that fit across a narrow chart."""

_SHORT_NAME = 8

_MOST_LINES = 15
"""Lines of a drawing that fit on a page of paper."""

N_STYLES = 8
"""So many colours tell lines apart, the style sheet has them as `.s0` and so on; later lines are dotted besides."""


class Dot(NamedTuple):
    """One run: where it lies along the axis, what it is, and whether it is marked as an odd one."""

    place: float
    title: str
    hollow: bool = False


class Strip(NamedTuple):
    """The runs of one arm, and the place of their median."""

    name: str
    dots: Sequence[Dot]
    median: float


class Interval(NamedTuple):
    """A difference: what it is between, and the places of the ends of its interval and of its estimate."""

    name: str
    low: float
    middle: float
    high: float


class Curve(NamedTuple):
    """A line: its name, which colour it has, whether it is dashed, and its points as places along both axes."""

    name: str
    style: int
    is_dashed: bool
    points: Sequence[tuple[float, float]]


def strips(rows: Sequence[Strip], ticks: Ticks, label: str) -> Html:
    """A line of dots for each arm, below its name, above one axis."""
    names = short_names([row.name for row in rows], LONGEST_NAME)
    drawn = [partial(_strip, row, name) for row, name in zip(rows, names, strict=True)]
    return _below_each_other(drawn, 52, None, ticks, label)


def intervals(rows: Sequence[Interval], zero: float, ticks: Ticks, label: str) -> Html:
    """A dot in its interval for each difference, below its name, and a line where there is none."""
    none = element("line", class_="zero", x1=_per_cent(zero), x2=_per_cent(zero), y1=0, y2="100%")
    names = short_names([row.name for row in rows], LONGEST_NAME)
    drawn = [partial(_interval, row, name) for row, name in zip(rows, names, strict=True)]
    return _below_each_other(drawn, 46, none, ticks, label)


def lines(curves: Sequence[Curve], x: Ticks, y: Ticks, label: str) -> Html:
    """Lines through points."""
    height = 220
    return _drawing(height, joined(_across(x, height), _down(y), *map(_line, curves)), label, class_="lines")


def heat_map(uri: str, rows: Sequence[str], height: int, label: str) -> Html:
    """A picture, stretched to the drawing, with the names of its rows at its left; there may be none."""
    names = _beside([(100 - (i + 0.5) / len(rows) * 100, name) for i, name in enumerate(rows)])
    picture = element("image", href=uri, width="100%", height="100%", preserveAspectRatio="none")
    frame = element("rect", class_="frame", width="100%", height="100%")
    beside = element("g", names, class_="down", aria_hidden="true")
    return _drawing(height, joined(picture, frame, beside), label, class_=_heat_style(rows))


def legend(curves: Sequence[Curve]) -> Html | None:
    """What each of several lines stands for."""
    if len(curves) < 2:
        return None
    return element("ul", *(element("li", _sample(curve), curve.name) for curve in curves), class_="legend")


def ticks_of(scale: Scale, texts: Mapping[float, str]) -> Ticks:
    """The ticks of an axis with their texts."""
    return [(scale.place(value), text) for value, text in texts.items()]


def _heat_style(names: Sequence[str]) -> str:
    """How much room there is for names at the left."""
    longest = max(map(len, names), default=0)
    return "heat bare" if not names else "heat narrow" if longest <= _SHORT_NAME else "heat"


def _drawing(height: int, body: Html, label: str, *, class_: str) -> Html:
    return element("svg", body, class_=class_, role="img", aria_label=label, width="100%", height=height)


def _below_each_other(
    drawn: Sequence[Callable[[int], list[Html]]], pitch: int, behind: Html | None, ticks: Ticks, label: str
) -> Html:
    """What is drawn so far down, line by line; many lines in several drawings, each with the same axis."""
    parts = []
    for start in range(0, len(drawn), _MOST_LINES):
        part = drawn[start : start + _MOST_LINES]
        height = pitch * len(part) + 8
        marks = [mark for i, draw in enumerate(part) for mark in draw(pitch * i)]
        body = joined(_across(ticks, height), behind, *marks)
        parts.append(_drawing(height, body, "The same, continued" if start else label, class_="strips"))
    return joined(*parts)


def _across(ticks: Ticks, height: int) -> Html:
    """The ticks of the axis below, with lines through the drawing."""
    drawn = [_at(place, 0, place, 100) for place, _ in ticks]
    texts = [element("text", text, x=_per_cent(place), y=height + 18) for place, text in ticks]
    return element("g", *drawn, *texts, class_="across", aria_hidden="true")


def _down(ticks: Ticks) -> Html:
    """The ticks of the axis at the left, with lines through the drawing."""
    drawn = [_at(0, 100 - place, 100, 100 - place) for place, _ in ticks]
    return element("g", *drawn, _beside(ticks), class_="down", aria_hidden="true")


def _beside(ticks: Ticks) -> Html:
    """Texts at the left of the drawing."""
    return joined(*(element("text", text, x=-8, y=_per_cent(100 - place), dy="0.33em") for place, text in ticks))


def _at(x1: float, y1: float, x2: float, y2: float) -> Html:
    ends = {"x1": x1, "y1": y1, "x2": x2, "y2": y2}
    return element("line", **{name: _per_cent(place) for name, place in ends.items()})


def _strip(row: Strip, name: str, top: int) -> list[Html]:
    middle = top + 36
    place = _per_cent(row.median)
    median = element("line", class_="median", x1=place, x2=place, y1=middle - 13, y2=middle + 13)
    return [_named(name, top), median, *(_dot(i, dot, middle) for i, dot in enumerate(row.dots))]


def _interval(row: Interval, name: str, top: int) -> list[Html]:
    middle = top + 33
    low, high = _per_cent(row.low), _per_cent(row.high)
    return [
        _named(name, top),
        element("line", class_="interval", x1=low, x2=high, y1=middle, y2=middle),
        element("circle", cx=_per_cent(row.middle), cy=middle, r=5),
    ]


def _named(name: str, top: int) -> Html:
    return element("text", name, class_="name", x=0, y=top + 14)


def _dot(number: int, dot: Dot, middle: int) -> Html:
    """A dot, moved up or down a little, so that runs with one figure are all seen."""
    moved = (number * 0.618034) % 1 * 16 - 8  # the golden ratio: neighbours in turn lie far apart
    style = "dot hollow" if dot.hollow else "dot"
    return element(
        "circle", element("title", dot.title), class_=style, cx=_per_cent(dot.place), cy=middle + moved, r=4
    )


def _line(curve: Curve) -> Html:
    """A line in coordinates that are stretched, and dots in others that are not, where there are few."""
    path = " ".join(f"{x:.2f},{100 - y:.2f}" for x, y in curve.points)
    line = element("polyline", points=path, vector_effect="non-scaling-stroke")
    stretched = element("svg", line, viewBox="0 0 100 100", preserveAspectRatio="none", width="100%", height="100%")
    few = curve.points if len(curve.points) <= 12 else ()
    dots = [element("circle", cx=_per_cent(x), cy=_per_cent(100 - y), r=2.5) for x, y in few]
    return element("g", stretched, *dots, class_=_style(curve))


def _sample(curve: Curve) -> Html:
    inner = element("g", element("line", x1=1, x2=25, y1=6, y2=6), class_=_style(curve))
    return element("svg", inner, class_="sample", width=26, height=12, aria_hidden="true")


def _style(curve: Curve) -> str:
    return f"curve s{curve.style % N_STYLES}" + " later" * (curve.style >= N_STYLES) + " dashed" * curve.is_dashed


def _per_cent(place: float) -> str:
    return f"{place:.2f}%"
