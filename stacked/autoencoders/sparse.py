"""The sparse autoencoder: a penalty keeps most codes small most of the time.

`KLSparsity` draws the mean activation of every unit to a target (Lee et al. 2008; Ng, UFLDL, 2011).
`L1Sparsity` charges for the absolute codes.
"""

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor

from stacked.autoencoders.base import DenseAutoencoder, LayerSettings
from stacked.errors import check_number, mismatch
from stacked.gradients import CodePenalty
from stacked.losses import kl_divergence, kl_divergence_slope, l1_norm


@dataclass(frozen=True)
class KLSparsity:
    """weight * sum over units of KL(target || mean activation).

    Parameters
    ----------
    weight : float
        Factor of the penalty.
    target : float
        Wanted mean activation, between 0 and 1.
    memory : float
        0 takes the mean over the minibatch. Otherwise a running mean is used, `p <- memory p + (1 - memory) mean`,
        and its slope is applied to the minibatch as if it were its own mean, as the DeepLearnToolbox does with 0.99.
    initial_mean : float
        Where the running mean starts, from 0 to 1; 0 in the DeepLearnToolbox.
    """

    weight: float
    target: float = 0.05
    memory: float = 0.0
    initial_mean: float = 0.0

    def __post_init__(self) -> None:
        check_number("weight", self.weight, 0)
        check_number("memory", self.memory, 0, 1)
        check_number("initial_mean", self.initial_mean, 0, 1)
        check_number("target", self.target, 0, 1)
        if self.target in (0, 1) or self.memory == 1:
            received = f"target={self.target}, memory={self.memory}"
            expected = "a target strictly between 0 and 1 and a memory below 1"
            raise mismatch("KLSparsity", expected=expected, received=received, remedy="for instance target=0.05")


@dataclass(frozen=True)
class L1Sparsity:
    """weight * mean over rows of the sum of absolute codes.

    Parameters
    ----------
    weight : float
        Factor of the penalty.
    """

    weight: float

    def __post_init__(self) -> None:
        check_number("weight", self.weight, 0)


@dataclass(frozen=True)
class Sparse(LayerSettings):
    """A layer with sparse codes.

    Parameters
    ----------
    penalty : KLSparsity or L1Sparsity
        What is charged for the codes. The KL divergence is defined for means in (0, 1), so it needs sigmoid codes.

    The others are those of `LayerSettings`.
    """

    penalty: KLSparsity | L1Sparsity = KLSparsity(weight=0.1)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.penalty, KLSparsity | L1Sparsity):
            received, remedy = repr(self.penalty), "pass for instance KLSparsity(0.1, target=0.05)"
            raise mismatch("penalty", expected="KLSparsity or L1Sparsity", received=received, remedy=remedy)
        if isinstance(self.penalty, KLSparsity) and self.activation != "sigmoid":
            remedy = "set activation='sigmoid', or use L1Sparsity"
            expected = "'sigmoid' under KLSparsity, whose mean activations must lie in (0, 1)"
            raise mismatch("activation", expected=expected, received=repr(self.activation), remedy=remedy)

    def build(self, n_inputs: int, dtype: torch.dtype) -> "SparseAutoencoder":
        return SparseAutoencoder(self, n_inputs, dtype)


class SparseAutoencoder(DenseAutoencoder):
    """An autoencoder that is charged for its codes. `mean_activation` is the mean that the last step used."""

    settings: Sparse
    mean_activation: Tensor

    def __init__(self, settings: Sparse, n_inputs: int, dtype: torch.dtype) -> None:
        super().__init__(settings, n_inputs, dtype)
        penalty = settings.penalty
        start = penalty.initial_mean if isinstance(penalty, KLSparsity) else 0.0
        self.repeatable = not (isinstance(penalty, KLSparsity) and penalty.memory > 0)
        self.register_buffer("mean_activation", torch.full((settings.n_units,), start, dtype=dtype))

    def code_penalty(self) -> CodePenalty:
        penalty = self.settings.penalty
        if isinstance(penalty, L1Sparsity):
            return lambda codes: (penalty.weight * l1_norm(codes), codes.sign().mul_(penalty.weight))
        return self._kl_with_slope

    def code_penalty_value(self, codes: Tensor) -> Tensor:
        penalty = self.settings.penalty
        if isinstance(penalty, L1Sparsity):
            return penalty.weight * l1_norm(codes)
        mean = codes.mean(dim=0)
        # The value is that at the running mean; the slope passes through to the mean of this minibatch.
        return penalty.weight * kl_divergence(self._remember(mean) + (mean - mean.detach()), penalty.target)

    def _kl_with_slope(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        penalty = cast(KLSparsity, self.settings.penalty)
        mean = self._remember(codes.mean(dim=0))
        slope = kl_divergence_slope(mean, penalty.target).mul_(penalty.weight)
        return penalty.weight * kl_divergence(mean, penalty.target), slope

    def _remember(self, mean: Tensor) -> Tensor:
        """The running mean after this minibatch's, kept off 0 and 1, where the divergence is infinite."""
        memory = cast(KLSparsity, self.settings.penalty).memory
        self.mean_activation.mul_(memory).add_(mean.detach(), alpha=1 - memory)
        rounding = torch.finfo(mean.dtype).eps
        return self.mean_activation.clamp(rounding, 1 - rounding)
