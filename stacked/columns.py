"""Which columns of a table are its rows, by their names; and what is said of names that it does not have."""

import difflib
from collections import Counter
from collections.abc import Sequence

from stacked.errors import StackedError, mismatch

AS_SPELLED = "name columns of the table as it spells them"
"""The remedy for a name that is none of a column."""
_MOST_NAMES = 10


def check_names(names: Sequence[str], table: str) -> None:
    """Raise where two columns have one name."""
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        remedy = "give each column a name of its own"
        raise mismatch(table, expected="each column once", received=f"several named {listed(twice)}", remedy=remedy)


def inputs_among(
    names: Sequence[str], target: str | None, columns: Sequence[str], drop: Sequence[str], table: str
) -> tuple[str, ...]:
    """The names of the columns that are the rows, in order.

    Parameters
    ----------
    names : sequence of str
        Of all columns.
    target : str or None
        The column that is no input.
    columns : sequence of str
        Those that are the rows; when empty, all but the target and those dropped.
    drop : sequence of str
        Those that are left out.
    table : str
        What errors call the table.

    Raises
    ------
    StackedError
        When some are not there, or none is left.
    """
    wanted = tuple(columns) or tuple(name for name in names if name != target and name not in drop)
    known = set(names)
    missing = [name for name in columns or drop if name not in known]
    if missing:
        raise no_column(names, missing, table, AS_SPELLED if drop else "pass a table that has all of them")
    check_names(columns, "columns")
    if target in columns:
        remedy = "leave it out of the columns that are the rows"
        raise mismatch(table, expected="inputs", received=f"the target {target!r} among them", remedy=remedy)
    if not wanted:
        received, remedy = f"no other than {listed(names)}", "drop fewer columns"
        raise mismatch(table, expected="columns that are inputs", received=received, remedy=remedy)
    return wanted


def no_column(names: Sequence[str], missing: Sequence[str], table: str, remedy: str = AS_SPELLED) -> StackedError:
    """The error for columns that a table does not have: it lists those that it has, and a name that is much alike."""
    expected = f"{'a column' if len(missing) == 1 else 'columns'} named {listed(missing)}"
    spelled = {name.lower(): name for name in names}
    alike = difflib.get_close_matches(missing[0].lower(), spelled, n=1)
    hint = f"perhaps {spelled[alike[0]]!r} is meant: " if alike else ""
    return mismatch(table, expected=expected, received=f"a table of {listed(names)}", remedy=hint + remedy)


def listed(names: Sequence[str]) -> str:
    """The first names of many."""
    more = len(names) - _MOST_NAMES
    return ", ".join(map(repr, names[:_MOST_NAMES])) + (f" and {more} more" if more > 0 else "")
