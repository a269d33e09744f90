"""The books of one epoch: rows and steps so far, the losses, the time; enough to go on in the middle of it."""

import math
import time

import torch
from torch import Tensor

from stacked.state_files import State


class Books:
    """What is known of an epoch that is under way.

    Losses are kept as the device gives them and only read when somebody asks, for reading waits for the device.

    Parameters
    ----------
    order : Tensor
        State of the stream of orders when the epoch began.

    Attributes
    ----------
    rows, steps : int
        Taken so far.
    order : Tensor
        As given.
    """

    def __init__(self, order: Tensor) -> None:
        self.order, self.rows, self.steps = order, 0, 0
        self._unread: list[tuple[Tensor, int]] = []
        self._loss_sum, self._broken_step = 0.0, 0
        self._began = time.perf_counter()

    def enter(self, loss: Tensor, n_rows: int) -> None:
        """A step, with its mean loss, a scalar that nobody changes any more."""
        self.rows += n_rows
        self.steps += 1
        self._unread.append((loss, n_rows))

    @property
    def mean_loss(self) -> float:
        """Over the rows so far."""
        self._read()
        return self._loss_sum / max(1, self.rows)

    @property
    def seconds(self) -> float:
        """Spent on the epoch so far, interruptions left out."""
        return time.perf_counter() - self._began

    @property
    def broken_step(self) -> int | None:
        """The first step, from 1, after which the loss was no longer finite; None while it is."""
        self._read()
        return self._broken_step or None

    def state(self) -> State:
        """What `restore` needs."""
        self._read()
        names = {"order": self.order, "rows": self.rows, "steps": self.steps}
        return {**names, "loss_sum": self._loss_sum, "seconds": self.seconds}

    def restore(self, state: State) -> None:
        """Go on from a state, all of whose losses were finite."""
        self.order, self.rows, self.steps = state["order"], state["rows"], state["steps"]
        self._loss_sum = state["loss_sum"]
        self._began = time.perf_counter() - state["seconds"]

    def _read(self) -> None:
        if not self._unread:
            return
        losses, counts = zip(*self._unread, strict=True)
        first = self.steps - len(losses) + 1
        self._unread = []
        for step, (loss, n_rows) in enumerate(zip(torch.stack(losses).tolist(), counts, strict=True), start=first):
            self._loss_sum += loss * n_rows
            if not (self._broken_step or math.isfinite(self._loss_sum)):
                self._broken_step = step
