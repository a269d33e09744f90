"""The Wilcoxon signed-rank test of paired differences, and the estimate and interval that belong to it.

The test is about the pseudomedian, the median of the Walsh averages: those of every two differences, and each
difference itself (Hodges and Lehmann, 1963). The rank sum counts the averages above 0, so that test and estimate have
one direction. A mean need not share it: a few differences that are far off move a mean, and hardly the pseudomedian.
"""

from typing import Any

import numpy as np


def signed_rank_p(differences: Any) -> float:
    """P-value, two-sided, that differences lie symmetrically around 0; those of 0 are ranked too (Pratt, 1959)."""
    from scipy import stats  # noqa: PLC0415 - slow to import

    return float(stats.wilcoxon(differences, zero_method="pratt").pvalue)


def pseudomedian(differences: Any) -> float | None:
    """The median of the averages of every two differences; None for no difference."""
    return float(np.median(_walsh_averages(differences))) if len(differences) else None


def pseudomedian_interval(differences: Any, confidence: float = 0.95) -> tuple[float, float] | None:
    """The differences that the exact test does not reject; None where there are too few to reject any, below six.

    With ties it holds the pseudomedian at least as often as it says.
    """
    averages = _walsh_averages(differences)
    at_most = np.cumsum(_rank_sum_law(len(differences)))
    beyond = int(np.searchsorted(at_most, (1 - confidence) / 2, side="right"))  # left out at either end, and one more
    return None if beyond == 0 else (float(averages[beyond - 1]), float(averages[-beyond]))


def _walsh_averages(differences: Any) -> Any:
    values = np.asarray(differences, dtype=float)
    first, second = np.triu_indices(len(values))
    return np.sort((values[first] + values[second]) / 2)


def _rank_sum_law(n: int) -> Any:
    """Probabilities of the sums 0, 1, ... of ranks 1 to n, each of which counts with probability 1/2."""
    law = np.ones(1)
    for rank in range(1, n + 1):
        none = np.zeros(rank)
        law = (np.concatenate([law, none]) + np.concatenate([none, law])) / 2
    return law
