"""The lines of a log: rows of figures as text and back, as CSV or as JSON lines.

Infinite and missing numbers are `inf` and `nan` in CSV, as spreadsheets and pandas read them, and null in JSON, which
knows neither.
"""

import csv
import io
import json
import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any

Row = dict[str, Any]
"""What stands in one line, by column."""

FIRST = ("run", "training", "layer", "epoch")
"""The columns before the figures: what tells runs apart, what was trained, the number of its layer, the epoch."""


class Lines(ABC):
    """A format of logs."""

    @abstractmethod
    def text(self, rows: Sequence[Row]) -> str:
        """The whole of a file."""

    @abstractmethod
    def line(self, row: Row) -> str | None:
        """One more line of the file that `text` made last; None where the file has no place for some of the row."""

    @abstractmethod
    def rows(self, text: str) -> list[Row]:
        """The rows of a file whose lines are whole; ValueError where it is none of ours."""


class CSV(Lines):
    """One table with the columns of all rows, as they came; where a row has none, a cell is empty."""

    def __init__(self) -> None:
        self._columns: list[str] = []

    def text(self, rows: Sequence[Row]) -> str:
        self._columns = list(dict.fromkeys([*FIRST, *(name for row in rows for name in row)]))
        return _joined(self._columns) + "".join(map(self._cells, rows))

    def line(self, row: Row) -> str | None:
        return self._cells(row) if row.keys() <= set(self._columns) else None

    def rows(self, text: str) -> list[Row]:
        table = csv.reader(io.StringIO(text), strict=True)
        try:
            columns = next(table, list(FIRST))
            if tuple(columns[: len(FIRST)]) != FIRST:
                raise ValueError("its columns are others")
            return [
                {name: cell for name, cell in zip(columns, line, strict=True) if cell or name in FIRST}
                for line in table
            ]
        except csv.Error as error:
            raise ValueError(str(error)) from error

    def _cells(self, row: Row) -> str:
        return _joined([row.get(name, "") for name in self._columns])


class JSONLines(Lines):
    """An object a line, with what the row has."""

    def text(self, rows: Sequence[Row]) -> str:
        return "".join(map(self.line, rows))

    def line(self, row: Row) -> str:
        finite = {name: value if _is_json(value) else None for name, value in row.items()}
        return json.dumps(finite, allow_nan=False) + "\n"

    def rows(self, text: str) -> list[Row]:
        rows = [json.loads(line) for line in text.splitlines()]
        if not all(isinstance(row, dict) and row.keys() >= set(FIRST) for row in rows):
            raise ValueError("its lines are no epochs")
        return rows


def _joined(cells: Iterable[Any]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(cells)
    return line.getvalue()


def _is_json(value: Any) -> bool:
    return not isinstance(value, float) or math.isfinite(value)
