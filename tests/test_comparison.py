"""The comparison: paired arms, the same result whatever the number of jobs, failures and collapses told, resuming."""

import functools
import tempfile
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from sklearn.datasets import load_digits

from stacked import (
    SGD,
    Adam,
    ClassifierSettings,
    Denoising,
    LabelledImages,
    Masking,
    Plain,
    StackedError,
    TrainingConfig,
)
from stacked.comparison import Arm, Recipe, Run, finished_runs, run_arm, run_seeds
from stacked.error_table import RMSE, tabulate
from stacked.trial import run_trial
from stacked.trial_folder import TrialFolder

ARMS = [
    Arm("plain", (Plain(20), Plain(10))),
    Arm("denoising", (Denoising(20, corruption=Masking(0.3)), Denoising(10, corruption=Masking(0.3)))),
    Arm("random"),
]
NAMES = [arm.name for arm in ARMS]
RATES = {"a": [0.1, 0.9], "b": [0.05, 0.11]}


@pytest.fixture(scope="module")
def data():
    digits = load_digits()
    x, y = (digits.data / 16).astype(np.float32), digits.target
    return LabelledImages(x[:600], y[:600], x[600:900], y[600:900])


def recipe(learning_rate=0.01, epochs=3):
    training = TrainingConfig(epochs=epochs, batch_size=20, optimizer=Adam(learning_rate))
    return Recipe(ClassifierSettings((64, 20, 10, 10)), training, training)


def outcomes(runs):
    return {(run.arm, run.seed): (run.error_rate, run.recalls) for run in runs}


def run_alone(arm, recipe, data, seed):
    with tempfile.TemporaryDirectory() as scratch:
        compute = functools.partial(run_arm, {arm.name: arm}, recipe, data)
        return run_trial(compute, arm.name, seed, Path(scratch))


def test_the_same_runs_whatever_the_number_of_jobs(data, tmp_path):
    one = finished_runs(ARMS, recipe(), data, range(2), TrialFolder(tmp_path / "one", {}), jobs=1)
    two = finished_runs(ARMS, recipe(), data, range(2), TrialFolder(tmp_path / "two", {}), jobs=2)
    alone = [Run(arm.name, seed, **run_alone(arm, recipe(), data, seed).figures) for arm in ARMS for seed in range(2)]
    assert outcomes(one) == outcomes(two) == outcomes(alone)


def test_seeds_that_train_together_are_the_same_runs(data, tmp_path):
    one = list(finished_runs(ARMS, recipe(), data, range(3), TrialFolder(tmp_path / "one", {}), jobs=1))
    folder = TrialFolder(tmp_path / "two", {})
    several = list(finished_runs(ARMS, recipe(), data, range(3), folder, jobs=1, together=2))
    assert [(run.arm, run.seed) for run in several[:6]] == [(name, seed) for name in NAMES for seed in (0, 1)]
    assert outcomes(one) == outcomes(several)
    stored = TrialFolder(tmp_path / "one", {}).arrays("denoising", 0)
    assert np.array_equal(stored["after"], folder.arrays("denoising", 0)["after"])


def test_what_was_finished_together_is_not_computed_again(data, tmp_path, monkeypatch):
    """A run that is killed after some of its seeds goes on with the others."""
    finished = finished_runs(ARMS, recipe(), data, range(4), TrialFolder(tmp_path, {}), jobs=1, together=2)
    first = [next(finished) for _ in range(2)]
    finished.close()
    computed = []

    def noting(arms, recipe, data, name, seeds, turn):
        computed.append((name, list(seeds)))
        return run_seeds(arms, recipe, data, name, seeds, turn)

    monkeypatch.setattr("stacked.comparison.run_seeds", noting)
    again = list(finished_runs(ARMS, recipe(), data, range(4), TrialFolder(tmp_path, {}), jobs=1, together=2))
    assert [run for run in again if run in first] == first
    assert computed == [
        (name, seeds) for seeds in ([0, 1], [2, 3]) for name in NAMES if (name, seeds[0]) != ("plain", 0)
    ]


