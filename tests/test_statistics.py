"""Statistics of error rates, against scipy, enumeration and figures by hand."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from stacked.statistics import (
    compare_pairs,
    corrected_t_test,
    holm,
    mean_interval,
    same_distribution,
    summarise,
    verdicts,
)

RATES = [0.021, 0.034, 0.025, 0.029, 0.04, 0.022, 0.031]


def by_seed(values, first=0):
    return dict(enumerate(values, start=first))


def enumerated_wilcoxon(differences):
    """The two-sided signed-rank p-value: the share of all signs whose rank sum is as far from its mean."""
    ranks = stats.rankdata(np.abs(differences))
    centre = ranks.sum() / 2
    observed = abs(ranks[np.asarray(differences) > 0].sum() - centre)
    sums = [np.dot(ranks, signs) for signs in itertools.product([0, 1], repeat=len(ranks))]
    return np.mean([abs(total - centre) >= observed - 1e-9 for total in sums])


def test_a_summary_has_the_figures_of_numpy_and_scipy():
    summary = summarise(RATES)
    assert summary["n"] == 7
    assert summary["mean"] == pytest.approx(sum(RATES) / 7, rel=1e-14)
    assert summary["median"] == 0.029
    assert (summary["min"], summary["max"]) == (0.021, 0.04)
    assert summary["standard_deviation"] == pytest.approx(stats.tstd(RATES), rel=1e-12)
    expected = stats.t.interval(0.95, 6, loc=np.mean(RATES), scale=stats.sem(RATES))
    assert summary["interval_95"] == pytest.approx(expected, rel=1e-12)


def test_a_summary_by_hand():
    summary = summarise([1, 2, 3])
    half = 0.95 * math.sqrt(2 / (1 - 0.95**2)) / math.sqrt(3)  # Student's t of two degrees of freedom
    assert (summary["mean"], summary["median"], summary["standard_deviation"]) == (2, 2, 1)
    assert summary["interval_95"] == pytest.approx((2 - half, 2 + half), rel=1e-12)


def test_a_summary_of_one_value_has_no_spread():
    assert summarise([0.5]) == {
        "n": 1,
        "mean": 0.5,
        "interval_95": None,
        "standard_deviation": None,
        "median": 0.5,
        "min": 0.5,
        "max": 0.5,
    }


def test_a_summary_of_nothing_is_empty():
    summary = summarise([])
    assert summary.pop("n") == 0
    assert set(summary.values()) == {None}


def test_a_median_of_an_even_number_lies_between():
    assert summarise([4, 1, 3, 2])["median"] == 2.5


@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.99])
@pytest.mark.parametrize("n", [2, 3, 7])
def test_an_interval_is_scipys(confidence, n):
    expected = stats.t.interval(confidence, n - 1, loc=np.mean(RATES[:n]), scale=stats.sem(RATES[:n]))
    assert mean_interval(RATES[:n], confidence) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("values", [[], [0.3]])
def test_an_interval_needs_two_values(values):
    assert mean_interval(values) is None


def test_an_interval_of_equal_values_has_no_width():
    assert mean_interval([0.25, 0.25, 0.25]) == (0.25, 0.25)


def test_intervals_cover_the_mean_as_often_as_they_say():
    samples, n = np.random.default_rng(0).normal(3, 2, (2000, 5)), 2000
    covered = np.mean([low <= 3 <= high for low, high in map(mean_interval, samples)])
    assert abs(covered - 0.95) < 5 * math.sqrt(0.95 * 0.05 / n)


@pytest.mark.parametrize(
    ("p_values", "expected"),
    [
        ([0.01, 0.04, 0.03, 0.005], [0.03, 0.06, 0.06, 0.02]),
        ([0.005, 0.01, 0.03, 0.04], [0.02, 0.03, 0.06, 0.06]),
        ([0.5, 0.6, 0.7], [1, 1, 1]),
        ([0.02], [0.02]),
        ([0.01, 0.01, 0.01], [0.03, 0.03, 0.03]),
        ([0.01, 0.9, 0.02, 0.3], [0.04, 0.9, 0.06, 0.6]),
        ([0.01, None, 0.04, None, 0.03], [0.03, None, 0.06, None, 0.06]),
        ([None, None], [None, None]),
        ([], []),
    ],
)
def test_holms_correction_by_hand(p_values, expected):
    assert holm(p_values) == [None if p is None else pytest.approx(p, rel=1e-14) for p in expected]


def test_holms_correction_does_not_depend_on_the_order():
    p_values = [0.01, 0.2, 0.03, 0.004, 0.05]
    expected = dict(zip(p_values, holm(p_values), strict=True))
    for order in itertools.permutations(p_values):
        assert dict(zip(order, holm(order), strict=True)) == expected


def test_holms_correction_keeps_the_error_rate_of_the_family():
    families = np.random.default_rng(1).random((4000, 6))
    rejected = np.mean([min(holm(list(family))) <= 0.05 for family in families])
    assert rejected < 0.05 + 5 * math.sqrt(0.05 * 0.95 / 4000)
    expected = 1 - (1 - 0.05 / 6) ** 6  # independent and all true: exactly that of Bonferroni
    assert abs(rejected - expected) < 5 * math.sqrt(expected * (1 - expected) / 4000)


def test_every_two_arms_are_compared_once():
    arms = {name: by_seed([0.1, 0.2]) for name in "abcd"}
    pairs = [tuple(pair["pair"]) for pair in compare_pairs(arms)]
    assert pairs == [("a", "b"), ("a", "c"), ("a", "d"), ("b", "c"), ("b", "d"), ("c", "d")]


def test_a_comparison_is_of_differences_seed_by_seed():
    first = [0.10, 0.20, 0.35, 0.40, 0.55, 0.71, 0.80]
    (pair,) = compare_pairs({"a": by_seed(first), "b": by_seed(RATES)})
    difference = np.array(first) - np.array(RATES)
    assert pair["n"] == 7
    assert pair["mean_difference"] == pytest.approx(difference.mean(), rel=1e-12)
    assert pair["median_difference"] == pytest.approx(np.median(difference), rel=1e-12)
    expected = stats.t.interval(0.95, 6, loc=difference.mean(), scale=stats.sem(difference))
    assert pair["interval_95"] == pytest.approx(expected, rel=1e-12)
    assert pair["p"] == pytest.approx(2 / 2**7, rel=1e-12)  # all of one sign
    assert pair["p_holm"] == pair["p"]


def test_only_seeds_that_both_have_count_whatever_their_order():
    a = {3: 0.5, 1: 0.3, 2: 0.1, 9: 1.0}
    b = {1: 0.1, 2: 0.4, 3: 0.2, 7: 0.9}
    (pair,) = compare_pairs({"a": a, "b": b})
    assert pair["n"] == 3
    assert pair["mean_difference"] == pytest.approx((0.3 + 0.2 - 0.3) / 3, rel=1e-12)


@pytest.mark.parametrize("n", [2, 3, 6, 9])
def test_the_p_value_is_that_of_all_signs_enumerated(n):
    difference = np.random.default_rng(n).normal(0.5, 1, n)
    (pair,) = compare_pairs({"a": by_seed(difference), "b": by_seed(np.zeros(n))})
    assert pair["p"] == pytest.approx(enumerated_wilcoxon(difference), rel=1e-9)


def errors_of_counts(scale=1.0):
    """Errors of two arms that are counts of mistakes, in some unit: many differences tie, though not as floats."""
    ours, theirs = [123, 456, 789, 250, 333, 410, 555, 608], [120, 453, 790, 241, 336, 407, 546, 607]
    return ours, theirs, [by_seed([scale * (count / 10_000) for count in counts]) for counts in (ours, theirs)]


@pytest.mark.parametrize("scale", [1e-14, 1e-9, 1.0, 7e5, 3e12])
@pytest.mark.parametrize("test_to_train", [0.0, 0.25])
def test_a_comparison_does_not_depend_on_the_unit(scale, test_to_train):
    ours, theirs, errors = errors_of_counts(scale)
    (pair,) = compare_pairs({"a": errors[0], "b": errors[1]}, test_to_train)
    difference = np.subtract(ours, theirs)
    expected = corrected_t_test(difference, 0.25) if test_to_train else stats.wilcoxon(difference).pvalue
    assert pair["p"] == pytest.approx(expected, rel=1e-9)
    assert pair["mean_difference"] == pytest.approx(scale * difference.mean() / 10_000, rel=1e-12)
    half = stats.t.ppf(0.975, 7) * np.std(difference, ddof=1) * math.sqrt(1 / 8 + test_to_train)
    ends = [scale * (difference.mean() + side) / 10_000 for side in (-half, half)]
    assert pair["interval_95"] == pytest.approx(ends, rel=1e-9)


def test_small_differences_are_not_rounded_away():
    """Far below 1e-12, and still a hundredth of the errors."""
    random = np.random.default_rng(4)
    base = 1e-13 * random.uniform(1, 2, 9)
    difference = 1e-15 * random.normal(1, 1, 9)
    (pair,) = compare_pairs({"a": by_seed(base + difference), "b": by_seed(base)})
    assert pair["p"] == pytest.approx(enumerated_wilcoxon(difference), rel=1e-9)
    assert pair["mean_difference"] == pytest.approx(difference.mean(), rel=1e-9)


def test_differences_that_tie_in_counts_of_errors_tie_in_rates():
    ours, theirs, rates = errors_of_counts()
    (pair,) = compare_pairs({"a": rates[0], "b": rates[1]})
    assert pair["p"] == pytest.approx(stats.wilcoxon(np.subtract(ours, theirs)).pvalue, rel=1e-9)


@pytest.mark.parametrize(
    "difference",
    [[1, 0, 2, -1], [0, 0, 3], [1, 1, 1], [1, -1], [0, 1]],
    ids=["zero", "zeros", "equal", "even", "one"],
)
def test_ties_and_zeros_give_a_p_value_without_a_warning(difference):
    (pair,) = compare_pairs({"a": by_seed(difference), "b": by_seed([0] * len(difference))})
    assert 0 < pair["p"] <= 1


def test_the_correction_is_for_all_pairs():
    arms = {
        "a": by_seed([0.1, 0.2, 0.3, 0.4]),
        "b": by_seed([0.2, 0.31, 0.42, 0.53]),
        "c": by_seed([0.5, 0.1, 0.7, 0.2]),
    }
    pairs = compare_pairs(arms)
    smallest = min(pair["p"] for pair in pairs)
    assert smallest == pytest.approx(2 / 2**4, rel=1e-12)
    assert min(pair["p_holm"] for pair in pairs) == pytest.approx(3 * smallest, rel=1e-12)
    assert [pair["p_holm"] for pair in pairs] == holm([pair["p"] for pair in pairs])


@pytest.mark.parametrize(
    ("a", "b", "n"),
    [({0: 0.1}, {0: 0.2}, 1), ({0: 0.1}, {1: 0.2}, 0), ({}, {}, 0), ({0: 0.1, 1: 0.2}, {0: 0.1, 1: 0.2}, 2)],
    ids=["one", "apart", "none", "equal"],
)
def test_what_cannot_be_tested_has_no_p_value(a, b, n):
    (pair,) = compare_pairs({"a": a, "b": b})
    assert pair["n"] == n
    assert pair["p"] is None
    assert pair["p_holm"] is None


def test_a_pair_without_a_p_value_does_not_count_in_the_correction():
    rates = by_seed([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    arms = {"a": rates, "b": {seed: rate + 0.01 * (seed + 1) for seed, rate in rates.items()}, "c": {}}
    corrected = {tuple(pair["pair"]): pair["p_holm"] for pair in compare_pairs(arms)}
    assert corrected == {("a", "b"): pytest.approx(2 / 2**6, rel=1e-12), ("a", "c"): None, ("b", "c"): None}


def test_one_arm_has_no_pairs():
    assert compare_pairs({"a": by_seed(RATES)}) == []


def enumerated_kolmogorov_smirnov(x, y):
    """The share of all ways to deal the values into two samples whose distance is as large."""

    def distance(first, second):
        points = sorted(values)
        return max(abs(np.mean(np.array(first) <= p) - np.mean(np.array(second) <= p)) for p in points)

    values = [*x, *y]
    observed, distances = distance(x, y), []
    for chosen in itertools.combinations(range(len(values)), len(x)):
        rest = [value for i, value in enumerate(values) if i not in chosen]
        distances.append(distance([values[i] for i in chosen], rest))
    return np.mean([d >= observed - 1e-9 for d in distances])


@pytest.mark.parametrize("shift", [0.0, 0.4, 2.0])
def test_the_p_value_of_two_samples_is_that_of_all_ways_to_deal(shift):
    random = np.random.default_rng(3)
    x, y = random.random(5).tolist(), (random.random(4) + shift).tolist()
    assert same_distribution(x, y) == pytest.approx(enumerated_kolmogorov_smirnov(x, y), rel=1e-9)


def test_the_same_sample_is_of_the_same_distribution():
    assert same_distribution(RATES, RATES) == 1


def shared_rows(n_sets, seeds=10, n=60, fraction=0.2):
    """Differences of two equally good predictors over splits of one table, shape `(n_sets, seeds)`.

    y = a + b + noise; one learns by least squares from a alone, the other from b alone.
    """
    random, n_test = np.random.default_rng(5), int(n * fraction)
    out = np.empty((n_sets, seeds))
    for number in range(n_sets):
        x = random.normal(size=(n, 2))
        y = x.sum(axis=1) + random.normal(size=n)
        for seed in range(seeds):
            order = random.permutation(n)
            train, test = order[n_test:], order[:n_test]
            slopes = (x[train] * y[train, None]).sum(axis=0) / (x[train] ** 2).sum(axis=0)
            errors = ((y[test, None] - x[test] * slopes) ** 2).mean(axis=0)
            out[number, seed] = errors[0] - errors[1]
    return out


def test_the_corrected_interval_and_test_by_hand():
    """Of 1, 2, 3, 6: mean 3, variance 14/3; the mean varies by (1/4 + 1/4) * 14/3 = 7/3."""
    t = 3 / math.sqrt(7 / 3)
    expected = 1 - 2 / math.pi * (t / math.sqrt(3) / (1 + t**2 / 3) + math.atan(t / math.sqrt(3)))  # Student's law, 3
    (pair,) = compare_pairs({"a": by_seed([2, 4, 6, 10]), "b": by_seed([1, 2, 3, 4])}, test_to_train=1 / 4)
    assert pair["p"] == corrected_t_test([1, 2, 3, 6], 1 / 4)
    assert pair["p"] == pytest.approx(expected, rel=1e-10)
    half = stats.t.ppf(0.975, 3) * math.sqrt(7 / 3)
    assert pair["interval_95"] == pytest.approx((3 - half, 3 + half), rel=1e-12)
    assert summarise([1, 2, 3, 6], 1 / 4)["interval_95"] == pytest.approx((3 - half, 3 + half), rel=1e-12)


def test_without_test_rows_the_corrected_test_is_students():
    assert corrected_t_test(RATES, 0.0) == pytest.approx(stats.ttest_1samp(RATES, 0).pvalue, rel=1e-12)


def test_runs_that_share_rows_are_told_apart_too_often_unless_that_is_corrected():
    differences = shared_rows(1000)
    naive = np.mean(stats.ttest_1samp(differences, 0, axis=1).pvalue < 0.05)
    corrected = np.mean([corrected_t_test(row, 0.25) < 0.05 for row in differences])
    assert naive > 0.25
    assert abs(corrected - 0.05) < 0.03


def test_differences_that_do_not_vary_are_not_tested():
    (pair,) = compare_pairs({"a": by_seed([0.3, 0.4]), "b": by_seed([0.2, 0.3])}, test_to_train=0.25)
    assert pair["p"] is None


def pairs_of(*given):
    """Pairs with so many seeds and such p-values, as `compare_pairs` gives them."""
    return [
        {"n": n, "p_holm": p, **dict.fromkeys(("mean_difference", "pseudomedian"), 0.1)}
        | dict.fromkeys(("interval_95", "pseudomedian_interval_95"))
        for n, p in given
    ]


@pytest.mark.parametrize(
    ("n", "p", "test_to_train", "said"),
    [
        (10, 0.049, 0.0, "yes"),
        (10, 0.051, 0.0, "no"),
        (5, 0.1875, 0.0, "too few"),  # with three pairs the smallest p of five seeds is 3/16
        (6, 0.09375, 0.0, "too few"),
        (7, 0.046875, 0.0, "yes"),
        (7, 0.06, 0.0, "no"),
        (2, 0.01, 0.25, "yes"),
        (2, 0.06, 0.25, "no"),
    ],
)
def test_a_verdict_needs_seeds_enough(n, p, test_to_train, said):
    assert verdicts(pairs_of((n, p), (n, p), (n, p)), test_to_train) == [said] * 3


@pytest.mark.parametrize("test_to_train", [0.0, 0.25])
def test_what_was_not_tested_is_not_told_apart(test_to_train):
    assert verdicts(pairs_of((1, None), (0, None)), test_to_train) == ["too few", "too few"]
    assert verdicts(pairs_of((10, None)), test_to_train) == ["no"]


def test_pairs_that_were_not_tested_do_not_count_in_a_verdict():
    rates = by_seed([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    arms = {"a": rates, "b": {seed: rate + 0.01 * (seed + 1) for seed, rate in rates.items()}, "c": {}}
    assert verdicts(compare_pairs(arms)) == ["yes", "too few", "too few"]


def test_a_verdict_never_contradicts_the_p_value_beside_it():
    """Also where arms lost different seeds, so that the smallest p-values that pairs could reach differ."""
    random = np.random.default_rng(6)
    for _ in range(300):
        arms = {name: by_seed(random.random(random.integers(2, 12)) + shift) for shift, name in enumerate("abc")}
        pairs = compare_pairs(arms)
        for pair, verdict in zip(pairs, verdicts(pairs), strict=True):
            assert (verdict == "yes") == (pair["p_holm"] < 0.05)
            assert verdict != "too few" or pair["n"] < 7


def test_what_mostly_is_no_difference_has_no_direction():
    """Of 30 seeds 24 are equal: the test is sure of the other six, but the pseudomedian is 0."""
    (pair,) = compare_pairs({"a": by_seed([0.0] * 24 + [0.1] * 6), "b": by_seed([0.0] * 30)})
    assert (pair["p"] < 0.05, pair["pseudomedian"]) == (True, 0)
    assert verdicts([pair]) == ["no"]
