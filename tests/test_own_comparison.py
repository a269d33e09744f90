"""Comparisons on one's own data: nothing of the test rows is learnt, figures are those of the rows, larger tables."""

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
from scipy import stats
from sklearn.datasets import load_diabetes, load_wine

from stacked import (
    SGD,
    Adam,
    ClassifierSettings,
    Denoising,
    FeedforwardClassifier,
    FeedforwardRegressor,
    Plain,
    StackedAutoencoder,
    TrainingConfig,
    load_hdf5,
    orders,
)
from stacked.arms import arms_of
from stacked.comparison import Recipe, Run, finished_runs, run_arm
from stacked.error_table import RMSE, tabulate
from stacked.hdf5_rows import DatasetRows
from stacked.labelled_table import LabelledTable
from stacked.own_comparison import compare_on
from stacked.picked_rows import PickedRows
from stacked.recipes import Given, recipe_for
from stacked.rows import as_rows
from stacked.scaling import scaling_for
from stacked.targets import as_target
from stacked.trial_folder import TrialFolder

ARMS = arms_of((Denoising(8), Denoising(5)))
BY_NAME = {arm.name: arm for arm in ARMS}
SHORT = Given(epochs=2, finetune_epochs=3, batch_size=10, learning_rate=0.01)


def wine(missing=20):
    x, y = load_wine(return_X_y=True)
    labels = y.astype(float)
    labels[np.random.default_rng(0).permutation(len(y))[:missing]] = np.nan
    return x.astype(np.float32), as_target(labels)


def diabetes():
    x, y = load_diabetes(return_X_y=True, scaled=False)
    return x[:200], as_target(y[:200])


def run(table, arm, folder, seed=0, given=SHORT):
    return run_arm(BY_NAME, recipe_for(table, ARMS, given), table, arm, seed, Path(folder))


def assert_same(one, other, *names):
    for name in names:
        assert one.arrays[name].tobytes() == other.arrays[name].tobytes()


def without_seconds(value):
    """A JSON value without the times in it."""
    if isinstance(value, dict):
        timed = ("seconds", "rows_per_second")
        return {key: without_seconds(inner) for key, inner in value.items() if key not in timed}
    return [without_seconds(inner) for inner in value] if isinstance(value, list) else value


@pytest.mark.parametrize("arm", BY_NAME)
@pytest.mark.parametrize("rows", [wine, diabetes], ids=["classes", "numbers"])
def test_nothing_of_a_test_row_is_learnt(rows, arm, tmp_path):
    x, target = rows()
    table = LabelledTable(as_rows(x), target, validation_fraction=0.2)
    tested = table.split(0).test_numbers
    poisoned = x.copy()
    poisoned[tested] *= 1000
    other = LabelledTable(as_rows(poisoned), target, validation_fraction=0.2)
    given = Given(2, 5, 10, 0.01, patience=1)
    clean, spoilt = (run(one, arm, tmp_path / str(k), given=given) for k, one in enumerate((table, other)))
    assert_same(clean, spoilt, "before", "after")
    histories = [without_seconds(outcome.figures["details"]["histories"]) for outcome in (clean, spoilt)]
    assert histories[0] == histories[1]
    assert not np.array_equal(clean.arrays["originals"], spoilt.arrays["originals"])


@pytest.mark.parametrize("arm", BY_NAME)
def test_no_validation_row_is_trained_on_or_scaled_by(arm, tmp_path):
    x, target = wine()
    table = LabelledTable(as_rows(x), target, validation_fraction=0.2)
    validating = table.split(0).validation[0]
    poisoned = x.copy()
    poisoned[[(x == row).all(axis=1).argmax() for row in validating]] *= 3
    other = LabelledTable(as_rows(poisoned), target, validation_fraction=0.2)
    clean, spoilt = (run(one, arm, tmp_path / str(k)) for k, one in enumerate((table, other)))
    assert_same(clean, spoilt, "before", "after")
    losses = [outcome.figures["details"]["histories"]["fine_tuning"][-1] for outcome in (clean, spoilt)]
    assert losses[0]["loss"] == losses[1]["loss"]
    assert losses[0]["validation_loss"] != losses[1]["validation_loss"]


def test_rows_without_a_label_are_pretrained_on_and_nothing_else(tmp_path):
    x, target = wine()
    changed = x.copy()
    unlabelled = np.flatnonzero(~target.labelled)
    changed[unlabelled] = changed[unlabelled[::-1]]  # the range that scaling learns stays
    tables = [LabelledTable(as_rows(rows), target) for rows in (x, changed)]
    for arm, same in (("denoising", False), ("random", True)):
        one, other = (run(table, arm, tmp_path / f"{arm}{k}") for k, table in enumerate(tables))
        assert (one.arrays["before"].tobytes() == other.arrays["before"].tobytes()) == same
        assert (one.arrays["after"].tobytes() == other.arrays["after"].tobytes()) == same


