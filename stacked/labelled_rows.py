"""Labelled rows as they are handed to a feedforward network, checked; rows without a label are left out."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from stacked.errors import mismatch
from stacked.examples import Examples, as_labels
from stacked.rows import Array, Rows, to_array


def examples_of(rows: Rows, labels: Array, labelled: NDArray[np.bool_], name: str) -> Examples:
    """The rows that have a label; StackedError where none has."""
    if labelled.all():
        return Examples.all_of(rows, labels)
    if not labelled.any():
        remedy = "pass labels for some rows at least"
        raise mismatch(name, expected="labelled rows", received=f"{len(rows)} without a label", remedy=remedy)
    return Examples(rows, labels, torch.from_numpy(np.flatnonzero(labelled)))


def as_classes(labels: Any, n_rows: int, n_classes: int, name: str) -> tuple[Array, NDArray[np.bool_]]:
    """Class labels, shape `(n,)`, and which rows have one: NaN stands for none, and becomes 0."""
    array = to_array(labels, name, "one whole number a row")
    if array.dtype.kind != "f":
        return as_labels(array, n_rows, n_classes, name), np.ones(array.shape, bool)
    labelled = ~np.isnan(array)
    return as_labels(np.where(labelled, array, 0), n_rows, n_classes, name), labelled


def as_targets(targets: Any, n_rows: int, n_targets: int, name: str) -> tuple[Array, NDArray[np.bool_]]:
    """Numbers to be predicted, float64, shape `(n, n_targets)`, and which rows have them: NaN stands for none."""
    array = to_array(targets, name, "numbers, one or more a row")
    shape = (n_rows, n_targets)
    if array.shape != shape and not (n_targets == 1 and array.shape == (n_rows,)):
        expected = f"shape {shape}" + f" or ({n_rows},)" * (n_targets == 1)
        raise mismatch(name, expected=expected, received=f"shape {array.shape}", remedy="pass targets for each row")
    if array.dtype.kind not in "iubf":
        raise mismatch(name, expected="numbers", received=f"dtype {array.dtype}", remedy="convert them to float64")
    values = array.astype(np.float64).reshape(shape)
    if np.isinf(values).any():
        row = int(np.flatnonzero(np.isinf(values).any(axis=1))[0])
        remedy = "remove it, or write NaN where there is none"
        raise mismatch(name, expected="finite numbers", received=f"an infinite one in row {row}", remedy=remedy)
    labelled: NDArray[np.bool_] = np.logical_not(np.isnan(values).any(axis=1))
    return values, labelled


def pair_of(validation: Any) -> tuple[Any, Any]:
    """Rows and labels to validate on."""
    if not isinstance(validation, tuple | list) or len(validation) != 2:
        received, remedy = type(validation).__name__, "pass validation=(x_validation, labels_validation)"
        raise mismatch("validation", expected="a pair of rows and labels", received=received, remedy=remedy)
    rows, labels = validation
    return rows, labels
