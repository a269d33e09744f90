"""A sparsity penalty as it was published, and the measurement that shows that it has no gradient.

The published code takes, for every unit, a softmax of its activations over the n rows of the batch, and calls the
mean of that its mean activation. A softmax sums to 1 over what it is taken of, whatever that is:

    p_j = 1/n sum_i softmax_i(h_ij) = 1/n,    dp_j / dh_ij = 0

so KL(target || p_j) is a constant.
"""

import copy
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from stacked import Autoencoder
from stacked.autoencoders.dense import DenseAutoencoder, DenseSettings
from stacked.gradients import Accumulation
from stacked.losses import kl_divergence
from stacked.model import Batch, Model
from stacked.rows import Array


@dataclass(frozen=True)
class SoftmaxPenalised(DenseSettings):
    """A layer with the published penalty: weight * KL(target || mean over the rows of a softmax over the rows)."""

    weight: float = 3.0
    target: float = 0.05

    def build(self, n_inputs: int, dtype: torch.dtype) -> "SoftmaxPenalisedAutoencoder":
        return SoftmaxPenalisedAutoencoder(self, n_inputs, dtype)


class SoftmaxPenalisedAutoencoder(DenseAutoencoder):
    """Trained by autograd, so that no derivation of ours stands between the published code and its gradient."""

    settings: SoftmaxPenalised

    def code_penalty_value(self, codes: Tensor) -> Tensor:
        mean = torch.softmax(codes, dim=0).mean(dim=0)
        return self.settings.weight * kl_divergence(mean, self.settings.target)

    def accumulate_gradients(self, batch: Batch, how: Accumulation) -> Tensor:
        return Model.accumulate_gradients(self, batch, how)


def penalty_slope(layer: Autoencoder, x: Array) -> float | None:
    """The largest derivative of the code penalty by any encoder weight, in float64; None without a penalty."""
    exact = copy.deepcopy(layer).cpu().double()
    rows = torch.from_numpy(np.asarray(x, dtype=np.float64))
    penalty = exact.code_penalty_value(exact.encode(rows))
    if not isinstance(penalty, Tensor):
        return None
    (slope,) = torch.autograd.grad(penalty, exact.encoder.weight)
    return float(slope.abs().max())
