"""Round numbers along axes."""

import numpy as np
import pytest

from stacked.ticks import logarithmic_ticks, round_numbers


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (43, 71, [50, 60, 70]),
        (1.7, 9, [2, 3, 5, 7]),
        (0.008, 100, [0.01, 0.1, 1, 10, 100]),
        (30.001, 30.002, [30.001, 30.0012, 30.0014, 30.0016, 30.0018, 30.002]),
        (1e-9, 1e9, [1e-9, 1e-5, 1e-1, 1e3, 1e7]),
    ],
)
def test_ticks_of_narrow_and_wide_logarithmic_axes(low, high, ticks):
    assert logarithmic_ticks(low, high) == ticks


@pytest.mark.parametrize("seed", range(100))
def test_ticks_stand_apart_between_the_ends(seed):
    rng = np.random.default_rng(seed)
    low = 10.0 ** rng.uniform(-6, 6)
    high = low * 10.0 ** (10.0 ** rng.uniform(-3, 1))
    ticks = np.array(logarithmic_ticks(low, high))
    assert 2 <= len(ticks) <= 6
    assert low <= ticks[0] < ticks[-1] <= high
    assert np.diff(np.log(ticks)).min() >= 0.09 * np.log(high / low)


def test_round_numbers_are_few_and_even():
    assert round_numbers(0, 125) == [0, 50, 100]
    assert round_numbers(-0.3, 0.3) == [-0.2, 0, 0.2]
