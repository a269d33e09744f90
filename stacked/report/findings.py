"""What came out, in sentences: what was compared, what the figures are, how sure that is, what went wrong."""

import re
from collections.abc import Iterator, Sequence

from stacked.report.contents import ArmFigures, Comparison, Measure
from stacked.report.words import MINUS, NBSP, listed, number, p_equals
from stacked.statistics import Pair, against_the_mean, estimate_of, verdicts
from stacked.wording import counted

_MOST_NAMES, _MOST_MEANS = 6, 4


def findings(comparisons: Sequence[Comparison], conclusion: str = "") -> list[str]:
    """The summary of a comparison; of several measures without a verdict, for none of them is the one that counts.

    A conclusion that was drawn already stands in place of that on the pairs.
    """
    arms = comparisons[0].arms if comparisons else []
    names = [arm.name for arm in arms]
    which = f": {listed(names)}" if len(names) <= _MOST_NAMES else ""
    runs = sorted({len(arm.values) + len(arm.failed) for arm in arms})
    with_seeds = f", with {listed([f'{n:,}' for n in runs])} seed{'s' * (runs != [1])} each" if runs else ""
    sentences = [f"{counted(len(names), 'arm')} {'was' if len(names) == 1 else 'were'} compared{with_seeds}{which}."]
    if len(comparisons) == 1:
        sentences += _of_measure(comparisons[0], conclusion)
    elif comparisons:
        measured = listed([one.measure.name.lower() for one in comparisons])
        sentences.append(f"Measured were {measured}; intervals hold the mean with 95{NBSP}% confidence.")
    can_collapse = any(one.counts_collapsed for one in comparisons)
    return [*sentences, *_of_failures(arms, can_collapse=can_collapse)]


def _of_measure(comparison: Comparison, conclusion: str) -> Iterator[str]:
    known = [arm for arm in comparison.arms if isinstance(arm.summary.get("mean"), int | float)]
    if known:
        yield _of_means(sorted(known, key=lambda arm: float(arm.summary["mean"])), comparison.measure)
    if conclusion:
        told = re.sub(r"(?<!\w)-(?=\d)", MINUS, conclusion)
        yield told[:1].upper() + told[1:].rstrip(".") + "."
    elif comparison.pairs:
        yield _of_pairs(comparison)


def _of_means(ranked: Sequence[ArmFigures], measure: Measure) -> str:
    """The lowest mean, and the others or the highest."""
    means = [measure.shown(arm.summary["mean"]) + measure.unit for arm in ranked]
    error = f"On average, the {measure.name.lower()} was"
    if len(ranked) == 1:
        return f"{error} {means[0]}."
    others = [f"{mean} with {arm.name}" for mean, arm in zip(means[1:], ranked[1:], strict=True)]
    told = listed(others) if len(ranked) <= _MOST_MEANS else f"highest with {ranked[-1].name}, {means[-1]}"
    return f"{error} lowest with {ranked[0].name}, {means[0]}; it was {told}."


def _of_pairs(comparison: Comparison) -> str:
    n_pairs, measure = len(comparison.pairs), comparison.measure
    told_of_pairs = verdicts(comparison.pairs, comparison.test_to_train)
    resolved = [pair for pair, told in zip(comparison.pairs, told_of_pairs, strict=True) if told == "yes"]
    if resolved:
        return f"Resolved: {'; '.join(_resolved(pair, comparison) for pair in resolved)}." + (
            f" No other difference of the {measure.name.lower()} was." if len(resolved) < n_pairs else ""
        )
    if all(told == "too few" for told in told_of_pairs):
        return "So few seeds cannot resolve any difference, however large it is."
    smallest = min((pair["p_holm"] for pair in comparison.pairs if pair["p_holm"] is not None), default=None)
    told = "" if smallest is None else f": the smallest corrected p-value is {number(smallest, '.2g')}"
    return f"No difference between two arms was resolved{told}."


def _resolved(pair: Pair, comparison: Comparison) -> str:
    """Which is better by the difference that was tested, and what the mean says if it disagrees."""
    difference, interval = estimate_of(pair, comparison.test_to_train)
    assert difference is not None, "it was tested"
    better, worse = pair["pair"] if difference < 0 else reversed(pair["pair"])
    typically = "" if comparison.test_to_train else "typically "
    by = _amount(difference, interval, comparison.measure)
    told = f"{better} is {typically}better than {worse} by {by}, {p_equals(pair['p_holm'])}"
    if not against_the_mean(pair, comparison.test_to_train):
        return told
    by = _amount(pair["mean_difference"], pair["interval_95"], comparison.measure)
    return f"{told}, but on average worse by {by}, for some seeds are far off"


def _amount(difference: float, interval: Sequence[float] | None, measure: Measure) -> str:
    """The size of a difference, with its interval the same way round."""
    ends = sorted(end if difference > 0 else -end for end in interval or ())
    bounds = f" [{', '.join(map(measure.shown, ends))}]" if ends else ""
    return measure.shown(abs(difference)) + (" points" if measure.is_share else "") + bounds


def _of_failures(arms: Sequence[ArmFigures], *, can_collapse: bool) -> Iterator[str]:
    failed, collapsed = (sum(len(getattr(arm, what)) for arm in arms) for what in ("failed", "collapsed"))
    n_runs = sum(len(arm.values) + len(arm.failed) for arm in arms)
    if failed:
        yield f"{failed:,} of {counted(n_runs, 'run')} failed and {'has' if failed == 1 else 'have'} no figures."
    if collapsed:
        few = f"recognised less than 5{NBSP}% of some class; they count in all figures"
        yield f"{collapsed:,} of {counted(n_runs, 'run')} collapsed, that is, {few}."
    if n_runs and not failed and not collapsed:
        yield "No run failed, and none collapsed." if can_collapse else "No run failed."
