"""Many seeds at once: stacks, and then classifiers, that differ in their seed only and train in lock-step."""

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

from stacked.callbacks import History
from stacked.classifier import FeedforwardClassifier
from stacked.codes import Ascent
from stacked.errors import DivergedError, mismatch
from stacked.labelled_rows import labelled_tables
from stacked.rows import fingerprint
from stacked.stack import StackedAutoencoder
from stacked.temporary_cache import cache_for_run
from stacked.together import Turn, train_together
from stacked.training_config import TrainingConfig, check_config, check_plan


def fit_stacks(
    stacks: Sequence[StackedAutoencoder],
    x: Any,
    *,
    validation: Any = None,
    turn: Turn = lambda number: None,
) -> list[DivergedError | None]:
    """Train stacks that differ in their seed only, all at once; each ends as its `fit` alone would.

    On a CPU with the same bits, on an accelerator to rounding.

    Parameters
    ----------
    stacks : sequence of StackedAutoencoder
        Each with its own seed.
    x, validation
        As for `StackedAutoencoder.fit`.
    turn : callable
        Told the number of the stack that is looked after next, before anything is said of it.

    Returns
    -------
    list of DivergedError or None
        Why each failed; a stack that did is as it was before.

    Raises
    ------
    StackedError
        Before any work is done, when rows and layers do not fit, or the stacks differ in more than their seeds.
    """
    _check_alike(
        stacks, StackedAutoencoder, lambda stack: (stack.settings, stack.training, stack.dtype, stack.device)
    )
    tables = stacks[0].checked(x, validation, stacks[0].settings)
    layers = [stack.drawn_layers(tables[0].shape[1]) for stack in stacks]
    for number, (layer, config) in enumerate(zip(layers[0], stacks[0].training, strict=True), start=1):
        check_plan(layer, config, len(tables[0]), validation is not None, f"layer {number}")
    origins = [fingerprint(rows) for rows in tables]
    failures: list[DivergedError | None] = [None] * len(stacks)
    histories: list[list[History]] = [[] for _ in stacks]
    with contextlib.ExitStack() as life:
        ascents = [Ascent(tables, origins, life.enter_context(cache_for_run(stack.cache, None))) for stack in stacks]
        for level in range(len(layers[0])):
            going = [k for k, failure in enumerate(failures) if failure is None]
            if not going:
                break
            trainings = [stacks[k].training_of(level + 1, layers[k][level], []) for k in going]
            examples = [ascents[k].examples() for k in going]
            ends = train_together(trainings, examples, turn=_among(going, turn))
            for k, training, failure in zip(going, trainings, ends, strict=True):
                failures[k] = failure
                histories[k].append(training.history)
                ascents[k].climb(layers[k][level])
    for stack, own, records, failure in zip(stacks, layers, histories, failures, strict=True):
        if failure is None:
            stack.layers, stack.histories, stack.fine_tuning = own, records, History()
    return failures


def fit_classifiers(
    classifiers: Sequence[FeedforwardClassifier],
    x: Any,
    labels: Any,
    training: TrainingConfig | None = None,
    *,
    validation: tuple[Any, Any] | None = None,
    turn: Turn = lambda number: None,
) -> list[DivergedError | None]:
    """Fine-tune classifiers that differ in their seed and weights only, all at once, as `fit_stacks` does.

    Parameters
    ----------
    classifiers : sequence of FeedforwardClassifier
        Each with its own seed, and with its own weights from a stack if there was one.
    x, labels, training, validation
        As for `FeedforwardClassifier.fit`.
    turn : callable
        As for `fit_stacks`.

    Returns
    -------
    list of DivergedError or None
        Why each failed; a classifier that did is as it was before.
    """
    config = TrainingConfig() if training is None else training
    check_config(config)
    _check_alike(classifiers, FeedforwardClassifier, lambda own: (own.settings, own.n_frozen, own.dtype, own.device))
    first = classifiers[0]
    tables = labelled_tables(x, labels, validation, first.settings.sizes, first.dtype)
    trainings = [classifier.fine_tuning(config) for classifier in classifiers]
    check_plan(trainings[0].model, config, len(tables[0].rows), validation is not None, "the classifiers")
    with contextlib.ExitStack() as life:
        above = [life.enter_context(own.examples_above_frozen(tables)) for own in classifiers]
        failures = train_together(trainings, [examples() for examples in above], turn=turn)
    for classifier, fine_tuning, failure in zip(classifiers, trainings, failures, strict=True):
        if failure is None:
            classifier.history = fine_tuning.history
    return failures


def _among(numbers: Sequence[int], turn: Turn) -> Turn:
    """Told the place of one of these, tells its number."""
    return lambda place: turn(numbers[place])


def _check_alike(models: Any, kind: type, described: Callable[[Any], Any]) -> None:
    """Raise unless it is a list of at least one, all of one kind and described alike."""
    name = "stacks" if kind is StackedAutoencoder else "classifiers"
    if not isinstance(models, list | tuple) or not models or not all(isinstance(model, kind) for model in models):
        remedy = "pass some that differ in their seed"
        raise mismatch(name, expected=f"a list of {kind.__name__}", received=repr(models), remedy=remedy)
    for number, model in enumerate(models, start=1):
        if described(model) != described(models[0]):
            expected, received = "settings like those of the first", f"others at number {number}"
            raise mismatch(name, expected=expected, received=received, remedy="let them differ in their seed only")
