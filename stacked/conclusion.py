"""What a comparison says, in a sentence or two."""

from collections.abc import Mapping, Sequence
from typing import Any

from stacked.error_table import Measure
from stacked.statistics import verdict


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
    for pair in (pair for pair in pairs if baseline in pair["pair"]):
        resolved = verdict(pair, len(pairs), test_to_train) == "yes"
        (told if resolved else open_questions).append(_effect(pair, baseline, measure, resolved=resolved))
    if open_questions:
        told.append(f"no difference from {baseline} initialisation was resolved: " + ", ".join(open_questions))
    return "; ".join([*told, *_failures(results["summary"]["arms"])])


def _effect(pair: Mapping[str, Any], baseline: str, measure: Measure, *, resolved: bool) -> str:
    (arm,) = (name for name in pair["pair"] if name != baseline)
    sign = 1 if pair["pair"][0] == arm else -1
    mean, bounds = pair["mean_difference"], pair["interval_95"]
    if mean is None:
        return f"{arm} pretraining has no seeds in common with it"
    mean, bounds = sign * mean, None if bounds is None else sorted(sign * bound for bound in bounds)
    if resolved:
        verb = "lowers" if mean < 0 else "raises"
        amount = _amount(abs(mean), bounds if mean > 0 else _negated(bounds), measure)
        return f"{arm} pretraining {verb} the error by {amount}, p = {pair['p_holm']:.2g}"
    p = "" if pair["p_holm"] is None else f" (p = {pair['p_holm']:.2g})"
    return f"{arm} pretraining {_amount(mean, bounds, measure)}{p}"


def _amount(mean: float, bounds: Sequence[float] | None, measure: Measure) -> str:
    shown = [_signed_zero_free(measure.shown(number)) for number in (mean, *(bounds or ()))]
    unit = f" {measure.unit}" if measure.unit else ""
    return f"{shown[0]}{unit}" + (f" [{shown[1]}, {shown[2]}]" if bounds is not None else "")


def _signed_zero_free(text: str) -> str:
    return text.removeprefix("-") if float(text) == 0 else text


def _negated(bounds: Sequence[float] | None) -> list[float] | None:
    return None if bounds is None else [-bound for bound in reversed(bounds)]


def _failures(summaries: Mapping[str, Mapping[str, Any]]) -> list[str]:
    counted = [(name, one["failed"], one["failed"] + one["n"]) for name, one in summaries.items() if one["failed"]]
    return [f"{failed} of {all_runs} {name} runs failed and have no error" for name, failed, all_runs in counted]
