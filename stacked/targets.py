"""Targets: from the raw values of a column to what a model is trained on, classes by name or numbers."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stacked.cells import FALSE, TRUE
from stacked.columns import listed
from stacked.columns_in_files import as_values
from stacked.errors import check_choice, mismatch
from stacked.rows import Array, to_array
from stacked.wording import counted

MOST_NUMBERED = 20
"""Different whole numbers that are taken for classes; more of them are quantities."""


@dataclass(frozen=True)
class Target:
    """What the rows of a table are to be told by.

    Parameters
    ----------
    values : array
        Shape `(n,)`. Classes: int64, their places among the names, -1 where there is no label. Numbers: float64, NaN
        where there is none.
    classes : tuple of str
        The names of the classes in order; empty for numbers.
    """

    values: Array
    classes: tuple[str, ...]

    @property
    def is_classes(self) -> bool:
        """Whether the values are classes, not numbers."""
        return bool(self.classes)

    @property
    def labelled(self) -> NDArray[np.bool_]:
        """Which rows have a value, shape `(n,)`."""
        found: NDArray[np.bool_] = self.values >= 0 if self.is_classes else ~np.isnan(self.values)
        return found

    @property
    def n_labelled(self) -> int:
        """How many rows have a value."""
        return int(self.labelled.sum())


def as_target(raw: Any, task: str = "auto", classes: Sequence[str] = (), name: str = "labels") -> Target:
    """What a model is trained on, out of raw values.

    Parameters
    ----------
    raw : array
        Shape `(n,)`. Text, None or empty where there is no label; True and False, which are text here; or numbers,
        NaN where there is none. What else says so in a file, such as NA, its reader has made None of. Of classes in
        an array of whole numbers -1 says that there is none, unless other negative numbers occur, or 1 is the only
        other value, or -1 is one of `classes`. Where numbers are to be predicted, -1 is one of them.
    task : {"auto", "classification", "regression"}
        "auto" takes text for classes, and numbers for classes where all are whole and, -1 aside, at most 20 differ.
    classes : sequence of str
        Those of a trained model, in its order, one for each class; by default those that occur: numbers and text that
        reads as numbers in ascending order, other text in alphabetical order.
    name : str
        What errors call the values.

    Returns
    -------
    Target
        Classes or numbers.

    Raises
    ------
    StackedError
        When no row has a label, fewer than two classes occur and none are given, one is not among those given,
        numbers are wanted of text, or one is infinite.
    """
    check_choice("task", task, ("auto", "classification", "regression"))
    values, there = _given(raw, name)
    if task == "regression" or (task == "auto" and not classes and _are_quantities(values[there])):
        _check_some(there, name)
        return _numbers(values, there, name)
    there &= ~_says_none(values, classes)
    _check_some(there, name)
    target = _classes(values, there, tuple(classes), name)
    if len(target.classes) < 2:
        received, remedy = f"class {target.classes[0]!r} only", "add rows of another class"
        raise mismatch(name, expected="at least two classes", received=received, remedy=remedy)
    return target


def as_groups(raw: Any, known: Sequence[str] = (), name: str = "labels") -> Target:
    """What rows may be told apart by in a picture: numbers, or any classes, be it one, that no model need know.

    Parameters
    ----------
    raw : array
        Shape `(n,)`, as for `as_target`.
    known : sequence of str
        Classes of a model: where no others occur, they are taken for these, in its order.
    name : str
        What errors call the values.

    Raises
    ------
    StackedError
        When no row has a value, or one is infinite.
    """
    values, there = _given(raw, name)
    named = there & ~_says_none(values, known)
    _check_some(named, name)
    if set(_distinct(values[named])[0]) <= set(known):
        return _classes(values, named, tuple(known), name)
    return _numbers(values, there, name) if _are_quantities(values[there]) else _classes(values, named, (), name)


def labels_of(target: Target, numbers: NDArray[np.int64] | slice = slice(None)) -> Array:
    """Labels of some rows as networks are trained on them: whole numbers, or floats with NaN where there is none."""
    values, labelled = target.values[numbers], target.labelled[numbers]
    return values if labelled.all() else np.where(labelled, values, np.nan)


def described(target: Target) -> str:
    """A target in words, such as "2 classes: B (357), M (212); 12 rows without label"."""
    missing = len(target.values) - target.n_labelled
    without = f"{counted(missing, 'row')} without a label"
    present = target.values[target.labelled]
    if not target.is_classes:
        return f"numbers from {present.min():g} to {present.max():g}" + (f", {without}" if missing else "")
    counts = np.bincount(present, minlength=len(target.classes))
    shown = [f"{each} ({count})" for each, count in zip(target.classes[:MOST_NUMBERED], counts, strict=False)]
    names = ", ".join(shown + ["..."] * (len(target.classes) > MOST_NUMBERED))
    return f"{len(target.classes)} classes: {names}" + (f"; {without}" if missing else "")


def _given(raw: Any, name: str) -> tuple[Array, NDArray[np.bool_]]:
    """Raw values, True and False as text, and which are no gaps, shape `(n,)`."""
    values = as_values(to_array(raw, name, "one value a row"), name)
    if values.dtype == np.bool_:
        values = np.where(values, "True", "False").astype(object)
    return values, _there(values, name)


def _there(values: Array, name: str) -> NDArray[np.bool_]:
    """Which values are no gaps, shape `(n,)`, whatever they are taken for."""
    if values.dtype == object:
        return np.array([text is not None for text in values])
    if values.dtype.kind == "f":
        if np.isinf(values).any():
            row, remedy = int(np.isinf(values).argmax()), "remove such values, or fill them in"
            raise mismatch(name, expected="finite numbers", received=f"{values[row]} in row {row}", remedy=remedy)
        return ~np.isnan(values)
    return np.ones(len(values), np.bool_)


def _says_none(values: Array, classes: Sequence[str]) -> NDArray[np.bool_]:
    """Which values are the -1 of classes that are whole numbers otherwise, shape `(n,)`."""
    if values.dtype.kind not in "iu" or "-1" in classes:
        return np.zeros(len(values), np.bool_)
    others = np.unique(values[values != -1])
    return np.asarray(values == -1) & (bool((others >= 0).all()) and others.tolist() != [1])


def _check_some(there: NDArray[np.bool_], name: str) -> None:
    if not there.any():
        remedy = "label some rows, or name another target"
        raise mismatch(name, expected="at least one label", received="none", remedy=remedy)


def _are_quantities(values: Array) -> bool:
    """Whether numbers are more than the names of classes; -1, which may say that there is none, does not count."""
    return values.dtype != object and (
        bool((values != np.floor(values)).any()) or len(np.unique(values[values != -1])) > MOST_NUMBERED
    )


def _numbers(values: Array, there: NDArray[np.bool_], name: str) -> Target:
    if values.dtype == object:
        text = next((text for text in values[there] if not _reads_as_number(text)), None)
        if text is not None:
            remedy = "name a column of numbers, or tell classes apart instead"
            raise mismatch(name, expected="numbers for regression", received=f"text such as {text!r}", remedy=remedy)
    return Target(np.where(there, values, np.nan).astype(np.float64), ())


def _classes(values: Array, there: NDArray[np.bool_], given: tuple[str, ...], name: str) -> Target:
    found, codes = _distinct(values[there])
    known = given or tuple(sorted(found, key=_in_order(found)))
    places = {each: place for place, each in enumerate(known)}
    unknown = [each for each in found if each not in places]
    if unknown:
        expected = f"classes among {listed(known)}"
        raise mismatch(name, expected=expected, received=listed(unknown), remedy=_remedy_for(unknown, known))
    numbered = np.full(len(values), -1, np.int64)
    numbered[there] = np.array([places[each] for each in found])[codes]
    return Target(numbered, known)


def _remedy_for(unknown: Sequence[str], known: Sequence[str]) -> str:
    """What to do about classes that a model does not know: perhaps they are known in another spelling."""
    spelled = {_meaning(each): each for each in known}
    if not all(_meaning(each) in spelled for each in unknown):
        return "leave rows of other classes out, or train on them too"
    pairs = [f"{spelled[_meaning(each)]!r} for {each!r}" for each in unknown[:2]]
    return f"write {' and '.join(pairs)}, as in training"


def _meaning(name: str) -> float | str:
    """The number that a name stands for, if it is one or True or False."""
    if name in TRUE + FALSE:
        return float(name in TRUE)
    return float(name) if _reads_as_number(name) else name


def _distinct(values: Array) -> tuple[list[str], NDArray[np.int64]]:
    """The names of different values, and which of them each value is."""
    if values.dtype == object:
        places: dict[str, int] = {}
        codes = np.array([places.setdefault(text, len(places)) for text in values])
        return list(places), codes
    distinct, codes = np.unique(values, return_inverse=True)
    return [str(int(value)) if value == np.floor(value) else str(value) for value in distinct], codes


def _in_order(names: list[str]) -> Any:
    """The key that sorts names: as numbers, if all are."""
    return (lambda name: (float(name), name)) if all(map(_reads_as_number, names)) else str


def _reads_as_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
