"""The autoencoder with one hidden layer: `h = f(x W' + b)`, `y = g(h V' + c)`, its gradients by hand.

Its kinds change what the encoder is given (`corrupt`) or what is charged for the codes (`code_penalty`, and its value
for autograd).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from stacked.activations import CODE_ACTIVATIONS
from stacked.autoencoders.base import Autoencoder, LayerSettings
from stacked.dense import Dense, TiedDense
from stacked.errors import check_choice, check_flag, mismatch
from stacked.gradients import Backpropagation
from stacked.model import Batch, DenseModel
from stacked.randomness import Stream
from stacked.settings import hold_number


@dataclass(frozen=True)
class DenseSettings(LayerSettings):
    """Settings that all kinds with one hidden layer share.

    Parameters
    ----------
    n_units : int
        Width of the codes.
    activation : {"sigmoid", "relu", "tanh", "scaled_tanh", "linear"}
        Activation of the codes; "scaled_tanh" is 1.7159 tanh(2/3 z). Linear codes suit a narrow bottleneck.
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

    activation: str = "sigmoid"
    output: str = "sigmoid"
    loss: str = "squared_error"
    tied: bool = False
    weight_decay: float = 0.0
    random_bias: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("activation", self.activation, CODE_ACTIVATIONS)
        check_choice("output", self.output, ("sigmoid", "linear"))
        check_choice("loss", self.loss, ("squared_error", "cross_entropy"))
        check_flag("tied", self.tied)
        hold_number(self, "weight_decay", 0)
        check_flag("random_bias", self.random_bias)
        if self.loss == "cross_entropy" and self.output == "linear":
            expected, remedy = "'squared_error' for linear output", "choose sigmoid output, or squared_error loss"
            raise mismatch("loss", expected=expected, received="'cross_entropy'", remedy=remedy)

    @property
    def code_activation(self) -> str:
        return self.activation


class DenseAutoencoder(DenseModel, Autoencoder):
    """A layer with one dense encoder and one dense decoder.

    Parameters
    ----------
    settings : DenseSettings
        What the layer is.
    n_inputs : int
        Columns of its rows.
    dtype : torch.dtype
        Of weights, codes and reconstructions.
    """

    settings: DenseSettings

    def __init__(self, settings: DenseSettings, n_inputs: int, dtype: torch.dtype) -> None:
        super().__init__(settings, n_inputs)
        self.encoder = Dense(n_inputs, settings.n_units, settings.code_activation, dtype)
        self.decoder: Dense | TiedDense = (
            TiedDense(self.encoder, settings.output)
            if settings.tied
            else Dense(settings.n_units, n_inputs, settings.output, dtype)
        )
        self.encoder_layers, self.decoder_layers = (self.encoder,), (self.decoder,)
        self.backpropagation = Backpropagation([self.encoder], self.decoder, self.output)

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
        reconstruction = self.output.loss(self.decoder_logits(codes), batch.target)
        return reconstruction + self.code_penalty_value(codes) + self.decay_value()
