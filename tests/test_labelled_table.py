"""How labelled rows are parted: every class to its share, rows without a label only trained on, nothing twice."""

import numpy as np
import pytest

from stacked import StackedError
from stacked.labelled_table import LabelledTable, drawn_share
from stacked.randomness import Seeded
from stacked.rows import as_rows
from stacked.targets import Target, as_target, labels_of

N = 203
NUMBERED = as_rows(np.arange(2 * N, dtype=np.float64).reshape(N, 2))
"""Rows that tell their number: the first column is twice that."""
CLASSES = np.random.default_rng(0).choice([0, 1, 2], N, p=[0.1, 0.3, 0.6])


def target(missing=0, classes=CLASSES):
    raw = classes.astype(float)
    raw[np.random.default_rng(1).permutation(len(raw))[:missing]] = np.nan
    return as_target(raw, "classification")


def rare(count):
    """Two classes, one of which has so many rows."""
    return as_target(np.where(np.arange(N) < count, "rare", "often").astype(object))


def numbers_of(rows):
    return (np.asarray(rows[:])[:, 0] / 2).astype(int)


def parts(split):
    """The numbers of the training rows, the test rows and the validation rows."""
    return numbers_of(split.x_train), numbers_of(split.x_test), numbers_of(split.validation[0])


@pytest.mark.parametrize("fraction", [0.01, 0.1, 0.2, 1 / 3, 0.5])
@pytest.mark.parametrize("n", [2, 7, 50, 203])
def test_every_class_gives_its_share_to_within_one_row(n, fraction):
    classes = np.random.default_rng(n).integers(0, 4, n)
    for seed in range(20):
        drawn = drawn_share(classes, fraction, Seeded(seed).stream("any"))
        assert drawn.sum() == int(fraction * n + 0.5)
        for each in range(4):
            assert abs(drawn[classes == each].sum() - drawn.sum() * (classes == each).mean()) < 1


@pytest.mark.parametrize(
    ("classes", "fraction"),
    [
        (CLASSES, 0.2),
        (np.repeat(np.arange(20), 4), 0.2),
        (np.repeat([0, 1, 2], [2, 3, 95]), 0.15),
        (np.zeros(7), 0.5),
    ],
    ids=["three", "many small", "rare", "numbers"],
)
def test_every_row_is_drawn_as_often(classes, fraction):
    n_seeds, share = 1500, int(fraction * len(classes) + 0.5) / len(classes)
    drawn = np.array([drawn_share(classes, fraction, Seeded(seed).stream("any")) for seed in range(n_seeds)])
    assert np.abs(drawn.mean(axis=0) - share).max() < 4.5 * np.sqrt(share * (1 - share) / n_seeds)


def test_small_classes_are_drawn_from_in_every_combination():
    """Of six classes of two rows three give a test row: each of the 20 choices comes up."""
    classes = np.repeat(np.arange(6), 2)
    drawn = [drawn_share(classes, 0.25, Seeded(seed).stream("any")) for seed in range(400)]
    assert len({tuple(classes[one]) for one in drawn}) == 20


def test_every_row_is_on_one_side_and_those_without_a_label_are_trained_on():
    table = LabelledTable(NUMBERED, target(missing=40), test_fraction=0.25, validation_fraction=0.2)
    for seed in range(3):
        split = table.split(seed)
        train, test, validation = parts(split)
        assert np.array_equal(np.sort(np.concatenate([train, test, validation])), np.arange(N))
        assert (len(test), len(validation)) == (round(0.25 * 163), round(0.2 * (163 - len(test))))
        assert np.array_equal(split.test_numbers, test)
        assert set(np.flatnonzero(~table.target.labelled)) <= set(train)
        for numbers, labels in ((train, split.y_train), (test, split.y_test), (validation, split.validation[1])):
            assert np.array_equal(np.nan_to_num(labels, nan=-1), table.target.values[numbers])
    assert (table.n_tested, table.n_trained, table.test_to_train) == (41, 122, 41 / 122)


def test_a_seed_has_the_same_split_at_every_call_and_another_one_another():
    first, again, other = (
        parts(LabelledTable(NUMBERED, target(), validation_fraction=0.1).split(s)) for s in (4, 4, 5)
    )
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[1], other[1])


def test_with_a_test_file_all_seeds_test_on_its_labelled_rows():
    test_rows, test_target = as_rows(np.arange(8.0).reshape(4, 2)), Target(np.array([2, -1, 0, 1]), ("0", "1", "2"))
    table = LabelledTable(NUMBERED, target(), (test_rows, test_target))
    for seed in range(2):
        split = table.split(seed)
        assert np.array_equal(split.x_test[:], test_rows[[0, 2, 3]])
        assert split.y_test.tolist() == [2, 0, 1]
        assert split.test_numbers.tolist() == [0, 2, 3]
        assert np.array_equal(split.x_train[:], NUMBERED[:])
        assert split.validation is None
    assert table.is_fixed
    assert (table.test_to_train, table.n_tested, table.n_trained) == (0, 3, N)
    assert not LabelledTable(NUMBERED, target(), (test_rows, test_target), validation_fraction=0.1).is_fixed


