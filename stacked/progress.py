"""Live progress on a terminal, silence elsewhere; rich is imported only when it is shown."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

from stacked.callbacks import Callback, Record
from stacked.errors import check_flag

if TYPE_CHECKING:
    from rich.progress import Progress

    from stacked.training import Training

T = TypeVar("T")

_SECONDS_BETWEEN_UPDATES = 0.1


class Display(Callback):
    """A silent display."""

    def note(self, text: str) -> None:
        """Say something once."""


class _RichDisplay(Display):
    """One bar a training: name, epoch, loss, rows a second, time left."""

    def __init__(self, progress: "Progress") -> None:
        self._progress = progress
        self._task = progress.add_task("", visible=False)
        self._rows = 0
        self._rows_before: int | None = None
        self._began = self._updated = 0.0

    def note(self, text: str) -> None:
        self._progress.console.print(text, highlight=False)

    def on_start(self, training: "Training") -> None:
        total = training.n_rows * training.config.epochs
        self._task = self._progress.add_task(training.name, total=total, epoch="", loss="", speed="")
        self._rows, self._rows_before = 0, None
        self._began = time.perf_counter()

    def on_step(self, training: "Training", n_rows: int) -> None:
        self._rows = training.rows_done
        if self._rows_before is None:
            self._begin_to_count(training, n_rows)
        if time.perf_counter() - self._updated > _SECONDS_BETWEEN_UPDATES:
            self._update(training, len(training.history) + 1)

    def on_epoch(self, training: "Training", record: Record) -> None:
        self._update(training, record["epoch"])

    def on_end(self, training: "Training") -> None:
        done = training.rows_done
        self._progress.update(self._task, completed=done, total=done)  # early stopping leaves epochs out

    def _begin_to_count(self, training: "Training", n_rows: int) -> None:
        """At the first step; `on_start` cannot tell yet where an interrupted training goes on."""
        self._rows_before = self._rows - n_rows
        if self._rows_before > 0:
            place = f"epoch {len(training.history) + 1}, step {training.books.steps}"
            self.note(f"{training.name}: goes on in {place}")

    def _update(self, training: "Training", epoch: int) -> None:
        self._updated = time.perf_counter()
        taken = self._rows - (self._rows_before or 0)
        self._progress.update(
            self._task,
            completed=self._rows,
            epoch=f"epoch {epoch}/{training.config.epochs}",
            loss=f"loss {training.mean_loss:.4g}",
            speed=f"{taken / (self._updated - self._began):,.0f} rows/s",
        )


@contextlib.contextmanager
def training_display(wanted: bool | None) -> Iterator[Display]:
    """A display to pass to trainings as a callback.

    `wanted` asks for it or forbids it; by default it is shown when standard error is a terminal.
    """
    if wanted is not None:
        check_flag("progress", wanted)
    if not (sys.stderr.isatty() if wanted is None else wanted):
        yield Display()
        return
    with _rich_progress() as progress:
        yield _RichDisplay(progress)


def counted(items: Iterable[T], total: int, describe: Callable[[T], str]) -> Iterator[T]:
    """The items, such as finished runs, with a bar on a terminal that says what came last; silent elsewhere."""
    if not sys.stderr.isatty():
        yield from items
        return
    from rich.console import Console  # noqa: PLC0415 - slow to import
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    last = TextColumn("{task.description}")
    bar = [TextColumn("runs"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), last]
    with Progress(*bar, console=Console(stderr=True)) as progress:
        task = progress.add_task("starting", total=total)
        for item in items:
            progress.update(task, advance=1, description=describe(item))
            yield item


def _rich_progress() -> "Progress":
    from rich.console import Console  # noqa: PLC0415 - a tenth of a second that a silent run does not pay
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    fields = [TextColumn("{task.fields[" + field + "]}") for field in ("epoch", "loss", "speed")]
    columns = [
        TextColumn("{task.description}"),
        BarColumn(),
        *fields,
        TimeRemainingColumn(elapsed_when_finished=True),
    ]
    return Progress(*columns, console=Console(stderr=True))
