"""What a training needs to go on in the middle of an epoch, with the same bits as if it had never stopped."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from stacked.callbacks import Callback
from stacked.errors import StackedError, mismatch
from stacked.state_files import State, check_tensors

if TYPE_CHECKING:
    from stacked.training import Training


def training_state(training: Training) -> State:
    """The state of a training between two steps."""
    return {
        "history": training.history.records,
        "stopping": training.stopping,
        "books": training.books.state(),
        "noise": training.streams.noise.state(),
        "model": training.model.state_dict(),
        "optimizer": training.optimizer.state(),
        "callbacks": [[type(callback).__name__, callback.state()] for callback in training.callbacks],
    }


def restore_training(training: Training, state: State) -> None:
    """Put a training that has just begun where another one was.

    Raises
    ------
    StackedError
        When the state is that of another kind of training.
    """
    with _fitting(training.name):
        _restore_model(training, state)
        training.stopping = state["stopping"]
        training.books.restore(state["books"])
        training.streams.shuffle.restore(training.books.order)
        training.streams.noise.restore(state["noise"])
        training.optimizer.restore(state["optimizer"])


def _restore_model(training: Training, state: State) -> None:
    check_tensors(state["model"], training.model.state_dict())
    training.model.load_state_dict(state["model"])
    training.history.records[:] = state["history"]


def finished_state(training: Training) -> State:
    """What is left of a finished training."""
    return {"history": training.history.records, "model": training.model.state_dict()}


def restore_finished(training: Training, state: State) -> None:
    """Make a training that has not begun one that is finished."""
    with _fitting(training.name):
        _restore_model(training, state)


def restore_callbacks(callbacks: Sequence[Callback], state: State) -> None:
    """Hand every callback that knew something what it knew.

    Raises
    ------
    StackedError
        When the callbacks are not those of the training that was interrupted.
    """
    left = list(callbacks)
    for kind, known in state["callbacks"]:
        if not known:
            continue
        while left and type(left[0]).__name__ != kind:
            del left[0]
        if not left:
            received = ", ".join(type(callback).__name__ for callback in callbacks) or "none"
            expected, remedy = f"a {kind}, as when the training began", "pass the same, or name another folder"
            raise mismatch("callbacks", expected=expected, received=received, remedy=remedy)
        left.pop(0).restore(known)


@contextlib.contextmanager
def _fitting(name: str) -> Iterator[None]:
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError, IndexError) as error:
        reason = str(error) if isinstance(error, StackedError) else repr(error)
        raise StackedError(f"{name}: its checkpoint cannot be used ({reason}); delete it to train anew") from error
