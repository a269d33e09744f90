"""The arms of a comparison: their figures with intervals, and their differences seed by seed."""

from collections.abc import Mapping, Sequence
from typing import Any

from stacked.report.charts import Interval, intervals, ticks_of
from stacked.report.contents import ArmFigures, Comparison, Contents, Measure
from stacked.report.figures import figure
from stacked.report.html import Html, Piece, element, joined
from stacked.report.scales import drawable, scale_of
from stacked.report.tables import table
from stacked.report.words import DASH, MINUS, NBSP, number, p_value
from stacked.statistics import verdict


def compared(contents: Contents) -> Html | None:
    """Figures of every measure; without differences where none were tested."""
    return joined(*map(_of_measure, contents.comparisons)) if contents.comparisons else None


def _of_measure(comparison: Comparison) -> Html:
    n_failed = sum(len(arm.failed) for arm in comparison.arms)
    return joined(_arms(comparison), _failures(comparison.arms) if n_failed else None, _differences(comparison))


def _arms(comparison: Comparison) -> Html:
    measure, arms = comparison.measure, comparison.arms
    title = f"{measure.name}, per cent" if measure.is_share else measure.name
    columns = {
        "mean [95 % interval]": [_mean(arm, measure) for arm in arms],
        "median": [measure.shown(arm.summary.get("median")) for arm in arms],
        "range": [_range(arm, measure) for arm in arms],
        "mean R\N{SUPERSCRIPT TWO}": [number(arm.summary["mean_r2"]) for arm in arms if "mean_r2" in arm.summary],
        "seeds": [number(len(arm.values)) for arm in arms],
        "collapsed": [number(len(arm.collapsed)) for arm in arms if comparison.counts_collapsed],
        "failed": [number(len(arm.failed)) for arm in arms],
    }
    there = {heading: column for heading, column in columns.items() if column}
    lines = zip((arm.name for arm in arms), *there.values(), strict=True)
    return table(title, ("arm", *there), lines)


def _mean(arm: ArmFigures, measure: Measure) -> str:
    return with_interval(arm.summary.get("mean"), arm.summary.get("interval_95"), measure)


def _range(arm: ArmFigures, measure: Measure) -> str:
    low, high = arm.summary.get("min"), arm.summary.get("max")
    return DASH if low is None else f"{measure.shown(low)} to {measure.shown(high)}"


def with_interval(mean: object, interval: Any, measure: Measure) -> str:
    """A mean and its interval, where there is one."""
    if not interval or interval[0] == interval[1]:  # one seed, or nothing that depends on it
        return measure.shown(mean)
    return f"{measure.shown(mean)} [{measure.shown(interval[0])}, {measure.shown(interval[1])}]"


def _failures(arms: Sequence[ArmFigures]) -> Html:
    lines = [(f"{arm.name}, seed {seed}", why) for arm in arms for seed, why in arm.failed.items()]
    return table("Runs that failed and have no figures", ("run", "why"), lines, class_="words")


def _differences(comparison: Comparison) -> Html | None:
    if not comparison.pairs:
        return None
    measure, n_pairs = comparison.measure, len(comparison.pairs)
    head = ["difference", "mean [95 % interval]", "median", "seeds", "p", "resolved"]
    lines = [
        [*_difference(pair, measure), p_value(pair["p_holm"]), verdict(pair, n_pairs, comparison.test_to_train)]
        for pair in comparison.pairs
    ]
    lines += [[*_difference(pair, measure, "*"), "", ""] for pair in comparison.pairs_among_healthy]
    unit = ", points" if measure.is_share else ""
    shown = table(f"Differences between arms with the same seed{unit}", head, lines)
    return joined(shown, _note(comparison), _chart(comparison))


def _difference(pair: Mapping[str, Any], measure: Measure, mark: str = "") -> list[Piece]:
    first, second = pair["pair"]
    mean = with_interval(pair["mean_difference"], pair["interval_95"], measure)
    return [f"{first} {MINUS} {second}{mark}", mean, measure.shown(pair["median_difference"]), number(pair["n"])]


def _note(comparison: Comparison) -> Html:
    healthy = " * Seeds where neither run collapsed: a selection, to see what collapses do; untested."
    text = f"p: {comparison.test}, with Holm's correction for the pairs that were tested."
    return element("p", text + healthy * bool(comparison.pairs_among_healthy), class_="note")


def _chart(comparison: Comparison) -> Html | None:
    """The differences as dots with their intervals, and where there is none."""
    known = [pair for pair in comparison.pairs if pair["interval_95"] and all(map(drawable, pair["interval_95"]))]
    if not known:
        return None
    measure = comparison.measure
    scale = scale_of([0.0, *(end for pair in known for end in pair["interval_95"])], bent_beyond=float("inf"))
    rows = [
        Interval(f"{pair['pair'][0]} {MINUS} {pair['pair'][1]}", *map(scale.place, _points(pair))) for pair in known
    ]
    ticks = ticks_of(scale, {tick: measure.tick(tick).removesuffix(measure.unit) for tick in scale.ticks()})
    texts = [
        f"{row.name} {with_interval(pair['mean_difference'], pair['interval_95'], measure)}"
        for row, pair in zip(rows, known, strict=True)
    ]
    drawn = intervals(rows, scale.place(0), ticks, "Mean differences: " + "; ".join(texts))
    note = f"Mean difference with its 95{NBSP}% interval; below 0, the first of the two is better."
    return figure(f"{measure.name}, seed by seed{', in points' * measure.is_share}", note, drawn)


def _points(pair: Mapping[str, Any]) -> tuple[float, float, float]:
    low, high = pair["interval_95"]
    return low, pair["mean_difference"], high
