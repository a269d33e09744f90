"""What the estimators have in common: layers that are trained one by one, as parameters of scikit-learn say."""

import dataclasses
from collections.abc import Iterable, Sequence
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from stacked.autoencoders import LayerSettings
from stacked.errors import check_choice
from stacked.layer_text import layers_from
from stacked.optimizers import LBFGS, SGD, Adam, OptimizerSettings
from stacked.provenance import Provenance
from stacked.rows import Array
from stacked.stack import StackedAutoencoder
from stacked.training_config import TrainingConfig

DTYPES = [np.float64, np.float32]
"""Of rows as the library takes them here: as they are if they are of one, converted to the first otherwise."""
OPTIMIZERS: dict[str, OptimizerSettings] = {"adam": Adam(), "sgd": SGD(), "lbfgs": LBFGS()}


class Layerwise(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """An estimator that trains a stack; whoever derives from it takes the parameters and stores them as they are.

    Attributes
    ----------
    stack_ : StackedAutoencoder
        The trained layers.
    """

    layers: str | Sequence[LayerSettings]
    epochs: int
    batch_size: int | None
    optimizer: str | OptimizerSettings
    learning_rate: float | None
    validation_fraction: float
    patience: int | None
    scaling: str
    random_state: Any
    device: str
    dtype: str

    stack_: StackedAutoencoder

    def _planned_stack(self, x: Array) -> StackedAutoencoder:
        """The stack that is to be trained on these rows, its parameters checked."""
        return StackedAutoencoder(
            layers_from(self.layers) if isinstance(self.layers, str) else self.layers,
            self._training(self.epochs, self.learning_rate, len(x)),
            seed=seed_from(self.random_state),
            dtype=self.dtype,
            device=self.device,
            scaling=self.scaling,
        )

    def _training(self, epochs: int, learning_rate: float | None, n_rows: int) -> TrainingConfig:
        """How a model is trained on so many rows; where they are fewer than a batch, they are one."""
        config = TrainingConfig(
            epochs=epochs,
            batch_size=self.batch_size,
            optimizer=optimizer_of(self.optimizer, learning_rate),
            validation_fraction=self.validation_fraction,
            patience=self.patience,
        )
        n_train = n_rows - round(config.validation_fraction * n_rows)
        if config.batch_size is None or config.batch_size <= n_train:
            return config
        return dataclasses.replace(config, batch_size=max(1, n_train))

    def _provenance(self, x: Array, n_labelled: int = 0, classes: Iterable[Any] = ()) -> Provenance:
        """What is known of the rows, for whoever saves what was fitted."""
        columns = tuple(map(str, getattr(self, "feature_names_in_", ())))
        return Provenance(n_rows=len(x), n_labelled=n_labelled, columns=columns, classes=tuple(map(str, classes)))

    def _rows_of(self, X: Any) -> Array:
        """Rows for what was fitted, with the columns that it was fitted to."""
        check_is_fitted(self, "stack_")
        rows: Array = validate_data(self, X, dtype=DTYPES, reset=False)
        return rows


def optimizer_of(optimizer: Any, learning_rate: float | None) -> Any:
    """The settings of an optimiser by its name, or those given; with this learning rate if there is one."""
    if isinstance(optimizer, str):
        check_choice("optimizer", optimizer, OPTIMIZERS)
        optimizer = OPTIMIZERS[optimizer]
    if learning_rate is None or not isinstance(optimizer, OptimizerSettings):  # which `TrainingConfig` refuses
        return optimizer
    return dataclasses.replace(optimizer, learning_rate=learning_rate)


def seed_from(random_state: Any) -> int:
    """A whole number as it is; otherwise one that is drawn from the generator which scikit-learn means by it."""
    generator = check_random_state(random_state)
    if isinstance(random_state, Integral):
        return int(random_state)
    return int(generator.randint(np.iinfo(np.int32).max))
