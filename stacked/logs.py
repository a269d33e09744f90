"""The figures of a run in a file: one line an epoch, written as the epochs end, for pandas or a spreadsheet."""

from __future__ import annotations

import os
import re
import secrets
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING

from stacked.callbacks import Callback, Record
from stacked.errors import StackedError, mismatch
from stacked.files import blaming, locked, write_atomically
from stacked.log_lines import CSV, JSONLines, Lines, Row
from stacked.paths import PathLike, named_path, open_plain

if TYPE_CHECKING:
    from stacked.training import Training

FORMATS: dict[str, type[Lines]] = {".csv": CSV, ".jsonl": JSONLines}


class LogFile(Callback):
    """Keeps the figures of every epoch of every training of a run in one file.

    A line has the run, the name of the training, the number of its layer, the epoch and its figures. A CSV file is
    one table at any time: where a layer has a figure that those before had not, such as `dead_units`, the file gets
    one more column, empty above. What is not finite is `nan` or `inf` there, and null in JSON.

    The lines of a training are its history. So where a run with a folder is interrupted and goes on, also after a
    kill in the middle of a line, no epoch is missing and none is there twice. A file is the log of one run, and of
    one `LogFile` where the run has no folder; any other is refused and stays as it is. Of several ranks one writes.

    Parameters
    ----------
    path : path
        Its name ends in `.csv` or, for JSON lines, in `.jsonl`.

    Raises
    ------
    StackedError
        When it ends in something else; from a training before its first epoch, when the file is another's or cannot
        be read; later, when it cannot be written.
    """

    def __init__(self, path: PathLike) -> None:
        self.path = Path(os.path.realpath(named_path(path, "the log")))
        if self.path.suffix not in FORMATS:
            received, remedy = self.path.name, "name it for instance log.csv"
            raise mismatch("the log", expected="a name that ends in .csv or .jsonl", received=received, remedy=remedy)
        if not self.path.parent.is_dir():
            remedy = "make the folder, or name another"
            raise mismatch(str(self.path.parent), expected="a folder for the log", received="none", remedy=remedy)
        self._lines = FORMATS[self.path.suffix]()
        self._run, self._mark = "", new_mark()
        self._others: list[Row] = []
        self._settled = False

    def on_start(self, training: Training) -> None:
        with training.ranks.agreeing():
            if training.ranks.leads:
                self._take(training)

    def on_epoch(self, training: Training, record: Record) -> None:
        if not training.ranks.leads:
            return
        line = self._lines.line(self._row(training, record)) if self._settled else None
        if line is None:
            self._settle(training)
            return
        with blaming(self.path.parent, "the log"), self.path.open("a", encoding="utf-8", newline="") as file:
            file.write(line)

    def on_end(self, training: Training) -> None:
        if training.ranks.leads:
            self._settle(training)  # on the disk, before the training counts as finished

    def _take(self, training: Training) -> None:
        """Find what the file holds, and raise unless it is this run's."""
        self._run = run_of(training, self._mark)
        rows = self._read()
        runs = {row["run"] for row in rows}
        again = training.run is None and any(row["training"] == training.name for row in rows)
        if again or runs - {self._run}:
            raise of_another(self.path, "a new file, or the log of this run", "that of another run")
        self._others = [row for row in rows if row["training"] != training.name]
        self._settled = False

    def _settle(self, training: Training) -> None:
        """Make the lines of a training its history, whatever an interrupted attempt has left of it."""
        rows = [*self._others, *(self._row(training, record) for record in training.history)]
        with blaming(self.path.parent, "the log"):
            write_atomically(self.path, self._lines.text(rows).encode())
        self._settled = True

    def _read(self) -> list[Row]:
        """The rows of the file, without a line that a kill has cut short; none where there is no file."""
        with blaming(self.path.parent, "the log"), locked(self.path):  # which is seen before any work is done
            content = b"" if not os.path.lexists(self.path) else _content(self.path)
        whole, end, _ = content.rpartition(b"\n")
        try:
            if content and not end:
                raise ValueError("it has no line")
            return self._lines.rows((whole + end).decode())
        except ValueError as error:
            raise of_another(self.path, "a new file, or the log of this run", "something else") from error

    def _row(self, training: Training, record: Record) -> Row:
        place = re.match(r"layer (\d+):", training.name)
        row: Row = {"run": self._run, "training": training.name, "layer": int(place[1]) if place else None}
        row.update({name: int(of) if isinstance(of, Integral) else float(of) for name, of in record.items()})
        return row


def _content(path: Path) -> bytes:
    with open_plain(path) as file:
        return file.read()


def new_mark() -> str:
    """What tells the runs without a folder that one callback watches from all others."""
    return secrets.token_hex(6)


def run_of(training: Training, mark: str) -> str:
    """The run of a training, as text that no reader takes for a number; by the mark where it has no folder."""
    return f"run-{mark if training.run is None else training.run[:12]}"


def of_another(path: Path, expected: str, received: str) -> StackedError:
    """The error for a file or folder that is not this run's to write to."""
    return mismatch(str(path), expected=expected, received=received, remedy="name another, or move this one away")
