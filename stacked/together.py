"""Several trainings in lock-step: models of one shape, each with its own weights, rows and random numbers.

A training that stops early or diverges leaves the others as they are. How they step together is up to `joint_steps`.
"""

import contextlib
from collections.abc import Callable, Generator, Sequence

import torch
from torch import Tensor

from stacked.batches import Minibatch
from stacked.divergence import restored_unless_finished
from stacked.errors import DivergedError, mismatch
from stacked.examples import Examples
from stacked.joint_steps import joint_steps
from stacked.training import Training

Turn = Callable[[int], None]
"""Told, by its number, which training is looked after next; for who sorts what is said of them."""


def among(numbers: Sequence[int], turn: Turn) -> Turn:
    """Told the place of one of these numbers, tells the number."""
    return lambda place: turn(numbers[place])


def train_together(
    trainings: Sequence[Training],
    examples: Sequence[Sequence[Examples]],
    *,
    turn: Turn = lambda number: None,
    batched: bool | None = None,
) -> list[DivergedError | None]:
    """Train each as its `fit` does, all in lock-step, and return why each failed: None where it did not.

    The model of one that fails is as it was.

    Parameters
    ----------
    trainings : sequence of Training
        Of models of one kind and shape, configured alike.
    examples : sequence of sequences of Examples
        For each, those to train on, and those to measure on if there are any; of as many rows.
    turn : callable
        Told before each look at one of them.
    batched : bool, optional
        Whether gradients by hand are computed for all models at once; by default, on accelerators.

    Raises
    ------
    StackedError
        Before any work is done, when they are not configured alike.
    """
    _check_alike(trainings, examples)
    with contextlib.ExitStack() as life, torch.no_grad():
        courses = [_Course(*of_one, turn) for of_one in zip(enumerate(trainings), examples, strict=True)]
        for course in courses:
            life.callback(course.close)
        going = [course for course in courses if course.goes_on(None)]
        while going:
            going = _until_one_leaves(going, batched)
    return [course.failure for course in courses]


def _until_one_leaves(courses: Sequence["_Course"], batched: bool | None) -> list["_Course"]:
    """Step together until some end, and return the others."""
    going = list(courses)
    joint = joint_steps([course.training for course in courses], batched)
    try:
        while len(going) == len(courses):
            values = joint.step([course.minibatch for course in courses])
            going = [course for course, value in zip(courses, values, strict=True) if course.goes_on(value)]
    finally:
        joint.part([course.training for course in going])
    return going


def _check_alike(trainings: Sequence[Training], examples: Sequence[Sequence[Examples]]) -> None:
    first, rows = trainings[0], len(examples[0][0].numbers)
    for training, (own, *_) in zip(trainings, examples, strict=True):
        if _kind(training) != _kind(first) or len(own.numbers) != rows:
            expected = f"trainings like {first.name}, on {rows} rows"
            received, remedy = f"{training.name}, on {len(own.numbers)}", "let them differ in seeds only"
            raise mismatch("trainings", expected=expected, received=received, remedy=remedy)


def _kind(training: Training) -> tuple[object, ...]:
    """What trainings must share to step together; settings of their models are for callers to compare."""
    shapes = {name: (value.shape, value.dtype) for name, value in training.model.state_dict().items()}
    return type(training.model), shapes, training.config, training.device


class _Course:
    """A training as its driver sees it: it gives minibatches, and is given the objectives of the steps on them."""

    minibatch: Minibatch

    def __init__(self, numbered: tuple[int, Training], examples: Sequence[Examples], turn: Turn) -> None:
        self._number, self.training = numbered
        self._turn, self._steps = turn, _steps(self.training, examples)
        self.failure: DivergedError | None = None

    def goes_on(self, value: Tensor | None) -> bool:
        """Enter the objective of the step, and fetch the next minibatch; False when the training has ended."""
        self._turn(self._number)
        try:
            self.minibatch = self._steps.send(value)
        except StopIteration:
            return False
        except DivergedError as error:
            self.failure = error
            return False
        return True

    def close(self) -> None:
        """Break off what has not ended."""
        self._steps.close()


def _steps(training: Training, examples: Sequence[Examples]) -> Generator[Minibatch, Tensor | None]:
    with restored_unless_finished(training.model), training.begun(*examples):
        while training.goes_on():
            with contextlib.closing(training.minibatches()) as minibatches:
                for x, labels in minibatches:
                    value = yield x, labels
                    assert value is not None, "each minibatch is answered by its objective"
                    training.enter(value)
            training.close_epoch()
