"""Labelled rows as they are handed to a classifier, checked."""

from collections.abc import Sequence
from typing import Any

import torch

from stacked.errors import mismatch
from stacked.examples import Examples, as_labels, check_two_classes
from stacked.rows import Rows, as_rows, value_range


def finite_rows(x: Any, name: str, n_inputs: int, dtype: torch.dtype) -> Rows:
    """`x` as rows of so many columns, every value of which is finite in the dtype."""
    rows = as_rows(x, name, n_inputs)
    value_range(rows, name, dtype)
    return rows


def labelled_rows(
    x: Any, labels: Any, sizes: Sequence[int], dtype: torch.dtype, names: tuple[str, str] = ("x", "labels")
) -> Examples:
    """Rows with a label each, for a classifier of these sizes, from the inputs to the classes."""
    rows = finite_rows(x, names[0], sizes[0], dtype)
    return Examples.all_of(rows, as_labels(labels, len(rows), sizes[-1], names[1]))


def labelled_tables(x: Any, labels: Any, validation: Any, sizes: Sequence[int], dtype: torch.dtype) -> list[Examples]:
    """The examples to train on, of two classes at least, and those to validate on if there are any."""
    tables = [labelled_rows(x, labels, sizes, dtype)]
    check_two_classes(tables[0])
    if validation is not None:
        if not isinstance(validation, tuple | list) or len(validation) != 2:
            received, remedy = type(validation).__name__, "pass validation=(x_validation, labels_validation)"
            raise mismatch("validation", expected="a pair of rows and labels", received=received, remedy=remedy)
        rows, classes = validation
        tables.append(labelled_rows(rows, classes, sizes, dtype, ("validation rows", "validation labels")))
    return tables
