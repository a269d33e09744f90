"""Measures against closed forms, and against NumPy and scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from stacked.measures import (
    average_precision,
    filter_spread,
    hoyer_sparsity,
    neighbour_correlation,
    precision_at,
    silent_units,
)

RANDOM = np.random.default_rng(0)


def test_hoyer_is_1_for_one_code_and_0_for_equal_codes():
    codes = np.array([[0, 0, -3, 0], [2, 2, -2, 2], [0, 0, 0, 0]], dtype=np.float32)
    np.testing.assert_allclose(hoyer_sparsity(codes), [1, 0, np.nan], atol=1e-7)


@pytest.mark.parametrize("active", [1, 2, 5, 16])
def test_hoyer_of_so_many_equal_codes(active):
    codes = np.zeros((1, 16))
    codes[0, :active] = 0.7
    assert hoyer_sparsity(codes)[0] == pytest.approx((4 - np.sqrt(active)) / 3)


def test_spread_of_one_pixel_of_two_and_of_a_whole_image():
    one, two, whole, none = np.zeros((7, 9)), np.zeros((7, 9)), np.ones((7, 9)), np.zeros((7, 9))
    one[3, 4] = -2
    two[1, 2] = two[1, 8] = 5
    spread = filter_spread(np.stack([one, two, whole, none]).reshape(4, -1), (7, 9))
    np.testing.assert_allclose(spread, [0, 3, np.sqrt((7**2 - 1 + 9**2 - 1) / 12), np.nan], atol=1e-6)


def test_spread_does_not_depend_on_place_or_scale():
    blob = np.zeros((28, 28))
    blob[3:8, 4:9] = RANDOM.standard_normal((5, 5))
    moved = 17 * np.roll(blob, (11, 6), axis=(0, 1))
    a, b = filter_spread(np.stack([blob, moved]).reshape(2, -1), (28, 28))
    assert a == pytest.approx(b)


def test_neighbours_correlate_in_a_ramp_and_not_in_noise_or_a_chessboard():
    ramp = np.add.outer(np.arange(28.0), np.arange(28.0))
    chess = np.indices((28, 28)).sum(axis=0) % 2.0
    noise = RANDOM.standard_normal((28, 28))
    correlation = neighbour_correlation(np.stack([ramp, chess, noise, np.ones((28, 28))]).reshape(4, -1), (28, 28))
    assert correlation[0] > 0.99
    assert correlation[1] == pytest.approx(-1)
    assert abs(correlation[2]) < 4 / np.sqrt(2 * 28 * 27)
    assert np.isnan(correlation[3])


def test_neighbour_correlation_is_numpy_s_over_all_pairs_that_are_there():
    picture = RANDOM.standard_normal((5, 4))
    picture[1, 2] = picture[4, 0] = np.nan
    pairs = [(picture[i, j], picture[i, j + 1]) for i in range(5) for j in range(3)]
    pairs += [(picture[i, j], picture[i + 1, j]) for i in range(4) for j in range(4)]
    kept = np.array([pair for pair in pairs if not np.isnan(pair).any()])
    expected = np.corrcoef(kept.T)[0, 1]
    assert neighbour_correlation(picture.reshape(1, -1), (5, 4))[0] == pytest.approx(expected)


def test_average_precision_of_a_whole_ranking_is_scikit_learn_s():
    relevant = RANDOM.random((20, 30)) < 0.3
    relevant[:, 0] |= ~relevant.any(axis=1)
    scores = -np.arange(30.0)
    expected = [average_precision_score(row, scores) for row in relevant]
    np.testing.assert_allclose(average_precision(relevant, relevant.sum(axis=1)), expected)


def test_average_precision_of_a_cut_ranking():
    relevant = np.array([[1, 0, 1, 0], [0, 0, 0, 0], [1, 1, 1, 1]], dtype=bool)
    expected = [(1 + 2 / 3) / 4, 0, 1]
    np.testing.assert_allclose(average_precision(relevant, np.array([9, 3, 50])), expected)
    np.testing.assert_allclose(average_precision(relevant[:1], np.array([2])), [(1 + 2 / 3) / 2])


def test_precision_counts_the_first_results():
    relevant = np.array([[1, 0, 1, 1], [0, 0, 0, 1]], dtype=bool)
    np.testing.assert_allclose(precision_at(relevant, 2), [0.5, 0])


@pytest.mark.parametrize(
    ("bounds", "dead", "saturated"),
    [
        ((0.0, 1.0), [1, 0, 0, 0, 1, 0], [0, 0, 0, 1, 0, 0]),
        ((0.0, np.inf), [1, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0]),
        ((-1.0, 1.0), [1, 0, 0, 0, 1, 0], [0, 0, 0, 1, 0, 1]),
        ((-np.inf, np.inf), [1, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0]),
    ],
)
def test_units_that_say_the_same_of_every_row_are_told_apart(bounds, dead, saturated):
    codes = np.array([[0, 0.5, 0, 1, 0.005, -0.99], [0, 0.5, 1, 0.995, 0.002, -1]])
    found = silent_units(codes[:, : None if bounds[0] else 5], bounds)
    n_units = found[0].shape[0]
    np.testing.assert_array_equal(found, np.array([dead, saturated], bool)[:, :n_units])
