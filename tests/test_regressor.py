"""The feedforward regressor against scikit-learn and closed forms."""

import numpy as np
import pytest
from sklearn.datasets import load_diabetes
from sklearn.linear_model import LinearRegression
from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score

from stacked import (
    LBFGS,
    SGD,
    Denoising,
    FeedforwardClassifier,
    FeedforwardRegressor,
    RegressorSettings,
    StackedAutoencoder,
    StackedError,
    StackedWarning,
    TrainingConfig,
    load_regressor,
    save,
)
from stacked.seeds import fit_classifiers

X, Y = load_diabetes(return_X_y=True, scaled=False)
EXACT = TrainingConfig(epochs=60, batch_size=None, optimizer=LBFGS())
BRIEF = TrainingConfig(epochs=3, batch_size=50)


def test_without_hidden_layers_it_is_least_squares():
    regressor = FeedforwardRegressor((10, 1), dtype="float64", scaling="standard").fit(X, Y, EXACT)
    expected = LinearRegression().fit(X, Y).predict(X)
    assert regressor.predict(X) == pytest.approx(expected, rel=1e-4)


def test_targets_far_from_0_keep_their_digits():
    x = np.random.default_rng(0).random((300, 4))
    y = x @ [1, 2, 3, 4]
    near, far = (FeedforwardRegressor([4, 1]).fit(x, y + offset, EXACT) for offset in (0, 1.7e9))
    assert far.predict(x) - 1.7e9 == pytest.approx(near.predict(x), abs=1e-5)
    assert far.errors(x, y + 1.7e9).r2 > 0.99


def test_several_targets_are_predicted_at_once():
    targets = np.stack([Y, X[:, 2] * 1000], axis=1)
    regressor = FeedforwardRegressor((10, 2), dtype="float64", scaling="standard").fit(X, targets, EXACT)
    expected = LinearRegression().fit(X, targets).predict(X)
    assert regressor.predict(X) == pytest.approx(expected, rel=1e-4)


def test_errors_are_those_of_scikit_learn():
    regressor = FeedforwardRegressor((10, 8, 1), scaling="standard").fit(X, Y, BRIEF)
    predicted = regressor.predict(X)
    expected = mean_squared_error(Y, predicted) ** 0.5, mean_absolute_error(Y, predicted), r2_score(Y, predicted)
    assert regressor.errors(X, Y) == pytest.approx(expected, rel=1e-6)


def test_rows_without_a_target_are_left_out():
    some = np.where(np.arange(len(Y)) % 2, Y, np.nan)
    config = TrainingConfig(epochs=3, batch_size=None)
    partly = FeedforwardRegressor((10, 4, 1)).fit(X / 100, some, config)
    only = FeedforwardRegressor((10, 4, 1)).fit(X[1::2] / 100, Y[1::2], config)
    assert partly.predict(X / 100) == pytest.approx(only.predict(X / 100), rel=1e-4)
    assert partly.errors(X / 100, some) == pytest.approx(only.errors(X[1::2] / 100, Y[1::2]), rel=1e-4)


def test_classes_that_are_missing_are_left_out():
    y = np.arange(len(X)) % 3
    some = np.where(np.arange(len(X)) < 300, y, np.nan)
    config = TrainingConfig(epochs=3, batch_size=None)
    partly = FeedforwardClassifier((10, 4, 3)).fit(X / 100, some, config)
    only = FeedforwardClassifier((10, 4, 3)).fit(X[:300] / 100, y[:300], config)
    assert partly.outputs(X / 100) == pytest.approx(only.outputs(X / 100), rel=1e-4)
    assert partly.error_rate(X / 100, some) == only.error_rate(X[:300] / 100, y[:300])


