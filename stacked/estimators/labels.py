"""Class labels as scikit-learn's semi-supervised estimators have them: -1 stands for none."""

import warnings
from typing import Any

import numpy as np
from sklearn.utils.multiclass import check_classification_targets

from stacked.errors import StackedWarning, mismatch
from stacked.rows import Array


def with_text_kept(y: Any) -> Any:
    """Labels in which -1 stays a number: of a list with text, NumPy would make text throughout."""
    if isinstance(y, list | tuple) and any(isinstance(label, str) for label in y):
        return np.array(y, dtype=object)
    return y


def classes_and_numbers(y: Array) -> tuple[Array, Array]:
    """The classes in order, and the number of that of each row, float64, NaN where it has none.

    Parameters
    ----------
    y : array
        Shape `(n,)`. The number -1 is no class; unless -1 and 1 are all there is, as two classes are often coded.

    Raises
    ------
    StackedError
        When fewer than two classes are left.
    ValueError
        When the labels are no classes, by scikit-learn.
    """
    labelled = np.asarray(y != -1, bool)
    if set(y.tolist()) == {-1, 1}:
        labelled[:] = True
        remedy = "name the classes otherwise where -1 is to mean no label"
        warnings.warn(f"y: -1 and 1 are taken for two classes, for there is no other; {remedy}", StackedWarning, 4)
    if not labelled.any():
        remedy = "pass labels for some rows at least"
        raise mismatch("y", expected="labelled rows", received=f"{len(y)} without a label", remedy=remedy)
    check_classification_targets(y[labelled])
    classes, numbers = np.unique(y[labelled], return_inverse=True)
    if len(classes) < 2:
        received, remedy = f"one class, {classes[0]!r}", "add rows of another class"
        raise mismatch("y", expected="labels of at least two classes", received=received, remedy=remedy)
    of_rows = np.full(len(y), np.nan)
    of_rows[labelled] = numbers
    return classes, of_rows
