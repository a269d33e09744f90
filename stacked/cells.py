"""What the cells of a table say: which of them are missing, and what is said of one that is no number."""

import re
from typing import Any

from stacked.errors import StackedError, mismatch

MISSING = ("", "NA", "N/A", "n/a", "#N/A", "<NA>", "nan", "NaN", "NAN", "null", "NULL", "?")
"""Cells of text in which there is no value."""

TRUE, FALSE = ("True", "true", "TRUE"), ("False", "false", "FALSE")
"""Cells that are 1 and 0 where numbers are wanted."""


def no_number(where: str, column: str, cell: Any) -> StackedError:
    """The error for a cell of the inputs that is no finite number; `where` names the file and the line."""
    content = "" if cell is None else str(cell).strip()
    if content in MISSING:
        received = f"an empty cell ({content})" if content else "an empty cell"
        remedy = f"fill it in, or leave the column out with --drop {column}"
    elif re.fullmatch(r"[+-]?\d+(,\d+)+", content):
        received = repr(cell)
        remedy = "write decimals with a point, and thousands without a comma"
    else:
        received = repr(cell)
        remedy = f"drop the column with --drop {column}, or fix it"
    return mismatch(f"{where}, column {column!r}", expected="a number", received=received, remedy=remedy)
