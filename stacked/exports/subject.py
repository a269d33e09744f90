"""What is exported: a model up to a depth, as every format needs it, and rows to try the export on."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn

from stacked.devices import numpy_dtype
from stacked.errors import mismatch
from stacked.feedforward import Feedforward
from stacked.regressor import FeedforwardRegressor
from stacked.rows import Array
from stacked.sequential import LargestOnly, dense_layers, to_sequential
from stacked.stack import StackedAutoencoder

_N_ROWS = 300
_CLEAR = 1e-4
"""By how much of the largest unit those that a top-k layer keeps must exceed the others: far more than rounding."""


@dataclass(frozen=True)
class DenseArrays:
    """One dense layer: weights `(n_units, n_inputs)`, biases `(n_units,)`, and the name of its function."""

    weight: Array
    bias: Array
    function: str


class Subject:
    """A model up to a depth.

    Parameters
    ----------
    model : StackedAutoencoder, FeedforwardClassifier or FeedforwardRegressor
        Trained.
    depth : int, optional
        How many layers of a stack; all by default.

    Attributes
    ----------
    network : nn.Sequential
        As `to_sequential` gives it.
    layers : list of DenseArrays
        Bottom first.
    scaling : Scaling or None
        What is done to rows before the layers.
    target_scaling : Scaling or None
        What is undone after the layers of a regressor, whose results are float64.
    dtype : numpy.dtype
        Of weights, rows and other results.
    result : str
        "codes" or "outputs".
    reference : callable
        What the model makes of rows.
    """

    def __init__(self, model: StackedAutoencoder | Feedforward, depth: int | None = None) -> None:
        self.network = to_sequential(model, depth)
        self.layers = [
            DenseArrays(_array(layer.weight), _array(layer.bias), function)
            for layer, function in dense_layers(model, depth)
        ]
        self.scaling: Any = model.scaling
        self.target_scaling = model.learnt_target_scaling if isinstance(model, FeedforwardRegressor) else None
        self.dtype = numpy_dtype(model.dtype)
        self.result = "outputs" if isinstance(model, Feedforward) else "codes"
        self.reference = _reference(model, depth)

    @property
    def n_inputs(self) -> int:
        """Columns of the rows."""
        n_inputs: int = self.layers[0].weight.shape[1]
        return n_inputs

    @property
    def result_dtype(self) -> "np.dtype[Any]":
        """Of the results."""
        return self.dtype if self.target_scaling is None else np.dtype(np.float64)

    @property
    def width(self) -> int:
        """Columns of the results."""
        return len(self.layers[-1].bias)

    def sample(self) -> Array:
        """Rows from N(0, 1) and from U(0, 1), half of each, as the layers see them once they are scaled.

        Rows between whose units rounding may choose in a top-k layer have no one right code, and are left out.

        Raises
        ------
        StackedError
            When none is left.
        """
        rng, shape = np.random.default_rng(0), (_N_ROWS // 2, self.n_inputs)
        rows = np.concatenate([rng.standard_normal(shape), rng.random(shape)])
        if self.scaling is not None:
            rows = rows * self.scaling.scale + self.scaling.shift
        rows = rows.astype(self.dtype)
        clear = rows[_clear(self.network, torch.from_numpy(rows))]
        if len(clear) == 0:
            expected, received = "rows that tell which units are the largest", f"none among {_N_ROWS}"
            remedy = "export a depth below the top-k layer whose units are all alike"
            raise mismatch("the sample to try an export on", expected=expected, received=received, remedy=remedy)
        return clear


def _array(parameter: nn.Parameter) -> Array:
    array: Array = parameter.detach().cpu().numpy()
    return array


def _reference(model: StackedAutoencoder | Feedforward, depth: int | None) -> Callable[[Array], Array]:
    if isinstance(model, FeedforwardRegressor):
        return lambda rows: model.predict(rows).reshape(len(rows), -1)
    if isinstance(model, Feedforward):
        return model.outputs
    uncached = copy.copy(model)
    uncached.cache = None  # where codes of a sample would push out those of the user's rows
    return partial(uncached.encode, depth=depth)


@torch.no_grad()
def _clear(network: nn.Sequential, x: torch.Tensor) -> Array:
    """Which rows leave no doubt about the units that top-k layers keep, shape `(n,)`."""
    clear = torch.ones(len(x), dtype=torch.bool)
    for module in network:
        if isinstance(module, LargestOnly) and module.k < x.shape[1]:
            best = x.topk(module.k + 1).values
            last_kept, first_lost = best[:, -2], best[:, -1]
            clear &= (last_kept - first_lost > _CLEAR * best[:, 0]) | (last_kept == 0)
        x = module(x)
    return clear.numpy()