def test_numbers_are_parted_like_one_class():
    values = np.random.default_rng(2).normal(size=N)
    values[:10] = np.nan
    split = LabelledTable(NUMBERED, as_target(values, "regression")).split(0)
    assert len(split.y_test) == round(0.2 * 193)
    assert np.array_equal(split.y_test, values[split.test_numbers])
    assert np.isnan(split.y_train).sum() == 10


def test_labels_are_whole_numbers_where_there_are_no_gaps():
    some = Target(np.array([0, -1, 1]), ("a", "b"))
    assert labels_of(some, np.array([0, 2])).dtype == np.int64
    assert np.array_equal(labels_of(some, np.array([1, 2])), [np.nan, 1], equal_nan=True)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"target": target(classes=CLASSES[:-1])}, "labels: expected one for each of 203 rows, received 202; pass"),
        ({"test_fraction": 0.6}, "test_fraction: expected a number from 0.01 to 0.5, received 0.6"),
        ({"validation_fraction": -1}, "validation_fraction: expected a number from 0 to 0.5, received -1"),
        (
            {"target": rare(1)},
            "labels: expected at least 2 rows of every class, to part them, received 1 of class 'rare'; add rows",
        ),
        (
            {"target": rare(2), "test_fraction": 0.4, "validation_fraction": 0.4},
            "labels: expected at least 4 rows of every class, to part them, received 2 of class 'rare'; add rows",
        ),
        (
            {"target": rare(1), "test": (NUMBERED, rare(3)), "validation_fraction": 0.2},
            "labels: expected at least 2 rows of every class, to part them, received 1 of class 'rare'; add rows",
        ),
        (
            {"target": Target(np.where(np.arange(N) < 4, np.arange(N) % 2, -1), ("0", "1")), "test_fraction": 0.1},
            "test_fraction: expected labelled rows for both sides, received 0.1 of 4 rows; label more",
        ),
        (
            {"validation_fraction": 0.002},
            "validation_fraction: expected labelled rows for both sides, received 0.002 of",
        ),
        (
            {"target": as_target(np.where(np.arange(N) < 9, 0.5, np.nan), "regression"), "test_fraction": 0.01},
            "test_fraction: expected labelled rows for both",
        ),
        (
            {"test": (NUMBERED, as_target(CLASSES % 2, "classification"))},
            r"test labels: expected classes \('0', '1', '2'\), received classes \('0', '1'\); read them",
        ),
        ({"test": (as_rows(np.ones((N, 3))), target())}, "test rows: expected 2 columns, received 3"),
    ],
)
def test_what_cannot_be_parted_is_told(given, message):
    with pytest.raises(StackedError, match=message):
        LabelledTable(**{"rows": NUMBERED, "target": target()} | given)


@pytest.mark.parametrize("with_test", [False, True])
@pytest.mark.parametrize(("test_fraction", "validation_fraction"), [(0.5, 0.5), (0.2, 0.0), (0.3, 0.1), (0.5, 0.01)])
def test_a_table_that_is_taken_can_be_parted_by_every_seed(with_test, test_fraction, validation_fraction):
    random = np.random.default_rng(7)
    for _ in range(30):
        values = np.concatenate([np.arange(3), random.choice(3, random.integers(2, 30), p=[0.1, 0.1, 0.8])])
        rows, classes = as_rows(np.zeros((len(values), 1))), Target(values, ("a", "b", "c"))
        shares = {"test_fraction": test_fraction, "validation_fraction": validation_fraction}
        try:
            table = LabelledTable(rows, classes, (rows, classes) if with_test else None, **shares)
        except StackedError:
            continue
        for seed in range(100):
            split = table.split(seed)
            assert set(split.y_train) == {0, 1, 2}
            assert len(split.y_test) > 0
            assert (split.validation is not None) == (validation_fraction > 0)


def test_other_values_have_other_fingerprints():
    table = LabelledTable(NUMBERED, target())
    assert table.fingerprints() == LabelledTable(NUMBERED, target()).fingerprints()
    changed = NUMBERED[:].copy()
    changed[100, 1] += 1e-9
    assert LabelledTable(as_rows(changed), target()).fingerprints()["rows"] != table.fingerprints()["rows"]
    assert LabelledTable(NUMBERED, target(missing=1)).fingerprints()["labels"] != table.fingerprints()["labels"]
