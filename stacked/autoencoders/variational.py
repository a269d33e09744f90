"""The variational autoencoder: codes are normal distributions, and new rows can be drawn.

Kingma and Welling, "Auto-encoding variational Bayes" (2014). The encoder gives the mean and the log variance of
q(z|x), the decoder p(x|z); the objective is the negative evidence lower bound

    -ELBO(x) = -E_q[log p(x|z)] + weight * KL(q(z|x) || N(0, 1)),    z = mean + exp(log variance / 2) * noise

with both terms summed over the units of a row, in nats. The codes of a row are its means.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from stacked.activations import CODE_ACTIVATIONS
from stacked.autoencoders.base import Autoencoder, LayerSettings
from stacked.dense import Dense
from stacked.devices import numpy_dtype
from stacked.errors import check_choice, check_count, check_flag, mismatch
from stacked.losses import bernoulli_log_likelihood, gaussian_kl, gaussian_log_likelihood
from stacked.model import Batch
from stacked.randomness import Seeded, Stream
from stacked.rows import Array, Rows, as_rows, map_rows, value_range, within_0_and_1
from stacked.settings import hold_number


@dataclass(frozen=True)
class Variational(LayerSettings):
    """A layer of normally distributed codes, with one hidden layer on the way up and one on the way down.

    The record of every epoch has `kl` (nats a row) and `active_codes` (how many codes the encoder uses: those whose
    means vary by more than 0.01 over a sample of training rows; Burda, Grosse and Salakhutdinov, 2016).

    Parameters
    ----------
    n_units : int
        Width of the codes.
    hidden : int
        Width of both hidden layers.
    activation : {"sigmoid", "relu", "tanh", "scaled_tanh", "linear"}
        Activation of the hidden layers; the codes are linear.
    output : {"sigmoid", "linear"}
        "sigmoid": Bernoulli outputs, for rows in [0, 1]. "linear": Gaussian outputs, with one standard deviation for
        all of them that is learnt.
    kl_weight : float
        Factor of the KL divergence; 1 gives the evidence lower bound.
    warm_up : float
        Epochs over which that factor rises from 0, which keeps codes in use (Sonderby et al., 2016).
    weight_decay : float
        Adds weight_decay / 2 * sum of squared weights (not biases) to the objective.
    random_bias : bool
        Draw the initial biases by the law of the weights, instead of zero.
    """

    hidden: int = 256
    activation: str = "relu"
    output: str = "sigmoid"
    kl_weight: float = 1.0
    warm_up: float = 0.0
    weight_decay: float = 0.0
    random_bias: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count("hidden", self.hidden)
        check_choice("activation", self.activation, CODE_ACTIVATIONS)
        check_choice("output", self.output, ("sigmoid", "linear"))
        hold_number(self, "kl_weight", 0)
        hold_number(self, "warm_up", 0)
        hold_number(self, "weight_decay", 0)
        check_flag("random_bias", self.random_bias)

    @property
    def loss(self) -> str:
        return "cross_entropy" if self.output == "sigmoid" else "squared_error"

    @property
    def code_activation(self) -> str:
        return "linear"

    def build(self, n_inputs: int, dtype: torch.dtype) -> "VariationalAutoencoder":
        return VariationalAutoencoder(self, n_inputs, dtype)


class VariationalAutoencoder(Autoencoder):
    """An autoencoder of distributions. `sample`, `elbo` and `log_likelihood` take and give NumPy arrays.

    After `StackedAutoencoder.fine_tune` these three no longer describe it: that trains means and decoder on the
    reconstruction alone, and the log variances and the learnt deviation are those from before.
    """

    settings: Variational
    sample_size = 4096

    def __init__(self, settings: Variational, n_inputs: int, dtype: torch.dtype) -> None:
        super().__init__(settings, n_inputs)
        widths = (n_inputs, settings.hidden, settings.n_units)
        self.hidden = Dense(*widths[:2], settings.activation, dtype)
        self.mean = Dense(*widths[1:], "linear", dtype)
        self.log_variance = Dense(*widths[1:], "linear", dtype)
        self.decoder_hidden = Dense(settings.n_units, settings.hidden, settings.activation, dtype)
        self.decoder = Dense(settings.hidden, n_inputs, settings.output, dtype)
        gaussian = settings.output == "linear"
        self.log_deviation = nn.Parameter(torch.zeros((), dtype=dtype)) if gaussian else None
        self.encoder_layers, self.decoder_layers = (self.hidden, self.mean), (self.decoder_hidden, self.decoder)
        self._kl_weight = settings.kl_weight

    def draw(self, stream: Stream) -> None:
        super().draw(stream)
        self.log_variance.draw(stream, random_bias=self.settings.random_bias)

    def decayed_weights(self) -> Iterator[nn.Parameter]:
        yield from super().decayed_weights()
        yield self.log_variance.weight

    def advance(self, epochs: float) -> None:
        warmth = min(1.0, epochs / self.settings.warm_up) if self.settings.warm_up else 1.0
        self._kl_weight = warmth * self.settings.kl_weight

    @property
    def changes_until(self) -> float:
        return self.settings.warm_up

    def prepare(self, x: Tensor, labels: Tensor | None, noise: Stream | None) -> Batch:
        like = x.new_empty(x.shape[0], self.settings.n_units)
        return Batch(x, x, () if noise is None else (noise.normal(like),))

    def objective(self, batch: Batch) -> Tensor:
        mean, log_variance = self.posterior(batch.inputs)
        codes = reparameterised(mean, log_variance, batch.draws[0]) if batch.draws else mean
        kl = self._kl_weight * gaussian_kl(mean, log_variance)
        return (kl - self.log_likelihood_given(codes, batch.target)).mean() + self.decay_value()

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance of the codes, each `(n, n_units)`, of rows `(n, n_inputs)`."""
        hidden = self.hidden(x)
        return self.mean(hidden), self.log_variance(hidden)

    def log_likelihood_given(self, codes: Tensor, x: Tensor) -> Tensor:
        """log p(x|z) of rows `(n, n_inputs)` given codes `(n, n_units)`, in nats, shape `(n,)`."""
        logits = self.decoder_logits(codes)
        if self.log_deviation is None:
            return bernoulli_log_likelihood(logits, x)
        return gaussian_log_likelihood(logits, x, self.log_deviation)

    def figures(self, x: Tensor, labels: Tensor | None) -> dict[str, Tensor]:
        """The negative bound, with the same noise at every call, and its KL term."""
        noise = Seeded(0).stream("validation", device=x.device)
        mean, log_variance = self.posterior(x)
        codes = reparameterised(mean, log_variance, noise.normal(mean))
        kl = gaussian_kl(mean, log_variance)
        loss = self.settings.kl_weight * kl - self.log_likelihood_given(codes, x)
        return {"loss": loss.mean(), "kl": kl.mean()}

    def inspect(self, sample: Tensor) -> dict[str, Tensor]:
        mean, log_variance = self.posterior(sample)
        active = (mean.var(dim=0, correction=0) > 0.01).sum()
        return {"kl": gaussian_kl(mean, log_variance).mean(), "active_codes": active}

    def sample(self, n: int, *, seed: int = 0) -> Array:
        """Mean outputs, shape `(n, n_inputs)`, of codes drawn from the prior."""
        check_count("n", n)
        codes = Seeded(seed).stream("prior").normal(torch.empty(n, self.settings.n_units))
        return self._mapped(self.decode, codes.numpy(), self.n_inputs)

    def elbo(self, x: Any, *, n_samples: int = 1, seed: int = 0) -> Array:
        """The evidence lower bound of every row, in nats, shape `(n,)`, averaged over codes drawn for it."""
        check_count("n_samples", n_samples)
        noise = Seeded(seed).stream("elbo", device=self.decoder.weight.device)

        def bound(x: Tensor) -> Tensor:
            mean, log_variance = self.posterior(x)
            total = torch.zeros_like(mean[:, 0])
            for _ in range(n_samples):
                codes = reparameterised(mean, log_variance, noise.normal(mean))
                total += self.log_likelihood_given(codes, x)
            return total / n_samples - gaussian_kl(mean, log_variance)

        return self._by_row(bound, x)

    def log_likelihood(self, x: Any, *, n_samples: int = 100, seed: int = 0) -> Array:
        """log p(x) of every row by importance sampling, in nats, shape `(n,)`.

        log 1/k sum p(x|z) p(z) / q(z|x) over k codes z drawn from q(z|x), which on average is too low, and less so
        the larger k is; Burda, Grosse and Salakhutdinov, "Importance weighted autoencoders" (2016).
        """
        check_count("n_samples", n_samples)
        noise = Seeded(seed).stream("importance", device=self.decoder.weight.device)

        def estimate(x: Tensor) -> Tensor:
            mean, log_variance = self.posterior(x)
            total = torch.full_like(mean[:, 0], -torch.inf)
            for _ in range(n_samples):
                draw = noise.normal(mean)
                codes = reparameterised(mean, log_variance, draw)
                # log p(z) - log q(z|x); the constants cancel
                prior_over_posterior = (draw.square() + log_variance - codes.square()).sum(dim=1) / 2
                total = torch.logaddexp(total, self.log_likelihood_given(codes, x) + prior_over_posterior)
            return total - math.log(n_samples)

        return self._by_row(estimate, x)

    def _by_row(self, function: Callable[[Tensor], Tensor], x: Any) -> Array:
        rows = as_rows(x, "x", self.n_inputs)
        low, high = value_range(rows, "x", self.decoder.weight.dtype)
        if self.log_deviation is None and not within_0_and_1((low, high)):
            expected, received = "rows in [0, 1], for outputs are Bernoulli", f"rows from {low:g} to {high:g}"
            raise mismatch("x", expected=expected, received=received, remedy="scale them as for training")
        return self._mapped(lambda block: function(block)[:, None], rows, 1)[:, 0]

    def _mapped(self, function: Callable[[Tensor], Tensor], rows: Rows, width: int) -> Array:
        weight = self.decoder.weight
        out = np.empty((len(rows), width), numpy_dtype(weight.dtype))
        return map_rows(function, rows, out, weight.device)


def reparameterised(mean: Tensor, log_variance: Tensor, noise: Tensor) -> Tensor:
    """Codes drawn from N(mean, exp(log_variance)) by noise drawn from N(0, 1)."""
    return mean + (log_variance / 2).exp() * noise