def test_a_seed_that_fails_or_is_warned_of_does_so_for_itself(data, tmp_path):
    """At this rate the loss of some seeds leaves the numbers in the last steps of the first layer."""
    reckless = TrainingConfig(epochs=3, batch_size=20, optimizer=SGD(4.02, momentum=0.9))
    arm = Arm("plain", (Plain(20, output="linear"), Plain(10)))
    fatal = Recipe(recipe().network, reckless, recipe().finetuning)
    folders = {n: TrialFolder(tmp_path / str(n), {}) for n in (1, 6)}
    runs = [list(finished_runs([arm], fatal, data, range(6), folders[n], jobs=1, together=n)) for n in folders]
    assert outcomes(runs[0]) == outcomes(runs[1])
    assert 0 < sum(run.error_rate is None for run in runs[1]) < 6
    for seed in range(6):
        alone, together = (folders[n].load("plain", seed) for n in folders)
        assert alone.failure.partition("; the last state")[0] == together.failure
        assert alone.warnings == together.warnings


def test_finished_runs_are_not_computed_again(data, tmp_path):
    folder = TrialFolder(tmp_path, {"a": 1})
    first = list(finished_runs(ARMS, recipe(), data, range(1), folder, jobs=1))
    written = {path.name: path.stat().st_mtime_ns for path in tmp_path.rglob("*.json")}
    again = list(finished_runs(ARMS, recipe(), data, range(2), TrialFolder(tmp_path, {"a": 1}), jobs=1))
    assert len(again) == 6
    assert [run for run in again if run.seed == 0] == first
    assert dict(written.items()) == {
        path.name: path.stat().st_mtime_ns for path in tmp_path.rglob("*.json") if path.name in written
    }


def test_filters_of_the_first_seed_are_kept(data, tmp_path):
    folder = TrialFolder(tmp_path, {})
    list(finished_runs(ARMS, recipe(), data, range(2), folder, jobs=1))
    for arm in NAMES:
        filters = folder.arrays(arm, 0)
        assert filters["before"].shape == filters["after"].shape == (20, 64)
        assert not np.array_equal(filters["before"], filters["after"])
        assert folder.arrays(arm, 1) is None


def test_runs_of_other_settings_are_refused(tmp_path):
    TrialFolder(tmp_path, {"epochs": 1, "same": 2})
    with pytest.raises(StackedError, match=r"runs with epochs = 3, or none, received runs with epochs = 1; name"):
        TrialFolder(tmp_path, {"epochs": 3, "same": 2})


def test_a_run_that_diverges_is_a_failed_run(data, tmp_path):
    diverging = TrainingConfig(epochs=2, batch_size=20, optimizer=SGD(1e30))
    arm = Arm("plain", (Plain(20, output="linear"), Plain(10)))
    fatal = Recipe(recipe().network, diverging, diverging)
    assert run_alone(arm, fatal, data, 0).arrays == {}
    folder = TrialFolder(tmp_path, {})
    first, again = (list(finished_runs([arm], fatal, data, range(1), folder, jobs=1)) for _ in range(2))
    assert first == again
    assert first[0].error_rate is None
    assert "lower the learning rate" in first[0].failure
    assert folder.arrays("plain", 0) is None


def test_the_error_rate_and_recalls_are_those_of_the_predictions(data):
    figures = run_alone(ARMS[0], recipe(), data, 0).figures
    sizes = np.bincount(data.y_test)
    wrong = sum((1 - recall) * size for recall, size in zip(figures["recalls"], sizes, strict=True))
    assert figures["error_rate"] == pytest.approx(wrong / len(data.y_test))


@pytest.mark.parametrize(("lowest", "collapsed"), [(0.0, True), (0.0499, True), (0.05, False), (0.9, False)])
def test_a_run_collapses_when_some_class_is_hardly_recognised(lowest, collapsed):
    assert Run("plain", 0, 0.1, recalls=(0.9, lowest, 1.0)).collapsed == collapsed


