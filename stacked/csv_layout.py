"""How a file of separated values is laid out: its separator, the names of its columns, the numbers of its lines.

Only the first lines are read here, and those before a mistake that is to be named; the numbers are read elsewhere.
"""

import contextlib
import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import IO, Any, NamedTuple, TextIO, cast

from stacked.columns import check_names
from stacked.csv_names import names_in
from stacked.errors import StackedError, mismatch
from stacked.paths import open_plain


class Layout(NamedTuple):
    """The separator, the names of the columns, whether the file has them, and how many lines stand before the rows.

    Empty lines before a line of names count among the latter; below it they are no rows, unless there is but one
    column, of which an empty line is an empty cell.
    """

    separator: str
    names: tuple[str, ...]
    has_names: bool
    n_before: int

    @property
    def is_column(self) -> bool:
        """Whether there is but one column."""
        return len(self.names) == 1


def is_zipped(path: Path) -> bool:
    """Whether the content is gzipped, by the name of the file."""
    return path.suffix == ".gz"


def layout_of(path: Path) -> Layout:
    """The layout of a file; columns without names are named "1", "2", and so on, after their places.

    Raises
    ------
    StackedError
        When the file cannot be read, holds no rows, or names two columns alike.
    """
    separator = _separator_of(path)
    first = next(iter(_first_lines(path, separator)), [])
    with _records(path, separator) as records:
        n_before = next((number for number, (_, cells) in enumerate(records) if cells), 0)
        another = any(cells for _, cells in records)
    names = names_in(first)
    if first and names is None:
        return Layout(separator, tuple(str(place) for place in range(1, len(first) + 1)), False, 0)
    if names is None or not another:
        received = "a line of names only" if first else "an empty file"
        raise mismatch(str(path), expected="lines of numbers", received=received, remedy="check the source")
    if any("\0" in cell for cell in first):
        raise _unreadable(path, "its text is not UTF-8 (there are zeros between the letters)", "save it in UTF-8")
    check_names(names, str(path))
    return Layout(separator, names, True, n_before + 1)


def line_of(path: Path, layout: Layout, row: int) -> int | None:
    """The number of the line, counted from 1, on which a row begins; the first row is 0.

    None where quotes are such that Python's reader finds fewer rows than pyarrow.
    """
    with _records(path, layout.separator) as records:
        rows = (line for line, cells in islice(records, layout.n_before, None) if cells or layout.is_column)
        return next(islice(rows, row, None), None)


def ragged_line(path: Path, layout: Layout) -> tuple[int, int] | None:
    """The first line that has another number of cells than the first one, and that number."""
    with _records(path, layout.separator) as records:
        wrong = ((line, len(cells)) for line, cells in records if cells and len(cells) != len(layout.names))
        return next(wrong, None)


def _separator_of(path: Path) -> str:
    """What parts the first two lines into as many cells; else what parts the first into the most.

    The comma comes last, for it may also stand in numbers and in names that semicolons part.
    """
    if ".tsv" in path.suffixes[-2:]:
        return "\t"
    widths = {one: [len(cells) for cells in _first_lines(path, one)] for one in ";\t,"}
    even = [one for one, found in widths.items() if len(found) == 2 and found[0] == found[1] > 1]
    return even[0] if even else max(",;\t", key=lambda one: widths[one][:1])


def _first_lines(path: Path, separator: str) -> list[list[str]]:
    """The cells of the first two lines that have any."""
    with _records(path, separator) as records:
        return list(islice((cells for _, cells in records if cells), 2))


@contextlib.contextmanager
def _records(path: Path, separator: str) -> Iterator[Iterator[tuple[int, list[str]]]]:
    """All rows of cells, empty lines included, with the line on which each begins."""
    try:
        with open_plain(path) as file, _plain(path, file) as text:
            yield _numbered(csv.reader(text, delimiter=separator))
    except UnicodeDecodeError as error:
        raise _unreadable(path, f"its text is not UTF-8 ({error.reason})", "save it in UTF-8") from error
    except OSError as error:
        reason = f"it cannot be read: {error.strerror or error}"
        raise _unreadable(path, reason, "check the name of the file") from error
    except (csv.Error, EOFError, zlib.error) as error:
        raise _unreadable(path, f"it is damaged ({error})", "check that it is whole") from error


def _numbered(rows: Any) -> Iterator[tuple[int, list[str]]]:
    line = 1
    for cells in rows:
        yield line, cells
        line = rows.line_num + 1


def _plain(path: Path, file: IO[bytes]) -> TextIO:
    unzipped = cast(IO[bytes], gzip.GzipFile(fileobj=file)) if is_zipped(path) else file
    return io.TextIOWrapper(unzipped, "utf-8-sig", newline="")


def _unreadable(path: Path, why: str, remedy: str) -> StackedError:
    return StackedError(f"{path}: expected a table of separated values, but {why}; {remedy}")
