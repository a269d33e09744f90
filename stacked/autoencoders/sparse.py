"""The sparse autoencoder: most codes are small most of the time.

Against units that never become active, which get no gradient, there are three remedies: `TopK` that starts with a
larger k; new weights for dead units after every epoch (`revive`); and, for L1, a decoder of unit norm, without which
codes shrink while the decoder grows.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from stacked.activations import activation_named
from stacked.autoencoders.dense import DenseAutoencoder, DenseSettings
from stacked.autoencoders.revival import COMPETING_LENGTH, LENGTH, give_new_weights
from stacked.autoencoders.sparsity import KLSparsity, Sparsity
from stacked.errors import check_flag, mismatch
from stacked.gradients import CodePenalty
from stacked.losses import unexplained_variance
from stacked.randomness import Stream

ACTIVE_ABOVE = 0.1
"""A unit is called active where its absolute code is above this, for dense codes are nearly never exactly 0.

Codes of relu and of TopK are exactly 0 where a unit plays no part, so there it is active above 0: a sigmoid unit
whose code is 0.05 and among the k largest is alive.
"""


@dataclass(frozen=True)
class Sparse(DenseSettings):
    """A layer with sparse codes.

    The record of every epoch has, on a sample of training rows, `active_units` (mean number a row), `dead_units`
    (active on no row of the sample) and `unexplained_variance` (share of the variance of the rows that the
    reconstruction misses).

    Parameters
    ----------
    penalty : KLSparsity, L1Sparsity or TopK
        What makes the codes sparse. The KL divergence is defined for means in (0, 1), so it needs sigmoid codes; TopK
        works on sigmoid and relu codes.
    unit_norm : bool
        After every step, scale the decoder's weights of each unit to length 1.
    revive : bool
        After every epoch but the last, give units that are dead new weights, towards rows that are badly
        reconstructed. For relu codes and TopK.

    The others are those of `DenseSettings`.
    """

    penalty: Sparsity = KLSparsity(weight=0.1)  # noqa: RUF009 - frozen, so that sharing it is safe
    unit_norm: bool = False
    revive: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        check_flag("unit_norm", self.unit_norm)
        check_flag("revive", self.revive)
        if not isinstance(self.penalty, Sparsity):
            received, remedy = repr(self.penalty), "pass for instance KLSparsity(0.1, target=0.05)"
            raise mismatch("penalty", expected="KLSparsity, L1Sparsity or TopK", received=received, remedy=remedy)
        self.penalty.check(self.activation, self.n_units)
        if self.revive and not self.silences:
            expected, remedy = "relu codes or TopK, where dead units get no gradient", "switch revive off"
            raise mismatch("revive", expected=expected, received=f"{self.activation} codes", remedy=remedy)

    @property
    def code_activation(self) -> str:
        return self.penalty.code_activation(self.activation, math.inf)

    @property
    def silences(self) -> bool:
        """Whether a code is exactly 0, and without a gradient, where its unit plays no part."""
        return self.activation == "relu" or self.penalty.competitive

    def build(self, n_inputs: int, dtype: torch.dtype) -> "SparseAutoencoder":
        return SparseAutoencoder(self, n_inputs, dtype)


class SparseAutoencoder(DenseAutoencoder):
    """An autoencoder whose codes are kept sparse. `mean_activation` is the mean that the last step used."""

    settings: Sparse
    mean_activation: Tensor
    sample_size = 4096

    def __init__(self, settings: Sparse, n_inputs: int, dtype: torch.dtype) -> None:
        super().__init__(settings, n_inputs, dtype)
        penalty = settings.penalty
        self.steps_once = "running mean" if penalty.memory > 0 else "unit-norm decoder" if settings.unit_norm else ""
        self.register_buffer("mean_activation", torch.full((settings.n_units,), penalty.initial_mean, dtype=dtype))

    def draw(self, stream: Stream) -> None:
        super().draw(stream)
        self.constrain()

    def code_penalty(self) -> CodePenalty | None:
        return self.settings.penalty.with_slope(self._remember)

    def code_penalty_value(self, codes: Tensor) -> Tensor | float:
        return self.settings.penalty.value(codes, self._remember)

    def advance(self, epochs: float) -> None:
        settings = self.settings
        name = settings.penalty.code_activation(settings.activation, epochs)
        if name != self.encoder.activation.name:
            self.encoder.activation = activation_named(name)

    @property
    def changes_until(self) -> float:
        return self.settings.penalty.annealing

    def release(self) -> None:
        super().release()
        self.encoder.activation = self.settings.codes  # codes keep the final k, whenever training ended

    @torch.no_grad()
    def constrain(self) -> None:
        if self.settings.unit_norm:
            weight = self.decoder.weight
            tiny = torch.finfo(weight.dtype).tiny
            weight.div_(weight.norm(dim=0).clamp_(min=tiny))

    def figures(self, x: Tensor, labels: Tensor | None) -> dict[str, Tensor]:
        """With the final k, so that epochs compare while k falls and early stopping picks what codes will be."""
        codes = self.settings.codes.apply(self.encoder.logits(x))
        return {"loss": self.output.loss(self.decoder_logits(codes), x)}

    def inspect(self, sample: Tensor) -> dict[str, Tensor]:
        codes = self.encode(sample)
        active = self._active(codes)
        return {
            "active_units": active.sum(dim=1).to(codes.dtype).mean(),
            "dead_units": (~active.any(dim=0)).sum(),
            "unexplained_variance": unexplained_variance(self.decode(codes), sample),
        }

    def revive(self, sample: Tensor, noise: Stream) -> None:
        if not self.settings.revive:
            return
        codes = self.encode(sample)
        dead = (~self._active(codes).any(dim=0)).nonzero()[:, 0]
        if len(dead) > 0:
            share = COMPETING_LENGTH if self.settings.penalty.competitive else LENGTH
            give_new_weights(dead, self.encoder, self.decoder, sample - self.decode(codes), noise, share)
            self.constrain()

    def _active(self, codes: Tensor) -> Tensor:
        return codes.abs() > (0 if self.settings.silences else ACTIVE_ABOVE)

    def _remember(self, mean: Tensor) -> Tensor:
        """The running mean after this minibatch's, kept off 0 and 1, where the divergence is infinite."""
        memory = self.settings.penalty.memory
        self.mean_activation.mul_(memory).add_(self.whole_mean(mean.detach()), alpha=1 - memory)
        rounding = torch.finfo(mean.dtype).eps
        return self.mean_activation.clamp(rounding, 1 - rounding)
