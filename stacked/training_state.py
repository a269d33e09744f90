"""What a training needs to go on in the middle of an epoch, with the same bits as if it had never stopped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from stacked.callbacks import Callback
from stacked.errors import making_use_of, mismatch
from stacked.state_files import State, check_tensors

if TYPE_CHECKING:
    from stacked.training import Training


def training_state(training: Training) -> State:
    """The state of a training between two steps."""
    return {
        "history": training.history.records,
        "stopping": training.stopping,
        "epochs_passed": training.epochs_passed,
        "books": training.books.state(),
        "noise": training.streams.noise.state(),
        "model": training.model.state_dict(),
        "optimizer": training.optimizer.state(),
        "callbacks": _known_to_callbacks(training),
    }


def restore_training(training: Training, state: State) -> None:
    """Put a training that has just begun where another one was.

    Raises
    ------
    StackedError
        When the state is that of another kind of training.
    """
    with making_use_of(f"{training.name}: its state", "delete the file to train anew"):
        _restore_model(training, state)
        training.stopping = state["stopping"]
        training.advance(state["epochs_passed"])  # for what looks at the model before the next step
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
    return {
        "history": training.history.records,
        "symptoms": training.symptoms,
        "model": training.model.state_dict(),
        "callbacks": _known_to_callbacks(training),
    }


def restore_finished(training: Training, state: State) -> None:
    """Make a training that has not begun one that is finished."""
    with making_use_of(f"{training.name}: its state", "delete the file to train anew"):
        _restore_model(training, state)
        training.symptoms, known = state["symptoms"], state["callbacks"]
    for callback, held in _paired(training.callbacks, known):
        if callback is not None and held:  # who only reads a finished run need not watch it
            callback.restore(held)


def restore_callbacks(callbacks: Sequence[Callback], state: State) -> None:
    """Hand every callback that knew something what it knew.

    Raises
    ------
    StackedError
        When the callbacks are not those of the training that was interrupted.
    """
    pairs = list(_paired(callbacks, state["callbacks"]))
    missing = [
        kind for (kind, known), (callback, _) in zip(state["callbacks"], pairs, strict=True) if known and not callback
    ]
    if missing:
        received = ", ".join(type(callback).__name__ for callback in callbacks) or "none"
        expected, remedy = f"a {missing[0]}, as when the training began", "pass the same, or name another folder"
        raise mismatch("callbacks", expected=expected, received=received, remedy=remedy)
    for callback, known in pairs:
        if callback is not None and known:
            callback.restore(known)


def _known_to_callbacks(training: Training) -> list[list[Any]]:
    return [[type(callback).__name__, callback.state()] for callback in training.callbacks]


def _paired(callbacks: Sequence[Callback], known: list[list[Any]]) -> Iterator[tuple[Callback | None, State]]:
    """Whom to tell what was known: the first callback of a class what the first of that class knew, and so on."""
    left: dict[str, list[Callback]] = {}
    for callback in callbacks:
        left.setdefault(type(callback).__name__, []).append(callback)
    for kind, held in known:
        namesakes = left.get(kind)
        yield (namesakes.pop(0) if namesakes else None), held
