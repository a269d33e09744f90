"""Statistics of error rates over seeds: summaries, intervals and paired tests.

Error rates of few epochs can be far from normal (some runs collapse), so a rank test and the pseudomedian that it is
about stand beside means and their t intervals.

Where every seed draws its own test rows, runs are not independent: they share most of their training rows, and a mean
over J of them varies by more than variance / J. Nadeau and Bengio, "Inference for the generalization error" (2003),
correct this to (1 / J + n_test / n_train) * variance, in the interval and in the t test alike.
"""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from stacked.signed_rank import pseudomedian, pseudomedian_interval, signed_rank_p

Pair = Mapping[str, Any]
"""One of the differences that `compare_pairs` returns."""

SIGNIFICANT = 0.05
"""P-values below this are taken to show a difference."""


def summarise(values: Any, test_to_train: float = 0.0) -> dict[str, Any]:
    """Mean with its 95 % interval, standard deviation, median, smallest and largest.

    The interval is Student's t; it and the deviation are None for fewer than two values, all figures for none.
    `test_to_train` is as for `compare_pairs`.
    """
    array = np.asarray(values, dtype=float)
    some, several = len(array) > 0, len(array) > 1
    return {
        "n": len(array),
        "mean": float(array.mean()) if some else None,
        "interval_95": mean_interval(array, test_to_train=test_to_train),
        "standard_deviation": float(array.std(ddof=1)) if several else None,
        "median": float(np.median(array)) if some else None,
        "min": float(array.min()) if some else None,
        "max": float(array.max()) if some else None,
    }


def mean_interval(values: Any, confidence: float = 0.95, *, test_to_train: float = 0.0) -> tuple[float, float] | None:
    """Student's t interval of the mean; None for fewer than two values. `test_to_train` as for `compare_pairs`."""
    from scipy import stats  # noqa: PLC0415 - slow to import

    n = len(values)
    if n < 2:
        return None
    width = stats.t.ppf((1 + confidence) / 2, n - 1) * np.std(values, ddof=1)
    half = width / np.sqrt(_effective(n, test_to_train))
    return float(np.mean(values) - half), float(np.mean(values) + half)


def corrected_t_test(differences: Any, test_to_train: float) -> float | None:
    """P-value, two-sided, that the mean of differences over resampled splits is 0; None where they do not vary."""
    from scipy import stats  # noqa: PLC0415 - slow to import

    n, deviation = len(differences), np.std(differences, ddof=1)
    if deviation == 0:
        return None
    t = np.mean(differences) / deviation * np.sqrt(_effective(n, test_to_train))
    return float(2 * stats.t.sf(abs(t), n - 1))


def compare_pairs(arms: Mapping[str, Mapping[int, float]], test_to_train: float = 0.0) -> list[dict[str, Any]]:
    """Paired differences of every two arms, over the seeds that both have.

    Each gives the mean difference with its t interval, the median, the pseudomedian with its interval, and the
    p-value of the Wilcoxon signed-rank test, or of the corrected t test; `p_holm` is corrected for the number of
    pairs that could be tested (Holm, 1979). P-values are None where there are fewer than two seeds or no difference.

    Parameters
    ----------
    arms : mapping
        Name to error rates by seed.
    test_to_train : float
        How many rows are tested on for each that is trained on, where every seed draws its own: intervals and tests
        are then corrected for the rows that seeds share. 0 where all seeds have the same split.
    """
    pairs = [_compare(a, b, arms[a], arms[b], test_to_train) for a, b in itertools.combinations(arms, 2)]
    for pair, corrected in zip(pairs, holm([pair["p"] for pair in pairs]), strict=True):
        pair["p_holm"] = corrected
    return pairs


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Holm's step-down correction of p-values that belong together; None stays None."""
    corrected: list[float | None] = [None] * len(p_values)
    known = sorted((p, i) for i, p in enumerate(p_values) if p is not None)
    largest = 0.0
    for rank, (p, i) in enumerate(known):
        largest = max(largest, min(1.0, p * (len(known) - rank)))
        corrected[i] = largest
    return corrected


def estimate_of(pair: Pair, test_to_train: float) -> tuple[float | None, Sequence[float] | None]:
    """What the p-value is about, with its 95 % interval: the pseudomedian, or of seeds with own splits the mean."""
    if test_to_train > 0:
        return pair["mean_difference"], pair["interval_95"]
    return pair["pseudomedian"], pair["pseudomedian_interval_95"]


def against_the_mean(pair: Pair, test_to_train: float) -> bool:
    """Whether the mean has the other sign than the difference that the p-value is about."""
    return (estimate_of(pair, test_to_train)[0] or 0.0) * (pair["mean_difference"] or 0.0) < 0


def verdicts(pairs: Sequence[Pair], test_to_train: float = 0.0) -> list[str]:
    """Whether each difference is told from 0 at the level of 5 %: "yes", "no", or "too few" seeds to ever tell.

    All pairs of one call to `compare_pairs`, since those of them that were tested correct each other's p-values.
    """
    n_tested = sum(pair["p_holm"] is not None for pair in pairs)
    return [_verdict(pair, n_tested, test_to_train) for pair in pairs]


def same_distribution(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """P-value of the two-sample Kolmogorov-Smirnov test that both were drawn from one distribution."""
    from scipy import stats  # noqa: PLC0415 - slow to import

    return float(stats.ks_2samp(ours, theirs).pvalue)


def _effective(n: int, test_to_train: float) -> float:
    """How many independent values tell as much: 1 / (1 / n + test_to_train)."""
    return n / (1 + n * test_to_train)


def _verdict(pair: Pair, n_tested: int, test_to_train: float) -> str:
    estimate, _ = estimate_of(pair, test_to_train)
    if estimate and pair["p_holm"] is not None and pair["p_holm"] < SIGNIFICANT:
        return "yes"  # which an estimate of 0, of differences that mostly are 0, is not: it has no direction
    smallest = max(1, n_tested) * 2.0 ** (1 - pair["n"]) if test_to_train == 0 else 0.0
    # whatever the differences, no signed-rank test could show one
    return "too few" if smallest >= SIGNIFICANT or pair["n"] < 2 else "no"


def _compare(
    a: str, b: str, first: Mapping[int, float], second: Mapping[int, float], test_to_train: float
) -> dict[str, Any]:
    seeds = sorted(first.keys() & second.keys())
    ours, theirs = (np.array([arm[seed] for seed in seeds], dtype=float) for arm in (first, second))
    summary, tied = summarise(ours - theirs, test_to_train), _with_ties(ours, theirs)
    testable = len(seeds) > 1 and bool(np.any(tied))
    return {
        "pair": [a, b],
        "n": len(seeds),
        "mean_difference": summary["mean"],
        "interval_95": summary["interval_95"],
        "median_difference": summary["median"],
        "pseudomedian": pseudomedian(tied),
        "pseudomedian_interval_95": pseudomedian_interval(tied),
        "p": _p_value(tied, test_to_train) if testable else None,
    }


def _with_ties(ours: Any, theirs: Any) -> Any:
    """Differences without what rounding did to them: where errors are shares, those of equal counts must tie."""
    largest = max(np.abs(ours).max(initial=0.0), np.abs(theirs).max(initial=0.0)) or 1.0
    return np.round((ours - theirs) / largest, 12) * largest


def _p_value(differences: Any, test_to_train: float) -> float | None:
    return corrected_t_test(differences, test_to_train) if test_to_train > 0 else signed_rank_p(differences)
