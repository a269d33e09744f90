"""What the estimators with labels have in common: layers pretrained on all rows, fine-tuned on the labelled ones."""

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import numpy as np

from stacked.autoencoders import LayerSettings
from stacked.classifier import FeedforwardClassifier
from stacked.estimators.layerwise import Layerwise
from stacked.optimizers import OptimizerSettings
from stacked.regressor import FeedforwardRegressor
from stacked.rows import Array
from stacked.training_config import check_plan

Network = TypeVar("Network", FeedforwardClassifier, FeedforwardRegressor)


class Pretrained(Layerwise):
    """A feedforward network above pretrained layers.

    Parameters
    ----------
    layers : str or sequence of LayerSettings
        The hidden layers, bottom first, as text (`layer_text.layers_from`) or as settings.
    epochs : int
        Passes over all rows for each layer before fine-tuning; at most, with `patience`. 0 switches pretraining off:
        the same layers stay as they are drawn, so that a grid with `{"epochs": [0, 30]}` asks whether it pays.
    finetune_epochs : int
        Passes over the labelled rows; at most, with `patience`.
    batch_size : int or None
        Rows a step; all of them where there are fewer, or with None.
    optimizer : {"adam", "sgd", "lbfgs"} or SGD, Adam or LBFGS
        By name, with its defaults, or as settings. L-BFGS is made for `batch_size=None`.
    learning_rate : float or None
        In place of that of the optimizer; None keeps it.
    finetune_learning_rate : float or None
        The same in fine-tuning; None means `learning_rate`.
    validation_fraction : float
        Share of the rows, and in fine-tuning of the labelled rows, that is kept from training to measure on after
        every epoch.
    patience : int or None
        Ends a training after so many epochs without a lower validation figure (loss; error rate of a classifier),
        and restores the best weights; None never does. Needs a `validation_fraction`.
    freeze : bool
        Fine-tune the output layer only.
    dropout : float
        Probability, below 1, with which a hidden output is dropped in fine-tuning.
    weight_decay : float
        Adds weight_decay / 2 * sum of squared weights (not biases) to the objective of fine-tuning.
    scaling : {"none", "min_max", "standard"}
        Of the rows, learnt on all of them. With "standard" the lowest layer is to have `output="linear"`.
    random_state : int, RandomState or None
        Determines the initial weights, the orders and the noise; a whole number is the seed of stack and network.
    device : str
        "cpu", "cuda" or "mps".
    dtype : {"float32", "float64"}
        Of weights and codes.
    """

    def __init__(  # noqa: PLR0913 - scikit-learn wants each parameter by itself
        self,
        layers: str | Sequence[LayerSettings] = "denoising:64:mask=0.2, denoising:32:mask=0.2",
        *,
        epochs: int = 30,
        finetune_epochs: int = 100,
        batch_size: int | None = 32,
        optimizer: str | OptimizerSettings = "adam",
        learning_rate: float | None = None,
        finetune_learning_rate: float | None = None,
        validation_fraction: float = 0.0,
        patience: int | None = None,
        freeze: bool = False,
        dropout: float = 0.0,
        weight_decay: float = 0.0,
        scaling: str = "min_max",
        random_state: Any = None,
        device: str = "cpu",
        dtype: str = "float32",
    ) -> None:
        self.layers = layers
        self.epochs = epochs
        self.finetune_epochs = finetune_epochs
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.finetune_learning_rate = finetune_learning_rate
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.freeze = freeze
        self.dropout = dropout
        self.weight_decay = weight_decay
        self.scaling = scaling
        self.random_state = random_state
        self.device = device
        self.dtype = dtype

    def _fitted(
        self, kind: type[Network], n_outputs: int, x: Array, labels: Array, *, classes: Iterable[Any] = ()
    ) -> Network:
        """The fine-tuned network; `labels` is NaN, somewhere, in rows that have none."""
        labelled = ~np.isnan(labels).reshape(len(labels), -1).any(axis=1)
        n_labelled = int(labelled.sum())
        rate = self.learning_rate if self.finetune_learning_rate is None else self.finetune_learning_rate
        config = self._training(self.finetune_epochs, rate, n_labelled)
        stack = self._planned_stack(x).draw(x.shape[1])
        network = kind.from_stack(  # before the layers are trained, so that what does not suit is told at once
            stack,
            n_outputs,
            freeze=self.freeze,
            seed=stack.randomness,
            dropout=self.dropout,
            weight_decay=self.weight_decay,
        )
        check_plan(network.network(above=0), config, n_labelled, has_validation=False, name=f"the {network.what}")
        network.transfer(stack.fit(x, progress=False), freeze=self.freeze)
        stack.provenance = network.provenance = self._provenance(x, n_labelled, classes)
        network.fit(x, labels, config, progress=False)
        self.stack_ = stack
        return network
