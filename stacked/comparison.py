"""Comparison of ways to initialise a classifier: arms x seeds -> error rates.

Every arm has the same classifier, the same fine-tuning and, seed by seed, the same random output layer and order of
rows, so that differences are paired.
"""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

from stacked.autoencoders import LayerSettings
from stacked.classifier import FeedforwardClassifier
from stacked.classifier_settings import ClassifierSettings
from stacked.datasets import LabelledImages
from stacked.devices import device_named, dtype_named
from stacked.errors import DivergedError
from stacked.rows import Array
from stacked.stack import StackedAutoencoder
from stacked.training_config import TrainingConfig

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
    recalls: tuple[float, ...] = ()
    seconds: float = 0.0
    failure: str = ""

    @property
    def collapsed(self) -> bool:
        """Whether the recall of some class is below `COLLAPSED_BELOW`."""
        return bool(self.recalls) and min(self.recalls) < COLLAPSED_BELOW


class Filters(NamedTuple):
    """First-layer weights, shape `(n_units, n_inputs)`, before and after fine-tuning."""

    before: Array
    after: Array


def run_arm(arm: Arm, recipe: Recipe, data: LabelledImages, seed: int) -> tuple[Run, Filters | None]:
    """Pretrain, fine-tune and test one arm with one seed, on one thread.

    One thread, so that the result does not depend on how many runs share the machine. A run whose loss becomes
    infinite or NaN is returned as failed, without filters.
    """
    began = time.perf_counter()
    with _one_thread():
        try:
            classifier = _initialised(arm, recipe, data, seed)
            before = _first_weights(classifier)
            classifier.fit(data.x_train, data.y_train, recipe.finetuning, progress=False)
        except DivergedError as error:
            return Run(arm.name, seed, failure=str(error)), None
        seconds = time.perf_counter() - began
        predicted = classifier.predict(data.x_test)
    wrong = float(np.mean(predicted != data.y_test))
    run = Run(arm.name, seed, wrong, _recalls(predicted, data.y_test), seconds)
    return run, Filters(before, _first_weights(classifier))


def _initialised(arm: Arm, recipe: Recipe, data: LabelledImages, seed: int) -> FeedforwardClassifier:
    classifier = FeedforwardClassifier(recipe.classifier, seed=seed, dtype=recipe.dtype, device=recipe.device)
    if arm.layers:
        stack = StackedAutoencoder(
            arm.layers, recipe.pretraining, seed=seed, dtype=recipe.dtype, device=recipe.device
        )
        classifier.transfer(stack.fit(data.x_train, progress=False))
    return classifier


def _first_weights(classifier: FeedforwardClassifier) -> Array:
    weights: Array = classifier.layers[0].weight.detach().cpu().numpy().copy()
    return weights


def _recalls(predicted: Array, labels: Array) -> tuple[float, ...]:
    return tuple(float(np.mean(predicted[labels == label] == label)) for label in np.unique(labels))


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
