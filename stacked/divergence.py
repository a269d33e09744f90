"""Trainings that come to nothing: numbers that are no longer finite, and weights that are given back."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator
from typing import TYPE_CHECKING

from stacked.errors import DivergedError
from stacked.model import Model
from stacked.symptoms import likely_cause

if TYPE_CHECKING:
    from stacked.training import Training


def broken_loss(training: Training) -> DivergedError | None:
    """What to say of a loss that is no longer finite; None while it is."""
    books = training.books
    step = books.broken_step
    return None if step is None else _diverged(training, f"loss became {books.mean_loss}", step)


def broken_numbers(training: Training) -> DivergedError | None:
    """The same of the loss or the weights."""
    loss = broken_loss(training)
    if loss is not None or all(bool(weight.isfinite().all()) for weight in training.model.parameters()):
        return loss
    return _diverged(training, "weights became infinite", training.books.steps)


def raise_if(error: DivergedError | None) -> None:
    """Raise it, if there is one."""
    if error is not None:
        raise error


@contextlib.contextmanager
def restored_unless_finished(model: Model) -> Iterator[None]:
    """Give a model its weights back when its training is broken off: what is half-trained serves nobody."""
    before = copy.deepcopy(model.state_dict())
    try:
        yield
    except BaseException:
        model.load_state_dict(before)
        raise


def _diverged(training: Training, what: str, step: int) -> DivergedError:
    rate = training.config.optimizer.learning_rate * training.rate_factor
    cause = likely_cause(None if training.sample is None else training.sample[0])
    place = f"epoch {len(training.history) + 1}, step {step}, at learning rate {rate:g}"
    return DivergedError(f"{training.name}: the {what} in {place}, {cause}")
