"""The figures of a run for TensorBoard. The only file that imports it, and only when it is asked for."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stacked.callbacks import Callback, Record
from stacked.extras import needing
from stacked.files import blaming, write_atomically
from stacked.logs import new_mark, of_another, run_of
from stacked.paths import PathLike, named_path

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

    from stacked.training import Training

RUN = "stacked-run.txt"
"""The file in the folder that says whose events lie there."""


class TensorBoard(Callback):
    """Writes every figure of every epoch for TensorBoard, each training into a folder of its own name.

    So `tensorboard --logdir FOLDER` draws one figure of all layers into one chart. Where a run with a folder is
    interrupted and goes on, the epochs that are trained again take the place of those before. A folder is that of one
    run, and of one `TensorBoard` where the run has no folder. With several ranks the first writes.

    Parameters
    ----------
    folder : path
        Made if need be.

    Raises
    ------
    StackedError
        When TensorBoard is not installed; from a training before its first epoch, when the folder holds the events of
        another run; when it cannot be written.
    """

    def __init__(self, folder: PathLike) -> None:
        self.folder = named_path(folder, "the folder for TensorBoard")
        self._new_writer = _writer_class()
        self._mark = new_mark()
        self._writer: SummaryWriter | None = None

    def on_start(self, training: Training) -> None:
        with training.ranks.agreeing():
            if training.ranks.leads:
                with blaming(self.folder, "the events"):
                    self._take(training)

    def on_epoch(self, training: Training, record: Record) -> None:
        if not training.ranks.leads:
            return
        with blaming(self.folder, "the events"):
            if self._writer is None:
                place = self._place(training)
                _await_another_second(place)
                self._writer = self._new_writer(str(place), purge_step=record["epoch"])
            for figure in record.keys() - {"epoch"}:
                self._writer.add_scalar(figure, float(record[figure]), record["epoch"])
            self._writer.flush()

    def on_end(self, training: Training) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _take(self, training: Training) -> None:
        """Raise unless the folder is this run's, or nobody's."""
        run, path = run_of(training, self._mark), self.folder / RUN
        self.folder.mkdir(parents=True, exist_ok=True)
        held = path.read_text(errors="replace").strip() if path.exists() else run
        if held != run or (training.run is None and self._place(training).exists()):
            raise of_another(self.folder, "a new folder, or one with events of this run", "one with those of another")
        write_atomically(path, f"{run}\n".encode())
        self._writer = None

    def _place(self, training: Training) -> Path:
        """Where the events of a training lie; its name with what no file system minds."""
        return self.folder / re.sub(r"[^\w.-]+", "-", training.name)


def _await_another_second(folder: Path) -> None:
    """Let a file made now be the last by name, as TensorBoard reads them: names tell the second, then the process."""
    seconds = {path.name.split(".")[3] for path in folder.glob("events.out.tfevents.*")}
    while f"{int(time.time()):010}" in seconds:
        time.sleep(0.02)


def _writer_class() -> Any:
    with needing("tensorboard", "tensorboard"):
        from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415 - slow to import, and an extra
    return SummaryWriter
