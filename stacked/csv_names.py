"""Whether the first line of a file of separated values names its columns, and how they are called then."""

from collections.abc import Sequence

from stacked.cells import MISSING


def names_in(cells: Sequence[str]) -> tuple[str, ...] | None:
    """The names in the first line, "column 3" for one that is empty; None where the line is a row.

    It is a row where all cells are numbers or missing, unless they count the columns, from 0 or from 1, as frames
    without names are written; before these may be an empty cell, the name of an index. A number alone is a row.
    """
    if not _count_columns(cells) and all(_is_number(cell) or cell.strip() in MISSING for cell in cells):
        return None
    return tuple(cell.strip() or f"column {place}" for place, cell in enumerate(cells, start=1))


def _count_columns(cells: Sequence[str]) -> bool:
    counted = [cell.strip() for cell in cells]
    rest = counted[1:] if counted[:1] == [""] else counted
    upwards = [str(place) for place in range(len(rest) + 1)]
    return len(counted) > 1 and rest in (upwards[:-1], upwards[1:])


def _is_number(cell: str) -> bool:
    try:
        float(cell.replace(",", ".", 1))  # such as 1,5, which is told to be written otherwise, but is no name
    except ValueError:
        return False
    return True
