"""Losses and penalties: pure functions, one equation each.

Reconstruction losses are summed over the units of a row and averaged over the rows, so that a learning rate means
the same for every batch size. `n` is the number of rows.
"""

import math

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


def jacobian_norm_squared(slopes: Tensor, weight: Tensor) -> Tensor:
    """1/n sum ||J||_F^2 = 1/n sum_j f'(z_j)^2 ||W_j||^2 of the encoders' Jacobians J = diag(f'(z)) W.

    Rifai, Vincent, Muller, Glorot and Bengio, "Contractive auto-encoders" (2011). `slopes`, shape `(n, n_units)`,
    holds f'(z); `weight` has shape `(n_units, n_inputs)`.
    """
    return (slopes.square() @ weight.square().sum(dim=1)).mean()


def gaussian_kl(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(mean, exp(log_variance)) || N(0, 1)) of every row, in nats: 1/2 sum [m^2 + v - 1 - log v]. Shape `(n,)`.

    Kingma and Welling, "Auto-encoding variational Bayes" (2014), appendix B.
    """
    return (mean.square() + log_variance.exp() - 1 - log_variance).sum(dim=1) / 2


def bernoulli_log_likelihood(logits: Tensor, target: Tensor) -> Tensor:
    """sum [t log s(z) + (1-t) log(1 - s(z))] of every row, in nats. Shape `(n,)`."""
    return (target * logits - F.softplus(logits, threshold=40)).sum(dim=1)


def gaussian_log_likelihood(mean: Tensor, target: Tensor, log_deviation: Tensor) -> Tensor:
    """sum log N(target; mean, exp(log_deviation)^2) of every row, in nats; one deviation for all. Shape `(n,)`."""
    scaled = ((target - mean) * (-log_deviation).exp()).square().sum(dim=1)
    return -scaled / 2 - target.shape[1] * (log_deviation + math.log(2 * math.pi) / 2)


def unexplained_variance(output: Tensor, target: Tensor) -> Tensor:
    """sum (output - target)^2 / sum (target - column mean)^2: the share of the variance that is missed. A scalar.

    1 for an output that is the mean row; 0 where the rows are all alike, and so have no variance.
    """
    shifted = target - target[0]  # without it, rounding of the mean gives equal rows a variance
    variance = (shifted - shifted.mean(dim=0)).square().sum()
    missed = (output - target).square().sum()
    return torch.where(variance > 0, missed / variance, torch.zeros_like(variance))
