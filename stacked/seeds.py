"""Many seeds at once: stacks, and then classifiers, that differ in their seed only and train in lock-step."""

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

from stacked.autoencoders import Autoencoder
from stacked.callbacks import History
from stacked.codes import Ascent
from stacked.errors import DivergedError, mismatch
from stacked.feedforward import Feedforward
from stacked.frames import columns_of
from stacked.provenance import Provenance
from stacked.rows import fingerprint
from stacked.stack import StackedAutoencoder
from stacked.stack_checks import checked_tables, tables_of
from stacked.temporary_cache import cache_for_run, make_room
from stacked.together import Turn, among, train_together
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
        stacks,
        StackedAutoencoder,
        lambda stack: (stack.settings, stack.training, stack.dtype, stack.device, stack.scaling_kind),
    )
    first = stacks[0]
    given = tables_of(x, validation, columns=columns_of(x))
    scaling, tables, within = checked_tables(given, first.settings, first.dtype, first.scaling_kind)
    provenance = Provenance(n_rows=len(given[0]), columns=columns_of(x), in_unit_range=within)
    layers = [stack.planned_layers(tables) for stack in stacks]
    are_kept = any(stack.cache is not None for stack in stacks)
    origins = [fingerprint(rows) for rows in tables] if are_kept else ["rows", "validation"][: len(tables)]
    n_bytes = sum(stacks[0].disk_bytes(len(rows)) for rows in tables)
    with contextlib.ExitStack() as life:
        caches = [life.enter_context(cache_for_run(stack.cache, None)) for stack in stacks]
        make_room(caches[0], n_bytes * len(stacks), kept=are_kept)
        ascents = [Ascent(tables, origins, cache) for cache in caches]
        rising = [_Rising(*of_one) for of_one in zip(stacks, layers, ascents, strict=True)]
        for number in range(1, len(stacks[0].settings) + 1):
            _train_level(number, rising, turn)
    for each in rising:
        if each.failure is None:
            each.stack.take_over(each.layers, each.histories, scaling, provenance)
    return [each.failure for each in rising]


class _Rising:
    """A stack on its way up: layers that are drawn, and then trained one by one."""

    def __init__(self, stack: StackedAutoencoder, layers: list[Autoencoder], ascent: Ascent) -> None:
        self.stack, self.layers, self.ascent = stack, layers, ascent
        self.histories: list[History] = []
        self.failure: DivergedError | None = None


def _train_level(number: int, rising: Sequence[_Rising], turn: Turn) -> None:
    """Train layer `number` of every stack that has not failed."""
    going = [k for k, each in enumerate(rising) if each.failure is None]
    if not going:
        return
    trainings = [rising[k].stack.training_of(number, rising[k].layers[number - 1], []) for k in going]
    failures = train_together(trainings, [rising[k].ascent.examples() for k in going], turn=among(going, turn))
    for k, training, failure in zip(going, trainings, failures, strict=True):
        rising[k].failure = failure
        rising[k].histories.append(training.history)
        rising[k].ascent.climb(rising[k].layers[number - 1])


def fit_classifiers(
    classifiers: Sequence[Feedforward],
    x: Any,
    labels: Any,
    training: TrainingConfig | None = None,
    *,
    validation: tuple[Any, Any] | None = None,
    turn: Turn = lambda number: None,
) -> list[DivergedError | None]:
    """Fine-tune classifiers, or regressors, that differ in their seed and weights only, all at once, as `fit_stacks`.

    Parameters
    ----------
    classifiers : sequence of FeedforwardClassifier or of FeedforwardRegressor
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
    _check_alike(
        classifiers,
        Feedforward,
        lambda own: (own.settings, own.n_frozen, own.dtype, own.device, own.scaling_kind),
    )
    before = [dict(vars(classifier)) for classifier in classifiers]
    with contextlib.ExitStack() as life:
        for classifier in classifiers:
            life.enter_context(classifier.as_it_was_unless_finished())
        tables = [classifier.labelled_tables(x, labels, validation) for classifier in classifiers]
        trainings = [classifier.fine_tuning(config) for classifier in classifiers]
        n_rows = len(tables[0][0].numbers)
        check_plan(trainings[0].model, config, n_rows, validation is not None, "the classifiers")
        above = [
            life.enter_context(own.examples_above_frozen(of_own))
            for own, of_own in zip(classifiers, tables, strict=True)
        ]
        failures = train_together(trainings, [examples() for examples in above], turn=turn)
    for classifier, fine_tuning, failure, attributes in zip(classifiers, trainings, failures, before, strict=True):
        if failure is None:
            classifier.history = fine_tuning.history
        else:
            vars(classifier).update(attributes)
    return failures


def _check_alike(models: Any, kind: type, described: Callable[[Any], Any]) -> None:
    """Raise unless it is a list of at least one, all of one kind and described alike."""
    name = "stacks" if kind is StackedAutoencoder else "classifiers"
    if not isinstance(models, list | tuple) or not models or not all(isinstance(model, kind) for model in models):
        remedy = "pass some that differ in their seed"
        raise mismatch(name, expected=f"a list of {kind.__name__}", received=repr(models), remedy=remedy)
    if len({id(model) for model in models}) < len(models):
        remedy = "make one for each seed"
        raise mismatch(name, expected="every model once", received="one of them twice", remedy=remedy)
    for number, model in enumerate(models, start=1):
        if described(model) != described(models[0]):
            expected, received = "settings like those of the first", f"others at number {number}"
            raise mismatch(name, expected=expected, received=received, remedy="let them differ in their seed only")
