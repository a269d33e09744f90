"""Scores against scikit-learn and statsmodels' closed forms by hand."""

import numpy as np
import pytest
from scipy.optimize import brentq
from sklearn.metrics import accuracy_score, confusion_matrix, precision_score, recall_score

from stacked.scores import class_scores, reconstruction_scores, wilson_interval

RANDOM = np.random.default_rng(0)


def test_class_scores_are_those_of_scikit_learn():
    classes, predicted = RANDOM.integers(0, 4, 200), RANDOM.integers(0, 4, 200)
    scores = class_scores(predicted, classes, 4)
    assert np.array_equal(scores.confusion, confusion_matrix(classes, predicted))
    assert scores.error_rate == pytest.approx(1 - accuracy_score(classes, predicted))
    assert scores.recalls == pytest.approx(recall_score(classes, predicted, average=None))
    assert scores.precisions == pytest.approx(precision_score(classes, predicted, average=None))


def test_classes_that_do_not_occur_have_no_recall():
    scores = class_scores(np.array([0, 1]), np.array([0, 0]), 3)
    assert (scores.n_rows, scores.n_wrong, scores.error_rate) == (2, 1, 0.5)
    assert np.array_equal(scores.recalls, [0.5, np.nan, np.nan], equal_nan=True)
    assert np.array_equal(scores.precisions, [1, 0, np.nan], equal_nan=True)


@pytest.mark.parametrize(("count", "n"), [(0, 10), (3, 10), (10, 10), (1, 1), (83, 10_000)])
def test_wilsons_interval_holds_every_share_that_a_score_test_does_not_reject(count, n):
    """By its definition: the ends are where the score statistic is the normal quantile."""
    z, share = 1.959963984540054, count / n

    def statistic(p):
        return (share - p) ** 2 * n - z**2 * p * (1 - p)

    low = 0.0 if count == 0 else brentq(statistic, 0, share - 1e-9)
    high = 1.0 if count == n else brentq(statistic, share + 1e-9, 1)
    assert wilson_interval(count, n) == pytest.approx((low, high), abs=1e-9)


def test_reconstruction_scores_by_hand():
    rows = RANDOM.normal(1e6, [1, 2, 3, 0], (10_000, 4))
    errors = RANDOM.normal(0, 0.1, rows.shape)
    lookup = {row.tobytes(): error for row, error in zip(rows, errors, strict=True)}
    scores = reconstruction_scores(rows, lambda block: block + [lookup[row.tobytes()] for row in block])
    assert scores.mean_squares == pytest.approx((errors**2).mean(axis=0), rel=1e-6)
    assert scores.variances[:3] == pytest.approx(rows.var(axis=0)[:3], rel=1e-9)
    assert scores.unexplained == pytest.approx((errors**2).sum() / ((rows - rows.mean(axis=0)) ** 2).sum(), rel=1e-6)
    assert np.isnan(scores.unexplained_by_column[3])
