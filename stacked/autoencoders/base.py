"""The autoencoder every kind derives from: dense layers up to the codes, and dense layers back down.

A kind says what its layers are, what its `objective` is and what is random about a step (`prepare`); autograd does
the rest. Those with one hidden layer derive from `DenseAutoencoder`, which has its gradients by hand.
"""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce

import torch
from torch import Tensor, nn

from stacked.activations import Activation, activation_named
from stacked.dense import Dense, TiedDense
from stacked.errors import check_count
from stacked.model import Batch, Model
from stacked.outputs import reconstruction_output
from stacked.randomness import Stream
from stacked.symptoms import signs_in_layers


@dataclass(frozen=True)
class LayerSettings(ABC):
    """What the settings of every kind of layer tell.

    Parameters
    ----------
    n_units : int
        Width of the codes.
    """

    n_units: int

    def __post_init__(self) -> None:
        check_count("n_units", self.n_units)

    @property
    @abstractmethod
    def output(self) -> str:
        """Activation of the reconstruction: "sigmoid" or "linear"."""

    @property
    @abstractmethod
    def loss(self) -> str:
        """Reconstruction loss: "squared_error" or "cross_entropy"."""

    @property
    @abstractmethod
    def code_activation(self) -> str:
        """Activation of the codes."""

    @property
    @abstractmethod
    def weight_decay(self) -> float:
        """Adds weight_decay / 2 * sum of squared weights (not biases) to the objective."""

    @property
    @abstractmethod
    def random_bias(self) -> bool:
        """Whether the initial biases are drawn by the law of the weights."""

    @property
    def codes(self) -> Activation:
        """The activation of the codes, with their bounds."""
        return activation_named(self.code_activation)

    @abstractmethod
    def build(self, n_inputs: int, dtype: torch.dtype) -> "Autoencoder":
        """The layer for rows of `n_inputs` columns, its weights not yet drawn."""


class Autoencoder(Model):
    """One layer of a stack: an encoder, a decoder and an objective.

    Parameters
    ----------
    settings : LayerSettings
        What the layer is.
    n_inputs : int
        Columns of its rows.

    Attributes
    ----------
    encoder_layers, decoder_layers : tuple
        The dense layers up to the codes, which a classifier takes over, and those down again; each in the order of
        use. A kind sets them.
    """

    encoder_layers: tuple[Dense, ...]
    decoder_layers: tuple[Dense | TiedDense, ...]

    def __init__(self, settings: LayerSettings, n_inputs: int) -> None:
        super().__init__()
        self.settings, self.n_inputs = settings, n_inputs
        self.weight_decay = settings.weight_decay
        self.output = reconstruction_output(settings.output, settings.loss)

    def draw(self, stream: Stream) -> None:
        """Draw the initial weights, in the order of use."""
        for layer in (*self.encoder_layers, *self.decoder_layers):
            layer.draw(stream, random_bias=self.settings.random_bias)

    def encode(self, x: Tensor) -> Tensor:
        """Codes, shape `(n, n_units)`, of clean rows, shape `(n, n_inputs)`."""
        return reduce(lambda a, layer: layer(a), self.encoder_layers, x)

    def decode(self, codes: Tensor) -> Tensor:
        """Reconstructions, shape `(n, n_inputs)`, of codes, shape `(n, n_units)`."""
        return self.output.values(self.decoder_logits(codes))

    def decoder_logits(self, codes: Tensor) -> Tensor:
        """The weighted sums of the reconstruction, before its activation."""
        *hidden, last = self.decoder_layers
        return last.logits(reduce(lambda a, layer: layer(a), hidden, codes))

    def encoder_fingerprint(self) -> str:
        """SHA-256 of all that `encode` depends on: the activations and weights of the encoder."""
        digest = hashlib.sha256()
        for layer in self.encoder_layers:
            digest.update(layer.activation.name.encode())
            for tensor in (layer.weight, layer.bias):
                digest.update(tensor.detach().cpu().numpy().tobytes())
        return digest.hexdigest()

    def prepare(self, x: Tensor, labels: Tensor | None, noise: Stream | None) -> Batch:
        return Batch(x, x)

    def figures(self, x: Tensor, labels: Tensor | None) -> dict[str, Tensor]:
        return {"loss": self.output.loss(self.decoder_logits(self.encode(x)), x)}

    def symptoms(self, sample: Tensor, labels: Tensor | None) -> list[str]:
        return signs_in_layers(self.encoder_layers, sample)

    def decayed_weights(self) -> Iterator[nn.Parameter]:
        for layer in (*self.encoder_layers, *self.decoder_layers):
            if isinstance(layer, Dense):
                yield layer.weight