def test_the_arms_of_a_seed_have_the_split_that_the_library_trains_on(tmp_path):
    """Written out with the classes that users have."""
    x, target = wine()
    table = LabelledTable(as_rows(x), target)
    split, how = table.split(3), recipe_for(table, ARMS, SHORT)
    config = TrainingConfig(2, 10, Adam(0.01))
    layers = (Denoising(8), Denoising(5))
    stack = StackedAutoencoder(layers, config, seed=3, scaling="min_max").fit(split.x_train, progress=False)
    classifier = FeedforwardClassifier.from_stack(stack, n_classes=3, seed=3)
    labels = np.where(target.labelled, target.values, np.nan)
    kept = np.setdiff1d(np.arange(len(x)), split.test_numbers)
    classifier.fit(x[kept], labels[kept], TrainingConfig(3, 10, Adam(0.01)), progress=False)
    outcome = run_arm(BY_NAME, how, table, "denoising", 3, tmp_path)
    assert outcome.arrays["after"].tobytes() == classifier.layers[0].weight.detach().numpy().tobytes()
    assert outcome.figures["error_rate"] == classifier.error_rate(x[split.test_numbers], labels[split.test_numbers])
    assert set(outcome.figures) == {"error_rate", "recalls", "seconds"}  # details are of seed 0


def test_the_error_of_numbers_is_that_of_the_regressor(tmp_path):
    x, target = diabetes()
    table = LabelledTable(as_rows(x), target)
    split = table.split(0)
    outcome = run(table, "random", tmp_path)
    regressor = FeedforwardRegressor((10, 8, 5, 1), seed=0, scaling="min_max")
    regressor.fit(split.x_train[:], split.y_train, TrainingConfig(3, 10, Adam(0.01)), progress=False)
    missed = regressor.predict(split.x_test[:]) - split.y_test
    assert outcome.figures["rmse"] == pytest.approx(np.sqrt(np.mean(missed**2)), rel=1e-6)
    assert outcome.figures["r2"] == pytest.approx(1 - np.mean(missed**2) / np.var(split.y_test), rel=1e-6)
    worst = outcome.figures["details"]["worst"]
    order = np.argsort(-np.abs(missed))[:12]
    assert [told["row"] for told in worst] == split.test_numbers[order].tolist()
    assert [told["predicted"] - told["true"] for told in worst] == pytest.approx(missed[order], rel=1e-4)
    assert np.array_equal(outcome.arrays["worst"], x[split.test_numbers[order]])


def test_seed_0_keeps_what_a_report_shows(tmp_path):
    x, target = wine()
    table = LabelledTable(as_rows(x), target)
    split, outcome = table.split(0), run(table, "denoising", tmp_path)
    details, arrays = outcome.figures["details"], outcome.arrays
    assert [len(records) for records in details["histories"]["layers"]] == [2, 2]
    assert len(details["histories"]["fine_tuning"]) == 3
    assert np.array_equal(arrays["originals"], x[split.test_numbers[:12]])
    assert arrays["reconstructions"].shape == (12, 13)
    assert np.abs(arrays["reconstructions"] - arrays["originals"]).max() < np.ptp(x)  # in their own units
    worst = details["worst"]
    assert worst
    assert all(told["predicted"] != told["true"] == target.values[told["row"]] for told in worst)
    confidence = [told["probability"] for told in worst]
    assert confidence == sorted(confidence, reverse=True)
    assert np.array_equal(arrays["worst"], x[[told["row"] for told in worst]])
    assert json.loads(json.dumps(details)) == details


@pytest.mark.parametrize("arm", ["denoising", "random"])
def test_a_table_larger_than_the_buffer_is_trained_on_where_it_lies(arm, tmp_path, monkeypatch):
    """With the bits that its parts have in memory."""

    class InMemory:
        is_fixed = False

        def split(self, seed):
            split = large.split(seed)
            assert isinstance(split.x_train, PickedRows)
            return split._replace(x_train=split.x_train[:], x_test=split.x_test[:])

    x, target = wine()
    np.save(tmp_path / "rows.npy", x)
    monkeypatch.setattr(orders, "MIXING_BYTES", 20 * x[0].nbytes)
    large = LabelledTable(as_rows(np.load(tmp_path / "rows.npy", mmap_mode="r")), target)
    recipe = recipe_for(large, ARMS, SHORT)
    there, here = (run_arm(BY_NAME, recipe, data, arm, 0, tmp_path / "run") for data in (large, InMemory()))
    assert_same(there, here, *there.arrays)
    assert there.figures["error_rate"] == here.figures["error_rate"]


