"""The autoencoder every kind derives from: one hidden layer of codes, `h = f(x W' + b)`, `y = g(h V' + c)`.

A kind that only changes what the encoder is given (`corrupt`) or what is charged for the codes (`code_penalty`, and
its value for autograd) is a `DenseAutoencoder` and has its gradients by hand. Any other derives from `Autoencoder`,
says what its `objective` is, and leaves the rest to autograd.
"""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from stacked.activations import ACTIVATIONS, CODE_ACTIVATIONS, Activation
from stacked.dense import Dense, TiedDense
from stacked.errors import check_choice, check_count, check_flag, check_number, mismatch
from stacked.gradients import Backpropagation
from stacked.model import Batch, DenseModel, Model
from stacked.outputs import reconstruction_output
from stacked.randomness import Stream


@dataclass(frozen=True)
class LayerSettings(ABC):
    """Settings that all kinds of layer share.

    Parameters
    ----------
    n_units : int
        Width of the codes.
    activation : {"sigmoid", "relu", "tanh", "scaled_tanh"}
        Activation of the codes; "scaled_tanh" is 1.7159 tanh(2/3 z).
    output : {"sigmoid", "linear"}
        Activation of the reconstruction.
    loss : {"squared_error", "cross_entropy"}
        Reconstruction loss, summed over the inputs and averaged over the rows. Cross-entropy needs a sigmoid output
        and rows in [0, 1].
    tied : bool
        Decode with the transposed encoder weights.
    weight_decay : float
        Adds weight_decay / 2 * sum of squared weights (not biases) to the objective.
    random_bias : bool
        Draw the initial biases by the law of the weights, instead of zero.
    """

    n_units: int
    activation: str = "sigmoid"
    output: str = "sigmoid"
    loss: str = "squared_error"
    tied: bool = False
    weight_decay: float = 0.0
    random_bias: bool = False

    def __post_init__(self) -> None:
        check_count("n_units", self.n_units)
        check_choice("activation", self.activation, CODE_ACTIVATIONS)
        check_choice("output", self.output, ("sigmoid", "linear"))
        check_choice("loss", self.loss, ("squared_error", "cross_entropy"))
        check_flag("tied", self.tied)
        check_number("weight_decay", self.weight_decay, 0)
        check_flag("random_bias", self.random_bias)
        if self.loss == "cross_entropy" and self.output == "linear":
            expected, remedy = "'squared_error' for linear output", "set output='sigmoid' or loss='squared_error'"
            raise mismatch("loss", expected=expected, received="'cross_entropy'", remedy=remedy)

    @property
    def codes(self) -> Activation:
        """The activation of the codes, with their bounds."""
        return ACTIVATIONS[self.activation]

    @abstractmethod
    def build(self, n_inputs: int, dtype: torch.dtype) -> "Autoencoder":
        """The layer for rows of `n_inputs` columns, its weights not yet drawn."""


class Autoencoder(Model):
    """One layer: an encoder, a decoder and an objective, its gradients by autograd.

    Parameters
    ----------
    settings : LayerSettings
        What the layer is.
    n_inputs : int
        Columns of its rows.
    dtype : torch.dtype
        Of weights, codes and reconstructions.
    """

    def __init__(self, settings: LayerSettings, n_inputs: int, dtype: torch.dtype) -> None:
        super().__init__()
        self.settings = settings
        self.weight_decay = settings.weight_decay
        self.encoder = Dense(n_inputs, settings.n_units, settings.activation, dtype)
        self.decoder: Dense | TiedDense = (
            TiedDense(self.encoder) if settings.tied else Dense(settings.n_units, n_inputs, settings.output, dtype)
        )
        self.output = reconstruction_output(settings.output, settings.loss)

    def draw(self, stream: Stream) -> None:
        """Draw the initial weights: the encoder's, then the decoder's."""
        self.encoder.draw(stream, random_bias=self.settings.random_bias)
        self.decoder.draw(stream, random_bias=self.settings.random_bias)

    def encode(self, x: Tensor) -> Tensor:
        """Codes, shape `(n, n_units)`, of clean rows, shape `(n, n_inputs)`."""
        codes: Tensor = self.encoder(x)
        return codes

    def decode(self, codes: Tensor) -> Tensor:
        """Reconstructions, shape `(n, n_inputs)`, of codes, shape `(n, n_units)`."""
        return self.output.values(self.decoder.logits(codes))

    def encoder_fingerprint(self) -> str:
        """SHA-256 of all that `encode` depends on: the activation and the encoder's weights."""
        digest = hashlib.sha256(self.settings.activation.encode())
        for tensor in (self.encoder.weight, self.encoder.bias):
            digest.update(tensor.detach().cpu().numpy().tobytes())
        return digest.hexdigest()

    def corrupt(self, x: Tensor, noise: Stream) -> Tensor:
        """What the encoder is given in training; the clean rows unless a kind says otherwise."""
        return x

    def code_penalty_value(self, codes: Tensor) -> Tensor | float:
        """The value of `code_penalty`, differentiable by autograd."""
        return 0.0

    def prepare(self, x: Tensor, labels: Tensor | None, noise: Stream | None) -> Batch:
        return Batch(x if noise is None else self.corrupt(x, noise), x)

    def objective(self, batch: Batch) -> Tensor:
        codes = self.encode(batch.inputs)
        reconstruction = self.output.loss(self.decoder.logits(codes), batch.target)
        return reconstruction + self.code_penalty_value(codes) + self.decay_value()

    def figures(self, x: Tensor, labels: Tensor | None) -> dict[str, Tensor]:
        return {"loss": self.output.loss(self.decoder.logits(self.encode(x)), x)}

    def decayed_weights(self) -> Iterator[nn.Parameter]:
        yield self.encoder.weight
        if isinstance(self.decoder, Dense):
            yield self.decoder.weight


class DenseAutoencoder(DenseModel, Autoencoder):
    """A layer whose objective is that of `Autoencoder`, with its gradients by hand."""

    def __init__(self, settings: LayerSettings, n_inputs: int, dtype: torch.dtype) -> None:
        super().__init__(settings, n_inputs, dtype)
        self.backpropagation = Backpropagation([self.encoder], self.decoder, self.output)
