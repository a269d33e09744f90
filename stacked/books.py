"""The books of one epoch: rows and steps so far, the losses, the time; enough to go on in the middle of it."""

import time

import torch
from torch import Tensor

from stacked.state_files import State


class Books:
    """What is known of an epoch that is under way.

    Parameters
    ----------
    order : Tensor
        State of the stream of orders when the epoch began.
    like : Tensor
        Gives the dtype and the device of the losses.

    Attributes
    ----------
    rows, steps : int
        Taken so far.
    order : Tensor
        As given.
    """

    def __init__(self, order: Tensor, like: Tensor) -> None:
        self.order, self.rows, self.steps = order, 0, 0
        self._loss_sum = like.new_zeros(())
        self._finite_steps = torch.zeros((), dtype=torch.int64, device=like.device)
        self._began = time.perf_counter()

    def enter(self, loss: Tensor, n_rows: int) -> None:
        """A step, with its mean loss. Nothing is read from the device."""
        self.rows += n_rows
        self.steps += 1
        self._loss_sum.add_(loss, alpha=n_rows)
        self._finite_steps.add_(self._loss_sum.isfinite())

    @property
    def mean_loss(self) -> float:
        """Over the rows so far."""
        return float(self._loss_sum) / max(1, self.rows)

    @property
    def seconds(self) -> float:
        """Spent on the epoch so far, interruptions left out."""
        return time.perf_counter() - self._began

    @property
    def broken_step(self) -> int | None:
        """The first step, from 1, after which the loss was no longer finite; None while it is."""
        finite = int(self._finite_steps)
        return None if finite == self.steps else finite + 1

    def state(self) -> State:
        """What `restore` needs."""
        names = {"order": self.order, "rows": self.rows, "steps": self.steps}
        return {**names, "loss_sum": self._loss_sum, "seconds": self.seconds}

    def restore(self, state: State) -> None:
        """Go on from a state, all of whose losses were finite."""
        self.order, self.rows, self.steps = state["order"], state["rows"], state["steps"]
        self._loss_sum.copy_(state["loss_sum"])
        self._finite_steps.fill_(self.steps)
        self._began = time.perf_counter() - state["seconds"]
