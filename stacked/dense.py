"""Dense layers: `a = f(x W' + b)`, and their random initialisation."""

import math

import torch
from torch import Tensor, nn

from stacked.activations import activation_named
from stacked.errors import mismatch
from stacked.randomness import Stream


class Dense(nn.Module):
    """A dense layer with weights of shape `(n_units, n_inputs)`; zero until drawn."""

    tied = False
    """Whether the weights are the transpose of another layer's."""

    def __init__(self, n_inputs: int, n_units: int, activation: str, dtype: torch.dtype) -> None:
        super().__init__()
        self.activation = activation_named(activation)
        self.weight = nn.Parameter(_zeros(n_units, n_inputs, dtype))
        self.bias = nn.Parameter(torch.zeros(n_units, dtype=dtype))

    def forward(self, x: Tensor) -> Tensor:
        """Activations, shape `(n, n_units)`, of inputs of shape `(n, n_inputs)`."""
        return self.activation.apply(self.logits(x))

    def logits(self, x: Tensor) -> Tensor:
        """The weighted sums before the activation function, in the dtype of the bias: what follows is not rounded."""
        return torch.addmm(self.bias, x, self.weight.t()).to(self.bias.dtype)

    def draw(self, stream: Stream, *, random_bias: bool) -> None:
        """Draw the weights uniform within +-`glorot_limit`; Glorot and Bengio (2010).

        Its gain is 4 for sigmoid units, sqrt(2) for relu and 1 otherwise. Biases are zero, or with `random_bias`
        drawn by the same law and before the weights.
        """
        limit = glorot_limit(self)
        with torch.no_grad():
            if random_bias:
                stream.uniform_(self.bias, -limit, limit)
            stream.uniform_(self.weight, -limit, limit)

    @property
    def weight_owner(self) -> "Dense":
        """The layer whose parameter the weights are: this one."""
        return self

    @property
    def owned(self) -> Tensor:
        """The parameter that the weights are."""
        return self.weight

    @property
    def weight_gradient(self) -> Tensor | None:
        """The gradient of the weights, in their shape."""
        return self.weight.grad


class TiedDense(nn.Module):
    """A decoding layer whose weights are the transpose of its encoder's; only the bias is its own."""

    tied = True

    def __init__(self, encoder: Dense, activation: str) -> None:
        super().__init__()
        self._encoder = (encoder,)  # a tuple hides it from torch, which would list its parameters twice
        self.activation = activation_named(activation)
        self.bias = nn.Parameter(encoder.weight.new_zeros(encoder.weight.shape[1]))

    @property
    def weight_owner(self) -> Dense:
        """The layer whose parameter the weights are: the encoder."""
        return self._encoder[0]

    @property
    def owned(self) -> Tensor:
        """The parameter of which the weights are the transpose."""
        return self._encoder[0].weight

    @property
    def weight(self) -> Tensor:
        """The encoder's weights, transposed: shape `(n_inputs, n_units)`."""
        return self._encoder[0].weight.t()

    @property
    def weight_gradient(self) -> Tensor | None:
        """The gradient of the encoder's weights, transposed."""
        gradient = self._encoder[0].weight.grad
        return None if gradient is None else gradient.t()

    def forward(self, codes: Tensor) -> Tensor:
        """Activations, shape `(n, n_inputs)`, of codes of shape `(n, n_units)`."""
        return self.activation.apply(self.logits(codes))

    def logits(self, codes: Tensor) -> Tensor:
        """The weighted sums before the activation function, in the dtype of the bias."""
        return torch.addmm(self.bias, codes, self.weight.t()).to(self.bias.dtype)

    def draw(self, stream: Stream, *, random_bias: bool) -> None:
        """Draw the bias as `Dense.draw` does; the weights are the encoder's to draw."""
        if random_bias:
            limit = glorot_limit(self._encoder[0])
            with torch.no_grad():
                stream.uniform_(self.bias, -limit, limit)


def glorot_limit(layer: Dense) -> float:
    """gain * sqrt(6 / (n_inputs + n_units)), the bound of the initial weights."""
    return layer.activation.gain * math.sqrt(6 / sum(layer.weight.shape))


def _zeros(n_units: int, n_inputs: int, dtype: torch.dtype) -> Tensor:
    try:
        return torch.zeros(n_units, n_inputs, dtype=dtype)
    except (RuntimeError, TypeError) as error:  # torch has several ways to say that this is too much
        name, received = f"a layer of {n_units} units", f"{n_units} x {n_inputs} weights of {dtype}"
        remedy = "use fewer inputs or units"
        raise mismatch(name, expected="weights that fit into memory", received=received, remedy=remedy) from error
