"""What a comparison says in a sentence and prints in a table, against scipy and figures by hand."""

import itertools
import re

import numpy as np
from scipy import stats

from stacked.comparison import Run
from stacked.conclusion import conclusion
from stacked.error_table import ERROR_RATE, RMSE, tabulate
from stacked.printed import print_comparison


def concluded(differences, measure=ERROR_RATE, test_to_train=0.25):
    """What is said of an arm whose errors lie so far above those of random initialisation."""
    base = 0.2 + 0.01 * np.arange(len(differences))
    runs = [Run("random", seed, **{measure.figure: error}) for seed, error in enumerate(base)]
    runs += [Run("wide", seed, **{measure.figure: error}) for seed, error in enumerate(base + differences)]
    return conclusion(tabulate(["wide", "random"], runs, measure, test_to_train), "random", measure, test_to_train)


def test_the_conclusion_says_what_pretraining_does_by_how_much_and_how_sure_that_is():
    differences = np.array([-0.02, -0.018, -0.022, -0.021, -0.019])
    half = stats.t.ppf(0.975, 4) * np.std(differences, ddof=1) * np.sqrt(1 / 5 + 1 / 4)
    p = stats.t.sf(0.02 / (half / stats.t.ppf(0.975, 4)), 4) * 2
    bounds = f"[{2 - 100 * half:.2f}, {2 + 100 * half:.2f}], p = {p:.2g}"
    assert concluded(differences) == f"wide pretraining lowers the error by 2.00 points {bounds}"
    assert concluded(-differences) == f"wide pretraining raises the error by 2.00 points {bounds}"


def walsh(differences):
    return sorted((a + b) / 2 for a, b in itertools.combinations_with_replacement(differences, 2))


def test_where_ranks_are_tested_the_conclusion_gives_their_direction_and_amount():
    """Of 14 seeds one collapsed, so that the mean says the opposite, and is told beside."""
    differences = np.array([-0.01 - 0.00013 * seed for seed in range(14)])
    differences[3] = 0.6
    averages = [100 * average for average in walsh(differences)]
    low, middle, high = averages[21], np.median(averages), averages[-22]  # sums to 21 have at most 0.025
    p = stats.wilcoxon(differences).pvalue
    mean_low, mean_high = stats.t.interval(0.95, 13, 100 * differences.mean(), 100 * stats.sem(differences))
    mean = f"{100 * differences.mean():.2f} points [{mean_low:.2f}, {mean_high:.2f}]"
    told = f"by {-middle:.2f} points [{-high:.2f}, {-low:.2f}], p = {p:.2g}, but raises the mean error by {mean}"
    said = concluded(differences, test_to_train=0.0)
    assert said == f"wide pretraining typically lowers the error {told}, for some seeds are far off"
    usual = np.where(differences > 0, -0.0103, differences)
    assert "mean" not in concluded(usual, test_to_train=0.0)
    assert "wide pretraining typically raises the error by 1.0" in concluded(-usual, test_to_train=0.0)


def test_an_arm_that_failed_throughout_leaves_the_others_their_conclusion():
    runs = [Run("broken", seed, failure="nan") for seed in range(6)]
    runs += [Run("wide", seed, 0.1 + 0.01 * seed) for seed in range(6)]
    runs += [Run("random", seed, 0.2 + 0.02 * seed) for seed in range(6)]
    told = conclusion(tabulate(["broken", "wide", "random"], runs), "random", ERROR_RATE, 0.0)
    assert told.startswith("wide pretraining typically lowers the error by 12.50 points [10.00, 15.00], p = 0.031; ")
    assert "no difference from random initialisation was resolved: broken pretraining has no seeds in common" in told


def test_the_table_has_the_mean_and_what_is_tested(capsys):
    runs = [Run("a", seed, 0.1 + 0.01 * seed, (0.9,)) for seed in range(6)]
    runs += [Run("b", seed, 0.2 + 0.03 * seed, (0.9,)) for seed in range(6)]
    for test_to_train, heading, middle in (
        (0.0, "pseudomedian [95 % interval]", r"-15.00 \[-20.00, -10.00\]"),
        (0.3, "median", "-15.00"),
    ):
        told = {"measure": "error_rate", "test_to_train": test_to_train, "conclusion": "so"}
        print_comparison({**tabulate(["a", "b"], runs, ERROR_RATE, test_to_train), **told})
        printed = capsys.readouterr().out
        assert re.search(rf"seeds\s+mean \[95 % interval\]\s+{re.escape(heading)}\s+p", printed)
        assert re.search(rf"a - b\s+6\s+-15.00 \[-\d+.\d\d, -\d+.\d\d\]\s+{middle}\s+0.0", printed)


def test_the_conclusion_says_when_nothing_was_resolved():
    told = concluded(np.array([-0.02, 0.018, 0.022, -0.019, 0.0]))
    assert told.startswith("no difference from random initialisation was resolved: wide pretraining 0.02 points [-")
    told = concluded(np.array([-2.0, 1.5, 2.5]), RMSE)
    assert told.startswith("no difference from random initialisation was resolved: wide pretraining 0.6667 [")
    assert "points" not in told
    assert concluded(np.array([-0.1])).endswith("resolved: wide pretraining -10.00 points")
    five = concluded(np.full(5, -0.1) * [1, 1.1, 1.2, 1.3, 1.4], test_to_train=0.0)  # too few for a rank test
    assert five.startswith("no difference")
