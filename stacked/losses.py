"""Losses and penalties: pure functions, one equation each.

Reconstruction losses are summed over the units of a row and averaged over the rows, so that a learning rate means
the same for every batch size. `n` is the number of rows.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def squared_error(output: Tensor, target: Tensor) -> Tensor:
    """1/(2n) sum (output - target)^2. Shapes `(n, width)`; a scalar."""
    return (output - target).square().sum() / (2 * output.shape[0])


def binary_cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """-1/n sum [t log s(z) + (1-t) log(1 - s(z))] = 1/n sum [softplus(z) - t z], in nats.

    s is the logistic function, targets lie in [0, 1]. Written with logits, so that it stays finite.
    """
    # softplus turns linear above its threshold; 40 keeps float64 exact to rounding.
    return (F.softplus(logits, threshold=40).sum() - (target * logits).sum()) / logits.shape[0]


def softmax_cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """-1/n sum t log softmax(z), in nats; `target` is one-hot, shape `(n, n_classes)`."""
    return -(target * torch.log_softmax(logits, dim=1)).sum() / logits.shape[0]


def kl_divergence(mean: Tensor, target: float) -> Tensor:
    """sum_j [rho log(rho/p_j) + (1-rho) log((1-rho)/(1-p_j))] of Bernoulli means, in nats; 0 at p = rho.

    Lee, Ekanadham and Ng, "Sparse deep belief net model for visual area V2" (2008); Ng, UFLDL (2011).
    `mean` has shape `(n_units,)` and lies in (0, 1).
    """
    rest = (1 - target) * torch.log((1 - target) / (1 - mean))
    return (target * torch.log(target / mean) + rest).sum()


def kl_divergence_slope(mean: Tensor, target: float) -> Tensor:
    """The derivative of `kl_divergence` by each mean: -rho/p + (1-rho)/(1-p). Shape `(n_units,)`."""
    return -target / mean + (1 - target) / (1 - mean)


def l1_norm(codes: Tensor) -> Tensor:
    """1/n sum |code|. Shape of codes `(n, n_units)`; a scalar."""
    return codes.abs().sum() / codes.shape[0]
