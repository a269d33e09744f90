"""What a comparison says, in a sentence or two."""

from collections.abc import Mapping, Sequence
from typing import Any

from stacked.error_table import Measure
from stacked.statistics import Pair, against_the_mean, estimate_of, verdicts


def conclusion(results: Mapping[str, Any], baseline: str, measure: Measure, test_to_train: float) -> str:
    """Whether each kind of pretraining lowers or raises the error against the baseline, or nothing could be told.

    Parameters
    ----------
    results : mapping
        What `tabulate` made.
    baseline : str
        The arm without pretraining.
    measure : Measure
        What the results are made of.
    test_to_train : float
        As for `compare_pairs`.
    """
    pairs = results["summary"]["pairs"]
    told: list[str] = []
    open_questions: list[str] = []
    for pair, verdict in zip(pairs, verdicts(pairs, test_to_train), strict=True):
        if baseline in pair["pair"]:
            effect = _Effect(pair, baseline, measure, test_to_train)
            if verdict == "yes":
                told.append(effect.resolved())
            else:
                open_questions.append(effect.unresolved())
    if open_questions:
        told.append(f"no difference from {baseline} initialisation was resolved: " + ", ".join(open_questions))
    return "; ".join([*told, *_failures(results["summary"]["arms"])])


class _Effect:
    """What an arm does to the error of the baseline: by what was tested, and the mean if it disagrees."""

    def __init__(self, pair: Pair, baseline: str, measure: Measure, test_to_train: float) -> None:
        (self._arm,) = (name for name in pair["pair"] if name != baseline)
        self._sign = 1 if pair["pair"][0] == self._arm else -1
        self._pair, self._measure, self._test_to_train = pair, measure, test_to_train
        self._typically = "" if test_to_train else "typically "

    def resolved(self) -> str:
        """Lowers or raises, by how much, how sure."""
        pair, (difference, interval) = self._pair, estimate_of(self._pair, self._test_to_train)
        assert difference is not None, "it was tested"
        does = self._does("the error", difference, interval)
        told = f"{self._arm} pretraining {self._typically}{does}, p = {pair['p_holm']:.2g}"
        if not against_the_mean(pair, self._test_to_train):
            return told
        but = self._does("the mean error", pair["mean_difference"], pair["interval_95"])
        return f"{told}, but {but}, for some seeds are far off"

    def unresolved(self) -> str:
        """The difference, in doubt."""
        difference, interval = estimate_of(self._pair, self._test_to_train)
        if difference is None:
            return f"{self._arm} pretraining has no seeds in common with it"
        p = "" if self._pair["p_holm"] is None else f" (p = {self._pair['p_holm']:.2g})"
        return f"{self._arm} pretraining {self._typically}{self._amount(difference, interval, self._sign)}{p}"

    def _does(self, what: str, difference: float, interval: Sequence[float] | None) -> str:
        raises = self._sign * difference > 0
        amount = self._amount(difference, interval, self._sign if raises else -self._sign)
        return f"{'raises' if raises else 'lowers'} {what} by {amount}"

    def _amount(self, difference: float, interval: Sequence[float] | None, sign: int) -> str:
        ends = sorted(sign * end for end in interval or ())
        shown, *bounds = (self._measure.shown(number) for number in (sign * difference, *ends))
        unit = f" {self._measure.unit}" if self._measure.unit else ""
        return f"{shown}{unit}" + (f" [{', '.join(bounds)}]" if bounds else "")


def _failures(summaries: Mapping[str, Mapping[str, Any]]) -> list[str]:
    counted = [(name, one["failed"], one["failed"] + one["n"]) for name, one in summaries.items() if one["failed"]]
    return [f"{failed} of {all_runs} {name} runs failed and have no error" for name, failed, all_runs in counted]
