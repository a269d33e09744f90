"""Statistics of error rates over seeds: summaries, intervals and paired tests.

Error rates of few epochs can be far from normal (some runs collapse), so medians and a rank test stand beside means
and their t intervals. The signed-rank test is about the median difference, and takes differences to be symmetric.
"""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


def summarise(values: Sequence[float]) -> dict[str, Any]:
    """Mean with its 95 % interval, standard deviation, median, smallest and largest.

    The interval is Student's t; it and the deviation are None for fewer than two values, all figures for none.
    """
    array = np.asarray(values, dtype=float)
    some, several = len(array) > 0, len(array) > 1
    return {
        "n": len(array),
        "mean": float(array.mean()) if some else None,
        "interval_95": mean_interval(array),
        "standard_deviation": float(array.std(ddof=1)) if several else None,
        "median": float(np.median(array)) if some else None,
        "min": float(array.min()) if some else None,
        "max": float(array.max()) if some else None,
    }


def mean_interval(values: Any, confidence: float = 0.95) -> tuple[float, float] | None:
    """Student's t interval of the mean; None for fewer than two values."""
    from scipy import stats  # noqa: PLC0415 - slow to import

    n = len(values)
    if n < 2:
        return None
    half = stats.t.ppf((1 + confidence) / 2, n - 1) * np.std(values, ddof=1) / np.sqrt(n)
    return float(np.mean(values) - half), float(np.mean(values) + half)


def compare_pairs(arms: Mapping[str, Mapping[int, float]]) -> list[dict[str, Any]]:
    """Paired differences of every two arms, over the seeds that both have.

    Each gives the mean difference with its t interval, the median difference, and the p-value of the Wilcoxon
    signed-rank test; `p_holm` is corrected for the number of pairs that could be tested (Holm, 1979).
    P-values are None where there are fewer than two seeds or no difference at all.

    Parameters
    ----------
    arms : mapping
        Name to error rates by seed.
    """
    pairs = [_compare(a, b, arms[a], arms[b]) for a, b in itertools.combinations(arms, 2)]
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


def same_distribution(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """P-value of the two-sample Kolmogorov-Smirnov test that both were drawn from one distribution."""
    from scipy import stats  # noqa: PLC0415 - slow to import

    return float(stats.ks_2samp(ours, theirs).pvalue)


def _compare(a: str, b: str, first: Mapping[int, float], second: Mapping[int, float]) -> dict[str, Any]:
    from scipy import stats  # noqa: PLC0415 - slow to import

    differences = [first[seed] - second[seed] for seed in sorted(first.keys() & second.keys())]
    difference = np.round(differences, 12)  # equal differences of error counts must tie as rates too
    summary = summarise(difference.tolist())
    testable = len(difference) > 1 and bool(np.any(difference))
    return {
        "pair": [a, b],
        "n": len(difference),
        "mean_difference": summary["mean"],
        "interval_95": summary["interval_95"],
        "median_difference": summary["median"],
        "p": float(stats.wilcoxon(difference).pvalue) if testable else None,
    }
