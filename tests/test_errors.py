"""Errors and warnings, and the checks of single values."""

import math
from fractions import Fraction

import numpy as np
import pytest

from stacked.errors import StackedError, StackedWarning, check_choice, check_count, check_number, mismatch

HUGE = pytest.param(10**400, id="huge")  # a whole number that no float holds


def test_a_stacked_error_is_a_value_error():
    with pytest.raises(ValueError, match="the message"):
        raise StackedError("the message")


def test_a_stacked_warning_is_a_user_warning():
    assert issubclass(StackedWarning, UserWarning)


def test_a_mismatch_names_argument_expectation_receipt_and_remedy_in_this_order():
    error = mismatch("rate", expected="less", received=3, remedy="lower it")
    assert isinstance(error, StackedError)
    assert str(error) == "rate: expected less, received 3; lower it"


@pytest.mark.parametrize("value", [1, 7, 10**30, np.int64(3), np.uint8(255)])
def test_whole_numbers_are_counts(value):
    check_count("n", value)


@pytest.mark.parametrize(
    "value", [0, -1, 1.0, 2.5, math.nan, True, False, "3", None, [1], np.float64(2), np.int64(0)]
)
def test_anything_else_is_no_count(value):
    with pytest.raises(StackedError) as caught:
        check_count("n_units", value)
    assert str(caught.value).startswith("n_units: expected a whole number of at least 1, received ")
    assert repr(value) in str(caught.value)


@pytest.mark.parametrize(("value", "least", "fits"), [(0, 0, True), (-1, 0, False), (1, 2, False), (2, 2, True)])
def test_a_count_starts_at_its_least(value, least, fits):
    if fits:
        check_count("n", value, least=least)
    else:
        with pytest.raises(StackedError, match=f"at least {least}"):
            check_count("n", value, least=least)


@pytest.mark.parametrize("value", [0, 1, 0.5, np.float32(0.25), np.int64(1), Fraction(1, 3), -0.0])
def test_numbers_within_the_bounds_pass(value):
    check_number("fraction", value, 0, 1)


@pytest.mark.parametrize(
    "value", [-1e-9, 1.0000001, math.nan, math.inf, -math.inf, True, "0.5", None, 1j, np.array([0.5, 0.5]), HUGE]
)
def test_other_values_are_refused_with_the_bounds(value):
    with pytest.raises(StackedError, match=r"^fraction: expected a number from 0 to 1, received "):
        check_number("fraction", value, 0, 1)


@pytest.mark.parametrize("value", [math.inf, math.nan, -0.1, HUGE])
def test_a_number_without_upper_bound_is_still_finite_and_not_below_the_lower(value):
    with pytest.raises(StackedError, match=r"^rate: expected a number of at least 0, received "):
        check_number("rate", value, 0)


def test_a_number_without_upper_bound_may_be_large():
    check_number("rate", 1e300, 0)


@pytest.mark.parametrize("choices", [("a", "b"), {"a": 1, "b": 2}])
def test_a_choice_passes(choices):
    check_choice("kind", "b", choices)


@pytest.mark.parametrize("choices", [("a", "b"), {"a": 1, "b": 2}])
@pytest.mark.parametrize("value", ["c", "", None, 3, ["a"], {"a": 1}])
def test_what_is_no_choice_is_refused_with_the_choices(value, choices):
    with pytest.raises(StackedError, match=r"^kind: expected one of 'a', 'b', received "):
        check_choice("kind", value, choices)
