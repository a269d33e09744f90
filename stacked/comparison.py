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
from stacked.classifier_settings import ClassifierSettings
from stacked.datasets import LabelledImages
from stacked.devices import device_named, dtype_named
from stacked.rows import Array
from stacked.stack import StackedAutoencoder
from stacked.training_config import TrainingConfig
from stacked.trial import Outcome
from stacked.trial_folder import TrialFolder

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


def finished_runs(
    arms: Sequence[Arm], recipe: Recipe, data: LabelledImages, seeds: Sequence[int], folder: TrialFolder, jobs: int
) -> Iterator[Run]:
    """Every run of every arm and seed, as it is finished, by `finished_trials`; each on one thread."""
    compute = functools.partial(run_arm, {arm.name: arm for arm in arms}, recipe, data)
    for trial in finished_trials(compute, [arm.name for arm in arms], seeds, folder, jobs):
        yield Run(trial.arm, trial.seed, failure=trial.failure, **trial.figures)


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
    seconds = time.perf_counter() - began
    predicted = classifier.predict(data.x_test)
    wrong = float(np.mean(predicted != data.y_test))
    figures = {"error_rate": wrong, "recalls": _recalls(predicted, data.y_test), "seconds": seconds}
    return Outcome(figures, {"before": before, "after": _first_weights(classifier)})


def _initialised(arm: Arm, recipe: Recipe, data: LabelledImages, seed: int, scratch: Path) -> FeedforwardClassifier:
    classifier = FeedforwardClassifier(recipe.classifier, seed=seed, dtype=recipe.dtype, device=recipe.device)
    if arm.layers:
        stack = StackedAutoencoder(
            arm.layers, recipe.pretraining, seed=seed, dtype=recipe.dtype, device=recipe.device
        )
        classifier.transfer(stack.fit(data.x_train, progress=False, run=scratch / "layers"))
    return classifier


def _first_weights(classifier: FeedforwardClassifier) -> Array:
    weights: Array = classifier.layers[0].weight.detach().cpu().numpy().copy()
    return weights


def _recalls(predicted: Array, labels: Array) -> list[float]:
    return [float(np.mean(predicted[labels == label] == label)) for label in np.unique(labels)]