@pytest.mark.parametrize(
    ("kind", "high", "scaling"),
    [("auto", 1.0, "none"), ("auto", 1.1, "min_max"), ("none", 5.0, "none"), ("standard", 0.5, "standard")],
)
def test_rows_are_scaled_where_they_leave_0_to_1(kind, high, scaling):
    assert scaling_for(kind, as_rows(np.array([[0.0, high], [0.5, 0.5]]))) == scaling


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    """A comparison of three seeds, and its folder."""
    x, target = wine()
    table, out = LabelledTable(as_rows(x), target), tmp_path_factory.mktemp("compared")
    return table, compare_on(table, ARMS, recipe_for(table, ARMS, SHORT), out, seeds=3), out


def test_the_results_are_those_of_the_runs(compared, tmp_path):
    table, results, out = compared
    assert json.loads((out / "results.json").read_text()) == json.loads(json.dumps(results))
    assert (out / "errors.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert results["data"]["tested_on"] == table.n_tested == 32
    assert set(results["details"]) == set(BY_NAME)
    recipe = recipe_for(table, ARMS, SHORT)
    for arm in BY_NAME:
        runs = [run_arm(BY_NAME, recipe, table, arm, seed, tmp_path / f"{arm}{seed}") for seed in range(3)]
        rates = [one.figures["error_rate"] for one in runs]
        assert results["arms"][arm]["error_rate"] == rates
        half = stats.t.ppf(0.975, 2) * np.std(rates, ddof=1) * np.sqrt(1 / 3 + 32 / 126)
        expected = (max(0, np.mean(rates) - half), min(1, np.mean(rates) + half))
        assert results["summary"]["arms"][arm]["interval_95"] == pytest.approx(expected, abs=1e-12)


def test_more_seeds_are_added_to_those_there_are(compared):
    table, results, out = compared
    before = {path: path.stat().st_mtime_ns for path in (out / "runs").iterdir()}
    more = compare_on(table, ARMS, recipe_for(table, ARMS, SHORT), out, seeds=4)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    for arm in BY_NAME:
        assert more["arms"][arm]["error_rate"][:3] == results["arms"][arm]["error_rate"]
        assert len(more["arms"][arm]["error_rate"]) == 4


def test_seeds_of_one_split_may_train_together_and_others_do_not(tmp_path):
    x, target = wine(missing=0)
    recipe = recipe_for(LabelledTable(as_rows(x), target), ARMS, SHORT)
    test = (as_rows(x[::4]), as_target(target.values[::4], "classification"))
    for name, table in (
        ("fixed", LabelledTable(as_rows(x), target, test)),
        ("own", LabelledTable(as_rows(x), target)),
    ):
        alone, together = (
            list(
                finished_runs(
                    ARMS[:1], recipe, table, range(2), TrialFolder(tmp_path / f"{name}{n}", {}), 1, together=n
                )
            )
            for n in (1, 2)
        )
        assert [run.error_rate for run in alone] == [run.error_rate for run in together]
        assert [run.recalls for run in alone] == [run.recalls for run in together]


def test_runs_that_diverge_are_counted_as_failures(tmp_path):
    x, target = wine()
    table = LabelledTable(as_rows(x), target)
    arms = arms_of((Plain(8, output="linear"), Plain(5)))
    training = TrainingConfig(epochs=2, batch_size=10, optimizer=SGD(1e30))
    recipe = Recipe(ClassifierSettings((13, 8, 5, 3)), training, TrainingConfig(2, 10), scaling="min_max")
    results = compare_on(table, arms, recipe, tmp_path, seeds=2)
    assert set(results["arms"]["plain"]["failed"]) == {"0", "1"}
    assert results["summary"]["arms"]["plain"]["failed"] == 2
    assert results["conclusion"].endswith("; 2 of 2 plain runs failed and have no error")


def test_a_table_of_numbers_has_their_errors_and_r2():
    runs = [Run("a", seed, rmse=2.0 + seed, r2=0.5) for seed in range(3)] + [Run("a", 3, failure="nan")]
    table = tabulate(["a"], runs, RMSE)
    assert table["arms"]["a"]["rmse"] == [2, 3, 4, None]
    assert table["arms"]["a"]["r2"] == [0.5, 0.5, 0.5, None]
    summary = table["summary"]["arms"]["a"]
    assert (summary["mean"], summary["mean_r2"], summary["failed"], summary["collapsed"]) == (3, 0.5, 1, 0)


def test_rows_that_are_read_slice_by_slice_serve_several_processes(compared, tmp_path):
    """They are copied out of their file, for an open file cannot be sent to another process."""
    table, results, _ = compared
    with h5py.File(tmp_path / "rows.h5", "w") as file:
        file.create_dataset("x", data=table.rows, chunks=(16, 13), compression="gzip")
    packed = LabelledTable(load_hdf5(tmp_path / "rows.h5", "x"), table.target)
    assert isinstance(packed.rows, DatasetRows)
    there = compare_on(packed, ARMS, recipe_for(packed, ARMS, SHORT), tmp_path / "out", seeds=3, jobs=2)
    assert without_seconds(there) == without_seconds(results)
