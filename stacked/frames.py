"""Frames of pandas, polars and pyarrow: columns that have names, by which they are found."""

from collections.abc import Sequence
from typing import Any

from stacked.columns import check_names, inputs_among


def columns_of(x: Any, name: str = "x") -> tuple[str, ...]:
    """The names of the columns of a frame; empty for what is none, or where some are no text.

    Raises
    ------
    StackedError
        When two columns have one name.
    """
    if not hasattr(type(x), "shape"):
        return ()
    names = tuple(getattr(x, "column_names", getattr(x, "columns", ())))
    if not all(isinstance(one, str) for one in names):
        return ()
    check_names(names, name)
    return names


def in_order(x: Any, columns: Sequence[str], name: str = "x") -> Any:
    """These columns of a frame, in this order; what has no names of columns as it is.

    Raises
    ------
    StackedError
        When a frame does not have some of them.
    """
    names = columns_of(x, name)
    if not names or names == tuple(columns):
        return x
    found = list(inputs_among(names, None, tuple(columns), (), name))
    return x.select(found) if hasattr(type(x), "select") else x[found]
