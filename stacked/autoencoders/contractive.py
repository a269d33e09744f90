"""The contractive autoencoder: codes that change little when the row does.

Rifai, Vincent, Muller, Glorot and Bengio, "Contractive auto-encoders: explicit invariance during feature extraction"
(2011). The penalty is the squared Frobenius norm of the encoder's Jacobian, which for one layer has a closed form:

    ||J||^2 = sum_j f'(z_j)^2 ||W_j||^2

Its slope has two parts: through the codes, `2 f'(z_j) df'(z_j)/dh_j ||W_j||^2`, and on the weights themselves,
`2 f'(z_j)^2 W_j`.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from stacked.autoencoders.dense import DenseAutoencoder, DenseSettings
from stacked.errors import check_choice
from stacked.gradients import Accumulation, CodePenalty
from stacked.losses import jacobian_norm_squared
from stacked.settings import hold_number

SATURATED = 0.05
"""A code is called saturated when it is this close to either end of its range, as a share of the range."""


@dataclass(frozen=True)
class Contractive(DenseSettings):
    """A layer whose codes are insensitive to small changes of the rows.

    The record of every epoch has, on a sample of training rows, `jacobian_norm` (mean Frobenius norm of the encoder's
    Jacobian) and `saturated_units` (share of the codes within 5 % of either end of their range).

    Parameters
    ----------
    weight : float
        Factor of the penalty, the squared Frobenius norm of the encoder's Jacobian averaged over the rows.

    The others are those of `DenseSettings`; the codes are sigmoid, tanh or scaled_tanh.
    """

    weight: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        hold_number(self, "weight", 0)
        check_choice("activation (of contractive layers)", self.activation, ("sigmoid", "tanh", "scaled_tanh"))

    def build(self, n_inputs: int, dtype: torch.dtype) -> "ContractiveAutoencoder":
        return ContractiveAutoencoder(self, n_inputs, dtype)


class ContractiveAutoencoder(DenseAutoencoder):
    """An autoencoder that is charged for the Jacobian of its encoder."""

    settings: Contractive
    sample_size = 4096

    def code_penalty(self) -> CodePenalty:
        return self._penalty_with_slope

    def code_penalty_value(self, codes: Tensor) -> Tensor:
        return self.settings.weight * jacobian_norm_squared(self._slopes(codes), self.encoder.weight)

    def charge_weights(self, value: Tensor, how: Accumulation) -> Tensor:
        weight = self.encoder.weight
        assert weight.grad is not None, "the optimiser makes room for the gradients"
        objective = super().charge_weights(value, how)
        weight.grad.addcmul_(weight, self._pull[:, None], value=how.scale)
        return objective

    def jacobian(self, x: Tensor) -> Tensor:
        """The encoder's Jacobian at every row, shape `(n, n_units, n_inputs)`."""
        return self._slopes(self.encode(x))[:, :, None] * self.encoder.weight

    def inspect(self, sample: Tensor) -> dict[str, Tensor]:
        codes, bounds = self.encode(sample), self.settings.codes
        norms = (self._slopes(codes).square() @ self.encoder.weight.square().sum(dim=1)).sqrt()
        place = (codes - bounds.low) / (bounds.high - bounds.low)
        saturated = (place < SATURATED) | (place > 1 - SATURATED)
        return {"jacobian_norm": norms.mean(), "saturated_units": saturated.to(codes.dtype).mean()}

    def _slopes(self, codes: Tensor) -> Tensor:
        return self.settings.codes.slope(codes)

    def _penalty_with_slope(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        """The penalty and its slope through the codes; keeps the factor of its slope on the weights themselves."""
        weight, slopes = self.settings.weight, self._slopes(codes)
        norms = self.encoder.weight.square().sum(dim=1)
        squares = slopes.square()
        self._pull = squares.mean(dim=0).mul_(2 * weight)
        slope = self.settings.codes.curvature(codes).mul_(slopes).mul_(norms * (2 * weight))
        return weight * (squares @ norms).mean(), slope
