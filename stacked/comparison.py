"""Comparison of ways to initialise a classifier: arms x seeds -> error rates.

Every arm has the same classifier, the same fine-tuning and, seed by seed, the same random output layer and order of
rows, so that differences are paired.
"""

import functools
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stacked.autoencoders import LayerSettings
from stacked.campaign import finished_trials
from stacked.classifier import FeedforwardClassifier
from stacked.datasets import LabelledImages
from stacked.devices import device_named, dtype_named
from stacked.errors import DivergedError
from stacked.feedforward_settings import ClassifierSettings
from stacked.rows import Array
from stacked.seeds import fit_classifiers, fit_stacks
from stacked.stack import StackedAutoencoder
from stacked.together import Turn, among
from stacked.training_config import TrainingConfig
from stacked.trial import JointCompute, Outcome
from stacked.trial_folder import TrialFolder

TOGETHER = 16
"""Seeds of an arm that train together on an accelerator; each keeps its own codes there."""

COLLAPSED_BELOW = 0.05
"""A run is called collapsed when some class's recall on the test rows is below this."""


@dataclass(frozen=True)
class Arm:
    """One way to initialise the hidden layers.

    Parameters
    ----------
    name : str
        For tables and files.
    layers : tuple of LayerSettings
        The layers to pretrain; none for random initialisation.
    """

    name: str
    layers: tuple[LayerSettings, ...] = ()


@dataclass(frozen=True)
class Recipe:
    """What all arms share.

    Parameters
    ----------
    classifier : ClassifierSettings
        The network that is fine-tuned, whose hidden layers are those of every arm.
    pretraining, finetuning : TrainingConfig
        How each layer, and then the classifier, is trained.
    dtype, device : str
        As for `StackedAutoencoder`.
    """

    classifier: ClassifierSettings
    pretraining: TrainingConfig
    finetuning: TrainingConfig
    dtype: str = "float32"
    device: str = "cpu"

    def __post_init__(self) -> None:
        dtype_named(self.dtype)
        device_named(self.device)


@dataclass(frozen=True)
class Run:
    """One arm with one seed.

    `error_rate` on the test rows is None when the run failed, and `failure` then says why. `recalls` holds the share
    of each class's test rows that was recognised, `seconds` the time of training.
    """

    arm: str
    seed: int
    error_rate: float | None = None
    recalls: Sequence[float] = ()
    seconds: float = 0.0
    failure: str = ""

    @property
    def collapsed(self) -> bool:
        """Whether the recall of some class is below `COLLAPSED_BELOW`."""
        return bool(self.recalls) and min(self.recalls) < COLLAPSED_BELOW


def finished_runs(  # noqa: PLR0913 - what is compared, then how it is spread
    arms: Sequence[Arm],
    recipe: Recipe,
    data: LabelledImages,
    seeds: Sequence[int],
    folder: TrialFolder,
    jobs: int,
    *,
    together: int | None = None,
) -> Iterator[Run]:
    """Every run of every arm and seed, as it is finished, by `finished_trials`; each on one thread.

    So many seeds of an arm train `together`, by default `at_once` of the device; on a CPU with the same outcome.
    """
    by_name = {arm.name: arm for arm in arms}
    compute = JointCompute(
        functools.partial(run_arm, by_name, recipe, data),
        functools.partial(run_seeds, by_name, recipe, data),
        together or at_once(recipe.device),
    )
    for trial in finished_trials(compute, [arm.name for arm in arms], seeds, folder, jobs):
        yield Run(trial.arm, trial.seed, failure=trial.failure, **trial.figures)


def at_once(device: str) -> int:
    """How many seeds of an arm train together: one on a CPU, where several processes use the cores."""
    return 1 if device_named(device).type == "cpu" else TOGETHER


def run_arm(
    arms: Mapping[str, Arm], recipe: Recipe, data: LabelledImages, name: str, seed: int, scratch: Path
) -> Outcome:
    """Pretrain, fine-tune and test the arm of this name with one seed.

    The arrays are the first-layer weights, shape `(n_units, n_inputs)`, `before` and `after` fine-tuning.
    """
    began = time.perf_counter()
    classifier = _initialised(arms[name], recipe, data, seed, scratch)
    before = _first_weights(classifier)
    classifier.fit(data.x_train, data.y_train, recipe.finetuning, progress=False, run=scratch / "classifier")
    return _tested(classifier, data, before, time.perf_counter() - began)


def run_seeds(
    arms: Mapping[str, Arm], recipe: Recipe, data: LabelledImages, name: str, seeds: Sequence[int], turn: Turn
) -> list[Outcome]:
    """The same with several seeds, which train together and share the time equally."""
    began = time.perf_counter()
    classifiers = [_classifier(recipe, seed) for seed in seeds]
    failures: list[DivergedError | None] = [None] * len(seeds)
    if arms[name].layers:
        stacks = [_stack(arms[name], recipe, seed) for seed in seeds]
        failures = fit_stacks(stacks, data.x_train, turn=turn)
        for classifier, stack, failure in zip(classifiers, stacks, failures, strict=True):
            if failure is None:
                classifier.transfer(stack)
    before = [_first_weights(classifier) for classifier in classifiers]
    going = [k for k, failure in enumerate(failures) if failure is None]
    if going:
        fitted = [classifiers[k] for k in going]
        ends = fit_classifiers(fitted, data.x_train, data.y_train, recipe.finetuning, turn=among(going, turn))
        for k, failure in zip(going, ends, strict=True):
            failures[k] = failure
    seconds = (time.perf_counter() - began) / len(seeds)
    return [
        _tested(classifier, data, weights, seconds) if failure is None else Outcome({}, failure=str(failure))
        for classifier, weights, failure in zip(classifiers, before, failures, strict=True)
    ]


def _tested(classifier: FeedforwardClassifier, data: LabelledImages, before: Array, seconds: float) -> Outcome:
    predicted = classifier.predict(data.x_test)
    wrong = float(np.mean(predicted != data.y_test))
    figures = {"error_rate": wrong, "recalls": _recalls(predicted, data.y_test), "seconds": seconds}
    return Outcome(figures, {"before": before, "after": _first_weights(classifier)})


def _initialised(arm: Arm, recipe: Recipe, data: LabelledImages, seed: int, scratch: Path) -> FeedforwardClassifier:
    classifier = _classifier(recipe, seed)
    if arm.layers:
        stack = _stack(arm, recipe, seed)
        classifier.transfer(stack.fit(data.x_train, progress=False, run=scratch / "layers"))
    return classifier


def _classifier(recipe: Recipe, seed: int) -> FeedforwardClassifier:
    return FeedforwardClassifier(recipe.classifier, seed=seed, dtype=recipe.dtype, device=recipe.device)


def _stack(arm: Arm, recipe: Recipe, seed: int) -> StackedAutoencoder:
    return StackedAutoencoder(arm.layers, recipe.pretraining, seed=seed, dtype=recipe.dtype, device=recipe.device)


def _first_weights(classifier: FeedforwardClassifier) -> Array:
    weights: Array = classifier.layers[0].weight.detach().cpu().numpy().copy()
    return weights


def _recalls(predicted: Array, labels: Array) -> list[float]:
    return [float(np.mean(predicted[labels == label] == label)) for label in np.unique(labels)]
