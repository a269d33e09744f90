"""What the cells of a table say: which of them are missing, and what is said of one that is no number."""

import re
from typing import Any

from stacked.errors import StackedError, mismatch

MISSING = ("", "NA", "N/A", "n/a", "#N/A", "<NA>", "nan", "NaN", "NAN", "null", "NULL", "?")
"""Cells of text in which there is no value."""

TRUE, FALSE = ("True", "true", "TRUE"), ("False", "false", "FALSE")
"""Cells that are 1 and 0 where numbers are wanted."""


def no_number(where: str, column: str, cell: Any, *, may_go: bool) -> StackedError:
    """The error for a cell of the inputs that is no finite number.

    Parameters
    ----------
    where : str
        The file and the line.
    column : str
        The name of its column.
    cell : object
        What it says.
    may_go : bool
        Whether the column may be left out; no model is waiting for it then.
    """
    content = "" if cell is None else str(cell).strip()
    if content in MISSING:
        received = f"an empty cell ({content})" if content else "an empty cell"
        remedy = "fill it in" + (f", or leave the column out with --drop {column!r}" if may_go else "")
    elif re.fullmatch(r"[+-]?\d+(,\d+)+", content):
        received = repr(cell)
        remedy = "write decimals with a point, and thousands without a comma"
    else:
        received = repr(cell)
        as_labels = "" if _reads_as_a_number(content) else f"take it for the labels with --labels {column!r}, "
        remedy = "fix it" + (f", {as_labels}or leave the column out with --drop {column!r}" if may_go else "")
    return mismatch(f"{where}, column {column!r}", expected="a number", received=received, remedy=remedy)


def _reads_as_a_number(content: str) -> bool:
    try:
        float(content)
    except ValueError:
        return False
    return True
