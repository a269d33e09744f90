"""The signed-rank test with its estimate and interval, against scipy, enumeration and simulation."""

import itertools
import math
import statistics

import numpy as np
import pytest
from scipy import stats

from stacked.signed_rank import pseudomedian, pseudomedian_interval, signed_rank_p

RANDOM = np.random.default_rng(0)


def enumerated_pratt(differences):
    """The share of all signs whose rank sum is as far from its mean; differences of 0 have ranks, and no sign."""
    size = np.abs(differences)
    ranks = stats.rankdata(size)[size > 0]
    centre = ranks.sum() / 2
    observed = abs(ranks[np.asarray(differences)[size > 0] > 0].sum() - centre)
    sums = [np.dot(ranks, signs) for signs in itertools.product([0, 1], repeat=len(ranks))]
    return np.mean([abs(total - centre) >= observed - 1e-9 for total in sums])


@pytest.mark.parametrize("differences", [[3], [1, 2, 9], [-1, 4, 4, 0, 2.5, -7], RANDOM.normal(size=31).tolist()])
def test_the_pseudomedian_is_the_median_of_the_averages_of_every_two(differences):
    averages = [(a + b) / 2 for a, b in itertools.combinations_with_replacement(differences, 2)]
    assert pseudomedian(differences) == pytest.approx(statistics.median(averages), rel=1e-14)


def test_nothing_has_no_pseudomedian():
    assert pseudomedian([]) is None
    assert pseudomedian_interval([]) is None


@pytest.mark.parametrize("n", [6, 7, 10, 14, 30, 50])
def test_the_interval_holds_what_the_test_does_not_reject(n):
    differences = np.random.default_rng(n).standard_t(2, n)
    low, high = pseudomedian_interval(differences)
    for end, outwards in ((low, -1e-6), (high, 1e-6)):
        assert stats.wilcoxon(differences - (end + outwards), method="exact").pvalue < 0.05
        assert stats.wilcoxon(differences - (end - outwards), method="exact").pvalue > 0.05


def test_so_few_differences_that_none_could_be_told_from_0_have_no_interval():
    for n in range(1, 6):
        assert signed_rank_p(np.arange(1, n + 1)) > 0.05
        assert pseudomedian_interval(range(1, n + 1)) is None
    assert pseudomedian_interval(range(1, 7)) == (1, 6)
    assert pseudomedian_interval(range(1, 6), 0.9) == (1, 5)


def test_intervals_cover_the_middle_as_often_as_the_exact_test_keeps_it():
    """Of ten, sums up to 8 have 25 of 1024 signs in either tail."""
    n_samples, expected = 4000, 1 - 2 * 25 / 1024
    samples = np.random.default_rng(1).standard_t(1.5, (n_samples, 10)) + 3
    covered = np.mean([low <= 3 <= high for low, high in map(pseudomedian_interval, samples)])
    assert abs(covered - expected) < 4 * math.sqrt(expected * (1 - expected) / n_samples)


def test_ties_make_the_interval_no_less_sure():
    samples = np.random.default_rng(2).integers(-2, 3, (2000, 12))
    covered = np.mean([low <= 0 <= high for low, high in map(pseudomedian_interval, samples)])
    assert covered >= 0.95


@pytest.mark.parametrize(
    "differences",
    [[1, 0, 2, -1], [0, 0, 3, 4], [1, 1, 1], [-0.5, 2, 3, 0, 0, 4, 5, 1], RANDOM.integers(-2, 4, 11).tolist()],
    ids=str,
)
def test_differences_of_0_are_ranked_with_the_others(differences):
    assert signed_rank_p(differences) == pytest.approx(enumerated_pratt(differences), rel=1e-9)


def test_test_and_estimate_have_one_direction():
    for n, spread in itertools.product((5, 9, 16), (2, 20)):
        for differences in np.random.default_rng(n).integers(-spread, spread + 2, (200, n)):
            ranks = stats.rankdata(np.abs(differences))
            direction = np.dot(ranks, np.sign(differences))
            assert pseudomedian(differences) * direction >= 0


def test_one_collapse_moves_the_mean_and_not_the_pseudomedian():
    differences = [-0.01 - 0.0001 * seed for seed in range(14)]
    usual = pseudomedian(differences)
    differences[3] = 0.6
    assert np.mean(differences) > 0.03
    assert pseudomedian(differences) == pytest.approx(usual, abs=2e-4)
    assert signed_rank_p(differences) < 0.05
    assert pseudomedian_interval(differences)[1] < 0
