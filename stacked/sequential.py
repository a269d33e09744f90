"""Trained models as chains of ordinary torch modules, to be used and trained where this package is not.

`nn.Linear` and torch's own functions wherever there are any; what torch lacks is in the four small modules here, all
of which can be scripted and exported.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from stacked.activations import SCALE, SLOPE
from stacked.dense import Dense
from stacked.errors import mismatch
from stacked.feedforward import Feedforward
from stacked.regressor import FeedforwardRegressor
from stacked.rows import Array
from stacked.stack import StackedAutoencoder


class InputScaling(nn.Module):
    """(x - shift) / scale of rows, shape `(n, n_inputs)`, in the dtype of the layers that follow.

    It is computed in float64 for rows of float64 and of whole numbers, which may lie far from 0, and in the dtype of
    the layers for others.

    Parameters
    ----------
    shift, scale : array
        Shape `(n_inputs,)`; kept in float64.
    dtype : torch.dtype
        Of the layers that follow.
    """

    shift: Tensor
    scale: Tensor
    like: Tensor

    def __init__(self, shift: Array, scale: Array, dtype: torch.dtype) -> None:
        super().__init__()
        self.register_buffer("shift", torch.tensor(shift, dtype=torch.float64))
        self.register_buffer("scale", torch.tensor(scale, dtype=torch.float64))
        # a tensor rather than a dtype, for it changes with the layers in `.double()` and the like
        self.register_buffer("like", torch.empty(0, dtype=dtype), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Scaled rows, shape `(n, n_inputs)`."""
        is_short = x.is_floating_point() and x.dtype != torch.float64
        dtype = self.like.dtype if is_short else torch.float64
        scaled = (x.to(dtype) - self.shift.to(dtype)) / self.scale.to(dtype)
        return scaled.to(self.like.dtype)


class OutputUnits(nn.Module):
    """x * scale + shift of outputs, shape `(n, n_targets)`: numbers in the units of targets, float64.

    Parameters
    ----------
    shift, scale : array
        Shape `(n_targets,)`; kept in float64.
    """

    shift: Tensor
    scale: Tensor

    def __init__(self, shift: Array, scale: Array) -> None:
        super().__init__()
        self.register_buffer("shift", torch.tensor(shift, dtype=torch.float64))
        self.register_buffer("scale", torch.tensor(scale, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        """Numbers in the shape of `x`."""
        return x.to(torch.float64) * self.scale.to(torch.float64) + self.shift.to(torch.float64)


class ScaledTanh(nn.Module):
    """1.7159 tanh(2/3 z), LeCun et al., "Efficient BackProp" (1998)."""

    def __init__(self) -> None:
        super().__init__()
        self.scale, self.slope = SCALE, SLOPE

    def forward(self, z: Tensor) -> Tensor:
        """Activations in the shape of `z`."""
        return self.scale * torch.tanh(self.slope * z)


class LargestOnly(nn.Module):
    """The `k` largest units of each row, 0 for the others; Makhzani and Frey (2014).

    Parameters
    ----------
    k : int
        At most the number of units.
    """

    def __init__(self, k: int) -> None:
        super().__init__()
        self.k = k

    def forward(self, a: Tensor) -> Tensor:
        """Activations in the shape of `a`, `(n, n_units)`."""
        values, places = torch.topk(a, self.k, dim=-1, sorted=False)
        return torch.zeros_like(a).scatter(-1, places, values)


_FUNCTIONS: dict[str, Callable[[], nn.Module]] = {
    "sigmoid": nn.Sigmoid,
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "scaled_tanh": ScaledTanh,
    "softmax": partial(nn.Softmax, dim=1),
}


def to_sequential(model: StackedAutoencoder | Feedforward, depth: int | None = None) -> nn.Sequential:
    """A trained model as a chain of torch modules on the CPU, in evaluation mode.

    Of a stack it gives what `encode` gives, of a classifier what `outputs` gives, of a regressor what `predict` gives
    in shape `(n, n_targets)`, from rows of shape `(n, n_inputs)` in the dtype of the model. Predicted numbers are
    float64. The weights are copies: what becomes of them leaves the model as it is.

    Parameters
    ----------
    model : StackedAutoencoder, FeedforwardClassifier or FeedforwardRegressor
        Trained.
    depth : int, optional
        How many layers of a stack to go up; all by default.

    Raises
    ------
    StackedError
        When the stack is not trained, or has not so many layers.
    """
    modules: list[nn.Module] = []
    layers = dense_layers(model, depth)
    if model.scaling is not None:
        modules.append(InputScaling(model.scaling.shift, model.scaling.scale, model.dtype))
    for layer, function in layers:
        modules += [_linear(layer), *_function(function, len(layer.bias))]
    if isinstance(model, FeedforwardRegressor):
        modules.append(OutputUnits(model.learnt_target_scaling.shift, model.learnt_target_scaling.scale))
    return nn.Sequential(*modules).eval()


def dense_layers(model: StackedAutoencoder | Feedforward, depth: int | None = None) -> list[tuple[Dense, str]]:
    """The dense layers from rows to codes or to outputs, each with the name of its function, as for `to_sequential`.

    That of an output layer is "softmax", "sigmoid" or "linear"; of a regressor, numbers in units of their own follow.
    """
    if isinstance(model, Feedforward):
        if depth is not None:
            expected, remedy = f"none for a {model.what}, whose outputs are at the top", "leave it out"
            raise mismatch("depth", expected=expected, received=repr(depth), remedy=remedy)
        return [*_with_functions(model.layers[:-1]), (model.layers[-1], _output_function(model))]
    if not isinstance(model, StackedAutoencoder):
        expected, remedy = "a stack, a classifier or a regressor", "pass the trained model itself"
        raise mismatch("model", expected=expected, received=type(model).__name__, remedy=remedy)
    return _with_functions([dense for layer in model.up_to(depth) for dense in layer.encoder_layers])


def _output_function(model: Feedforward) -> str:
    return "linear" if isinstance(model, FeedforwardRegressor) else model.settings.output_function


def _with_functions(layers: list[Dense]) -> list[tuple[Dense, str]]:
    return [(layer, layer.activation.name) for layer in layers]


def _linear(layer: Dense) -> nn.Linear:
    n_units, n_inputs = layer.weight.shape
    linear = nn.Linear(n_inputs, n_units, device="meta")  # where no weights are drawn, from nobody's generator
    linear.weight, linear.bias = (nn.Parameter(own.detach().cpu().clone()) for own in (layer.weight, layer.bias))
    return linear


def _function(name: str, n_units: int) -> list[nn.Module]:
    """The modules of a function: none of "linear", two of "relu_top_8"."""
    below, _, k = name.partition("_top_")
    modules = [] if below == "linear" else [_FUNCTIONS[below]()]
    return [*modules, LargestOnly(min(int(k), n_units))] if k else modules
