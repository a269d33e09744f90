"""What can watch a training: a page of events that do nothing, the history, and early stopping."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from torch import Tensor

from stacked.errors import check_count, mismatch
from stacked.state_files import State

if TYPE_CHECKING:
    from stacked.training import Training

Record = dict[str, Any]
"""The figures of one epoch: `epoch` (from 1), `learning_rate`, `seconds`, `rows_per_second`; `loss`, the mean
objective of the steps, on corrupted rows and with penalties; what the model measures on clean validation rows, such
as `validation_loss`, without penalties; and what `Model.inspect` finds on a sample of clean training rows, such as
the `dead_units` of a sparse layer."""


class Callback:
    """Is told what happens; override the events of interest. Setting `training.stopping` ends after the epoch."""

    def on_start(self, training: Training) -> None:
        """Before the first epoch."""

    def on_step(self, training: Training, n_rows: int) -> None:
        """After a step on `n_rows` rows."""

    def on_epoch(self, training: Training, record: Record) -> None:
        """After an epoch with these figures."""

    def on_end(self, training: Training) -> None:
        """After the last epoch."""

    def state(self) -> State:
        """What it must know to go on in a training that was interrupted; nothing, unless it says otherwise.

        Tensors, numbers, text, None, and lists of these and mappings from text to these.
        """
        return {}

    def restore(self, state: State) -> None:
        """Go on from what `state` gave, in a training that is taken up again.

        Called after `on_start`, which finds the training as it was at its very beginning; and, where a training is
        only read because it was finished, without that.
        """


class History(Callback):
    """Keeps the record of every epoch. `history["loss"]` is the list of one figure."""

    def __init__(self, records: list[Record] | None = None) -> None:
        self.records: list[Record] = [] if records is None else records

    def __getitem__(self, figure: str) -> list[Any]:
        return [record[figure] for record in self.records]

    def __iter__(self) -> Iterator[Record]:
        return iter(self.records)

    def __len__(self) -> int:
        return len(self.records)

    def on_epoch(self, training: Training, record: Record) -> None:
        self.records.append(record)


def check_callbacks(callbacks: Sequence[Callback]) -> None:
    """Raise unless it is a sequence of callbacks."""
    if not isinstance(callbacks, Sequence) or not all(isinstance(callback, Callback) for callback in callbacks):
        expected, remedy = "a list of Callback", "pass for instance [EarlyStopping(3)]"
        raise mismatch("callbacks", expected=expected, received=repr(callbacks), remedy=remedy)


class EarlyStopping(Callback):
    """Ends a training that no longer improves on validation rows, and restores the weights of the best epoch.

    Parameters
    ----------
    patience : int
        Epochs without improvement before the end.
    figure : str
        The figure to lower; one of the record.
    """

    def __init__(self, patience: int, figure: str = "validation_loss") -> None:
        check_count("patience", patience)
        if not isinstance(figure, str):
            remedy = "pass for instance 'validation_loss'"
            raise mismatch("figure", expected="the name of a figure", received=repr(figure), remedy=remedy)
        self.patience, self.figure = patience, figure
        self.best, self._waited = float("inf"), 0
        self._best_weights: dict[str, Tensor] = {}

    def on_start(self, training: Training) -> None:
        self.best, self._waited, self._best_weights = float("inf"), 0, {}

    def on_epoch(self, training: Training, record: Record) -> None:
        if self.figure not in record:
            expected, remedy = f"one of {sorted(record)}", "pass validation rows, or watch another figure"
            raise mismatch("figure", expected=expected, received=repr(self.figure), remedy=remedy)
        if record[self.figure] < self.best:
            self.best, self._waited = record[self.figure], 0
            self._best_weights = {name: value.clone() for name, value in training.model.state_dict().items()}
        else:
            self._waited += 1
        if self._waited >= self.patience:
            training.stopping = True

    def on_end(self, training: Training) -> None:
        if self._best_weights:
            training.model.load_state_dict(self._best_weights)
        self._best_weights = {}  # they are the model's now

    def state(self) -> State:
        return {"best": self.best, "waited": self._waited, "best_weights": self._best_weights}

    def restore(self, state: State) -> None:
        self.best, self._waited, self._best_weights = state["best"], state["waited"], state["best_weights"]
