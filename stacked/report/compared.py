"""The arms of a comparison: their figures with intervals, and their differences seed by seed."""

from collections.abc import Mapping, Sequence
from typing import Any

from stacked.report.charts import LONGEST_NAME, Interval, intervals, ticks_of
from stacked.report.contents import ArmFigures, Comparison, Contents, Measure
from stacked.report.figures import figure
from stacked.report.html import Html, Piece, element, joined
from stacked.report.scales import drawable, scale_of
from stacked.report.tables import table
from stacked.report.words import DASH, MINUS, NBSP, number, p_value
from stacked.short_names import short_names
from stacked.statistics import Pair, estimate_of, verdicts

_PSEUDOMEDIAN = (
    " It is about the pseudomedian, that of the averages of every two seeds' differences, which a few runs that are "
    "far off hardly move, unlike the mean."
)


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
    measure, test_to_train = comparison.measure, comparison.test_to_train
    second = "median" if test_to_train else "pseudomedian [95 % interval]"
    head = ["difference", "mean [95 % interval]", second, "seeds", "p", "resolved"]
    lines = [
        [*_difference(pair, comparison), p_value(pair["p_holm"]), verdict]
        for pair, verdict in zip(comparison.pairs, verdicts(comparison.pairs, test_to_train), strict=True)
    ]
    lines += [[*_difference(pair, comparison, "*"), "", ""] for pair in comparison.pairs_among_healthy]
    unit = ", points" if measure.is_share else ""
    shown = table(f"Differences between arms with the same seed{unit}", head, lines)
    return joined(shown, _note(comparison), _chart(comparison))


def _difference(pair: Pair, comparison: Comparison, mark: str = "") -> list[Piece]:
    measure, (first, second) = comparison.measure, pair["pair"]
    mean = with_interval(pair["mean_difference"], pair["interval_95"], measure)
    middle = with_interval(pair["pseudomedian"], pair["pseudomedian_interval_95"], measure)
    middle = measure.shown(pair["median_difference"]) if comparison.test_to_train else middle
    return [f"{first} {MINUS} {second}{mark}", mean, middle, number(pair["n"])]


def _note(comparison: Comparison) -> Html:
    healthy = " * Seeds where neither run collapsed: a selection, to see what collapses do; untested."
    text = f"p: {comparison.test}, with Holm's correction for the pairs that were tested."
    text += "" if comparison.test_to_train else _PSEUDOMEDIAN
    return element("p", text + healthy * bool(comparison.pairs_among_healthy), class_="note")


def _chart(comparison: Comparison) -> Html | None:
    """The differences that were tested as dots with their intervals, and where there is none."""
    estimates = [(pair, estimate_of(pair, comparison.test_to_train)) for pair in comparison.pairs]
    known = [
        (pair, (middle, (float(ends[0]), float(ends[1]))))
        for pair, (middle, ends) in estimates
        if middle is not None and ends and all(map(drawable, ends))
    ]
    if not known:
        return None
    measure = comparison.measure
    scale = scale_of([0.0, *(end for _, (_, ends) in known for end in ends)], bent_beyond=float("inf"))
    pairs = [pair for pair, _ in known]
    rows = [
        Interval(name, scale.place(low), scale.place(middle), scale.place(high))
        for name, (_, (middle, (low, high))) in zip(_names(pairs), known, strict=True)
    ]
    ticks = ticks_of(scale, {tick: measure.tick(tick).removesuffix(measure.unit) for tick in scale.ticks()})
    what = "Mean" if comparison.test_to_train else "Pseudomedian"
    texts = [f"{f' {MINUS} '.join(pair['pair'])} {with_interval(*estimate, measure)}" for pair, estimate in known]
    drawn = intervals(rows, scale.place(0), ticks, f"{what} differences: " + "; ".join(texts))
    note = f"{what} difference with its 95{NBSP}% interval; below 0, the first of the two is better."
    return figure(f"{measure.name}, seed by seed{', in points' * measure.is_share}", note, drawn)


def _names(pairs: Sequence[Mapping[str, Any]]) -> list[str]:
    """What each difference is between; of names that are too long for a line, each is shortened."""
    texts = [f" {MINUS} ".join(pair["pair"]) for pair in pairs]
    if max(map(len, texts)) <= LONGEST_NAME:
        return texts
    arms = list(dict.fromkeys(arm for pair in pairs for arm in pair["pair"]))
    short = dict(zip(arms, short_names(arms, (LONGEST_NAME - 3) // 2), strict=True))
    return [f" {MINUS} ".join(short[arm] for arm in pair["pair"]) for pair in pairs]
