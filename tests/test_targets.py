"""Targets: classes by their names, numbers as they are, and what is no label."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.preprocessing import LabelEncoder

from stacked import StackedError
from stacked.targets import as_groups, as_target, described

NAN = float("nan")


def text(*values):
    return np.array(values, object)


@pytest.mark.parametrize(
    ("raw", "values", "classes"),
    [
        (text("M", "B", None, "M"), [1, 0, -1, 1], ("B", "M")),
        (text("10", "9", "", "10"), [1, 0, -1, 1], ("9", "10")),
        (text("10", "9", "x"), [0, 1, 2], ("10", "9", "x")),
        (text("1.5", "-2", ""), [1, 0, -1], ("-2", "1.5")),
        (text("DE", "NA", None), [0, 1, -1], ("DE", "NA")),
        (text("yes", NAN, "no"), [1, -1, 0], ("no", "yes")),
        (np.array(["b", "a"]), [1, 0], ("a", "b")),
        (np.array([b"b", b"a"]), [1, 0], ("a", "b")),
        (["b", "a"], [1, 0], ("a", "b")),
        (np.array([3.0, NAN, 1.0]), [1, -1, 0], ("1", "3")),
        (np.array([-1.0, 1.0, 2.0]), [0, 1, 2], ("-1", "1", "2")),
        (np.array([-1, 0, 7]), [-1, 0, 1], ("0", "7")),
        (np.array([-1, 1, -1]), [0, 1, 0], ("-1", "1")),
        (np.array([-1, 1, 0]), [-1, 1, 0], ("0", "1")),
        (np.array([-1, 1, -2]), [1, 2, 0], ("-2", "-1", "1")),
        (np.array([255, 0], np.uint8), [1, 0], ("0", "255")),
        (np.array([[2], [1]], ">i4"), [1, 0], ("1", "2")),
        (np.array([True, False]), [1, 0], ("False", "True")),
        (np.arange(20), list(range(20)), tuple(map(str, range(20)))),
        (np.arange(21) - 1, list(range(-1, 20)), tuple(map(str, range(20)))),
    ],
)
def test_classes_have_names_in_order(raw, values, classes):
    target = as_target(raw)
    assert (target.values.tolist(), target.classes) == (values, classes)
    assert (target.values.dtype, target.is_classes) == (np.int64, True)
    assert target.labelled.tolist() == [value >= 0 for value in values]
    assert target.n_labelled == sum(value >= 0 for value in values)


@pytest.mark.parametrize(
    ("raw", "task", "values"),
    [
        (np.array([1.5, 2.0, NAN]), "auto", [1.5, 2.0, NAN]),
        (np.arange(21), "auto", list(range(21))),
        (np.arange(22) - 1, "auto", list(range(-1, 21))),
        (np.array([-1, 0, 3, 7]), "regression", [-1, 0, 3, 7]),
        (np.array([-5, -1, 0, 3]), "regression", [-5, -1, 0, 3]),
        (np.array([-1, -1]), "regression", [-1, -1]),
        (np.arange(22) - 2, "auto", list(range(-2, 20))),
        (np.array([0, 1], np.uint8), "regression", [0, 1]),
        (np.array([0.25], np.float16), "regression", [0.25]),
    ],
)
def test_numbers_stay_numbers(raw, task, values):
    target = as_target(raw, task)
    assert np.array_equal(target.values, values, equal_nan=True)
    assert (target.values.dtype, target.classes, target.is_classes) == (np.float64, (), False)
    assert target.labelled.tolist() == (~np.isnan(np.array(values, float))).tolist()


def test_text_that_reads_as_numbers_is_predicted_when_told_to():
    assert np.array_equal(as_target(text("007", None, "8"), "regression").values, [7, NAN, 8], equal_nan=True)
    with pytest.raises(StackedError, match="expected numbers for regression, received text such as 'inf'"):
        as_target(text("1", "inf"), "regression")


@pytest.mark.parametrize(
    ("raw", "classes", "received", "remedy"),
    [
        (np.array([0, 1]), ("False", "True"), "'0', '1'", "write 'False' for '0' and 'True' for '1', as in training"),
        (np.array([True]), ("0", "1"), "'True'", "write '1' for 'True', as in training"),
        (text("TRUE"), ("false", "true"), "'TRUE'", "write 'true' for 'TRUE', as in training"),
        (np.array([7]), ("007", "08"), "'7'", "write '007' for '7', as in training"),
        (text("7", "x"), ("007", "08"), "'7', 'x'", "leave rows of other classes out, or train on them too"),
    ],
)
def test_classes_in_another_spelling_are_told(raw, classes, received, remedy):
    with pytest.raises(StackedError) as caught:
        as_target(raw, classes=classes)
    expected = ", ".join(map(repr, classes))
    assert str(caught.value) == f"labels: expected classes among {expected}, received {received}; {remedy}"


def test_numbers_that_are_not_whole_may_be_classes():
    target = as_target(np.array([0.1, 2.5, 0.1], np.float32), "classification")
    assert (target.values.tolist(), target.classes) == ([0, 1, 0], ("0.1", "2.5"))


@pytest.mark.parametrize("raw", [text("M", None, "M"), np.array(["M", "", "M"])])
def test_the_classes_of_a_model_number_the_values(raw):
    target = as_target(raw, classes=("B", "M", "X"))
    assert (target.values.tolist(), target.classes) == ([1, -1, 1], ("B", "M", "X"))


def test_the_classes_of_a_model_are_found_in_numbers():
    assert as_target(np.array([9.0, 10.0, NAN]), classes=("9", "10")).values.tolist() == [0, 1, -1]
    assert as_target(np.array([-1, -1]), classes=("-1", "1")).values.tolist() == [0, 0]
    assert as_target(np.array([-1, 0]), classes=("0", "1")).values.tolist() == [-1, 0]
    assert as_target(np.arange(30) * 2, classes=[str(n) for n in range(60)]).values.tolist() == list(range(0, 60, 2))


@given(st.lists(st.text(st.characters(min_codepoint=97, max_codepoint=122), min_size=4), min_size=2))
def test_classes_are_numbered_as_sklearn_does(words):
    words = [*words, "aaaa", "zzzz"]
    encoder = LabelEncoder().fit(words)
    if "infinity" not in words:
        target = as_target(np.array(words, object))
        assert target.values.tolist() == encoder.transform(words).tolist()
        assert list(target.classes) == encoder.classes_.tolist()


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (text(*"MBBMM", None), "2 classes: B (2), M (3); 1 row without a label"),
        (text(*"MBBMM"), "2 classes: B (2), M (3)"),
        (np.array([346.0, 25, 25.5, NAN, NAN]), "numbers from 25 to 346, 2 rows without a label"),
        (np.array([0.5, 1]), "numbers from 0.5 to 1"),
        (
            text(*"abcdefghijklmnopqrstuvwxyz"),
            "26 classes: " + "".join(f"{c} (1), " for c in "abcdefghijklmnopqrst") + "...",
        ),
    ],
)
def test_a_target_in_words(raw, words):
    assert described(as_target(raw)) == words


@pytest.mark.parametrize(
    ("raw", "known", "values", "classes"),
    [
        (["b", "a", None], (), [1, 0, -1], ("a", "b")),
        (["b", "b"], (), [0, 0], ("b",)),  # one class is enough for a picture
        (["b", "c"], ("c", "b", "a"), [1, 0], ("c", "b", "a")),
        (["b", "new"], ("c", "b", "a"), [0, 1], ("b", "new")),
        ([3, 1, -1], (), [1, 0, -1], ("1", "3")),
        ([0.5, np.nan, -1.0], (), [0.5, np.nan, -1.0], ()),
        (list(range(30)), (), list(range(30)), ()),
        (list(range(30)), tuple(map(str, range(40))), list(range(30)), tuple(map(str, range(40)))),
    ],
)
def test_groups_need_no_classes_of_a_model(raw, known, values, classes):
    found = as_groups(np.array(raw), known)
    np.testing.assert_array_equal(found.values, values)
    assert found.classes == classes


def test_groups_of_which_there_are_none_are_told():
    with pytest.raises(StackedError, match=r"^colours: expected at least one label, received none; label some rows"):
        as_groups(np.array([None, ""], object), name="colours")