def test_the_table_counts_collapsed_and_lists_failed_runs():
    good, bad = (0.9, 0.9), (0.9, 0.01)
    runs = [
        *(Run("a", seed, rate, good) for seed, rate in enumerate((0.10, 0.12, 0.14))),
        Run("a", 3, 0.5, bad),
        *(Run("b", seed, rate, good) for seed, rate in enumerate((0.08, 0.11, 0.12))),
        Run("b", 3, failure="the loss became nan"),
    ]
    table = tabulate(["a", "b"], runs[::-1])
    assert table["arms"]["a"]["error_rate"] == [0.10, 0.12, 0.14, 0.5]
    assert table["arms"]["b"]["error_rate"] == [0.08, 0.11, 0.12, None]
    assert table["arms"]["a"]["collapsed_seeds"] == [3]
    assert table["arms"]["b"]["failed"] == {"3": "the loss became nan"}
    a, b = (table["summary"]["arms"][name] for name in "ab")
    assert (a["n"], a["collapsed"], a["failed"], b["n"], b["failed"]) == (4, 1, 0, 3, 1)
    assert a["mean"] == pytest.approx(0.215)
    assert a["median_among_healthy"] == pytest.approx(0.12)
    (pair,) = table["summary"]["pairs"]
    assert (pair["pair"], pair["n"]) == (["a", "b"], 3)
    assert pair["mean_difference"] == pytest.approx((0.02 + 0.01 + 0.02) / 3)


def test_collapsed_runs_count_in_pairs_except_among_healthy():
    runs = [
        Run("a", 0, 0.5, (0.0, 1.0)),
        Run("a", 1, 0.2, (1.0,)),
        Run("b", 0, 0.1, (1.0,)),
        Run("b", 1, 0.1, (1.0,)),
    ]
    summary = tabulate(["a", "b"], runs)["summary"]
    assert (summary["pairs"][0]["n"], summary["pairs_among_healthy"][0]["n"]) == (2, 1)
    assert summary["pairs"][0]["mean_difference"] == pytest.approx(0.25)
    assert summary["pairs_among_healthy"][0]["mean_difference"] == pytest.approx(0.1)


def test_intervals_end_where_errors_do():
    """Of two runs Student's intervals are twelve standard errors wide on either side."""
    runs = [Run(name, seed, rate, rmse=rate) for name, of in RATES.items() for seed, rate in enumerate(of)]
    summary = tabulate(list(RATES), runs)["summary"]
    b = stats.t.interval(0.95, 1, np.mean(RATES["b"]), stats.sem(RATES["b"]))
    assert [one["interval_95"] for one in summary["arms"].values()] == [(0.0, 1.0), (0.0, pytest.approx(b[1]))]
    (pair,) = summary["pairs"]
    assert pair["interval_95"] == (-1.0, 1.0)
    summary = tabulate(list(RATES), runs, RMSE)["summary"]
    low, high = summary["arms"]["a"]["interval_95"]
    assert (low, high) == (0.0, pytest.approx(stats.t.interval(0.95, 1, 0.5, stats.sem(RATES["a"]))[1]))
    assert high > 1
    (pair,) = summary["pairs"]
    difference = np.subtract(RATES["a"], RATES["b"])
    expected = stats.t.interval(0.95, 1, difference.mean(), stats.sem(difference))
    assert pair["interval_95"] == pytest.approx(expected)


def test_cutting_intervals_off_costs_no_coverage():
    """Three rates of a mean of 2 %, whose intervals mostly begin below 0."""
    rates = np.random.default_rng(0).beta(2, 98, (1000, 3))
    tables = [tabulate(["a"], [Run("a", *run) for run in enumerate(row)]) for row in rates.tolist()]
    cut = [table["summary"]["arms"]["a"]["interval_95"] for table in tables]
    whole = stats.t.interval(0.95, 2, rates.mean(axis=1), stats.sem(rates, axis=1))
    assert np.mean([low == 0 for low, _ in cut]) > 0.5
    assert [low <= 0.02 <= high for low, high in cut] == ((whole[0] <= 0.02) & (whole[1] >= 0.02)).tolist()