def test_it_takes_over_a_stack_and_is_kept(tmp_path):
    stack = StackedAutoencoder([Denoising(8), Denoising(4)], BRIEF, scaling="min_max").fit(X)
    regressor = FeedforwardRegressor.from_stack(stack, freeze=True, dropout=0.1)
    assert np.array_equal(regressor.hidden(X), stack.encode(X))
    regressor.fit(X, Y, BRIEF, validation=(X, Y))
    assert np.array_equal(regressor.hidden(X), stack.encode(X))
    assert len(regressor.history["validation_loss"]) == 3
    loaded = load_regressor(save(regressor, tmp_path / "regressor"))
    assert np.array_equal(loaded.predict(X), regressor.predict(X))
    assert "regressor 10-8-4-1" in (tmp_path / "regressor" / "model_card.md").read_text()


def test_hidden_layers_of_a_network_get_a_new_head():
    classifier = FeedforwardClassifier((10, 8, 4, 3), scaling="standard").fit(X, np.arange(len(X)) % 3, BRIEF)
    regressor = FeedforwardRegressor.from_stack(classifier, freeze=True).fit(X, Y, BRIEF)
    assert np.array_equal(regressor.hidden(X), classifier.hidden(X))


def test_layers_are_frozen_and_free_again():
    regressor = FeedforwardRegressor((10, 8, 4, 1), scaling="standard").freeze(1)
    before = regressor.hidden(X / 1.0, 1) if regressor.scaling else None
    first = regressor.layers[0].weight.detach().clone()
    regressor.fit(X, Y, BRIEF)
    assert before is None
    assert (regressor.layers[0].weight == first).all()
    regressor.unfreeze().fit(X, Y, BRIEF)
    assert (regressor.layers[0].weight != first).any()
    with pytest.raises(StackedError, match="n_layers: expected a number from 0 to 2"):
        regressor.freeze(3)


def test_an_interrupted_fit_goes_on(tmp_path):
    whole = FeedforwardRegressor((10, 8, 1), scaling="standard").fit(X, Y, BRIEF)
    kept = FeedforwardRegressor((10, 8, 1), scaling="standard").fit(X, Y, BRIEF, run=tmp_path / "run")
    again = FeedforwardRegressor((10, 8, 1), scaling="standard").fit(X, Y, BRIEF, run=tmp_path / "run")
    assert np.array_equal(kept.predict(X), whole.predict(X))
    assert np.array_equal(again.predict(X), whole.predict(X))


def test_seeds_train_together():
    alone = FeedforwardRegressor((10, 8, 1), seed=1, scaling="standard").fit(X, Y, BRIEF)
    both = [FeedforwardRegressor((10, 8, 1), seed=seed, scaling="standard") for seed in (0, 1)]
    assert fit_classifiers(both, X, Y, BRIEF) == [None, None]
    assert np.array_equal(both[1].predict(X), alone.predict(X))


def test_one_that_learnt_nothing_is_told_of():
    never = TrainingConfig(epochs=1, batch_size=None, optimizer=SGD(1e-12))
    with pytest.warns(StackedWarning, match=r"its squared error on 442 training rows is [\d.]+ times that of always"):
        FeedforwardRegressor(RegressorSettings((10, 8, 1)), scaling="standard").fit(X, np.roll(Y, 100), never)


@pytest.mark.parametrize(
    ("targets", "match"),
    [
        (Y[:5], r"labels: expected shape \(442, 1\) or \(442,\), received shape \(5,\)"),
        (np.full(442, "a"), "labels: expected numbers, received dtype <U1"),
        (
            np.where(np.arange(442) == 3, np.inf, Y),
            "labels: expected finite numbers, received an infinite one in row 3",
        ),
        (np.full(442, np.nan), "labels: expected labelled rows, received 442 without a label"),
    ],
)
def test_bad_targets_are_refused(targets, match):
    with pytest.raises(StackedError, match=match):
        FeedforwardRegressor((10, 8, 1)).fit(X, targets, BRIEF)


def test_an_untrained_one_predicts_nothing():
    with pytest.raises(StackedError, match="the regressor: expected a trained one"):
        FeedforwardRegressor((10, 8, 1)).predict(X)
