"""What the training loop can train: an objective that depends on the weights and on one prepared batch."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn

from stacked.gradients import Accumulation, Backpropagation, CodePenalty, accumulate_by_autograd
from stacked.precision import autocast, products_in
from stacked.randomness import Stream


class Batch(NamedTuple):
    """One minibatch with all that is random about it.

    `inputs` (n, n_inputs), maybe corrupted; `target` (n, n_outputs), clean; `draws`, what else a model draws: the
    dropout factors of a classifier by layer, the normal numbers of a variational layer.
    """

    inputs: Tensor
    target: Tensor
    draws: tuple[Tensor, ...] = ()


def _as_it_is(mean: Tensor) -> Tensor:
    return mean


class Model(nn.Module, ABC):
    """A network with an objective.

    The objective is the loss with all penalties. For one `Batch` it depends on nothing but the weights, so that
    an optimiser may evaluate it repeatedly.

    It is a mean over the rows, plus what depends on weights only, so that it can be computed in parts. What depends
    on a mean over the whole minibatch in another way takes that from `whole_mean`.
    """

    weight_decay: float = 0.0
    precision: str = "float32"
    """In which the gradients are computed, one of `precision.PRECISIONS`; a training sets it while it lasts."""
    steps_once: str = ""
    """Why each batch must be evaluated exactly once, which a line search does not do; empty where it need not."""
    selection_figure: str = "validation_loss"
    """The figure by which early stopping picks weights."""
    sample_size: int = 1000
    """How many training rows `inspect`, `revive` and `symptoms` are to be given; none of these with 0."""
    whole_mean: Callable[[Tensor], Tensor] = staticmethod(_as_it_is)
    """From a mean over the rows at hand that over the minibatch, of which other processes may have the other rows."""

    @abstractmethod
    def prepare(self, x: Tensor, labels: Tensor | None, noise: Stream | None) -> Batch:
        """The batch made of clean rows; without `noise` nothing random is done to it."""

    @abstractmethod
    def objective(self, batch: Batch) -> Tensor:
        """The objective, a scalar, differentiable by autograd."""

    @abstractmethod
    def figures(self, x: Tensor, labels: Tensor | None) -> dict[str, Tensor]:
        """Figures on clean rows for validation, each a mean over the rows; "loss" is one of them."""

    @abstractmethod
    def decayed_weights(self) -> Iterator[nn.Parameter]:
        """The weights, not the biases, that weight decay acts on."""

    def accumulate_gradients(self, batch: Batch, how: Accumulation) -> Tensor:
        """Add the gradients of the objective to those of the parameters, and return its value.

        Called under `torch.no_grad`; by autograd, unless a model has them by hand.
        """
        with torch.enable_grad():
            with autocast(self.precision, batch.inputs.device):
                value = self.objective(batch)
            accumulate_by_autograd(value, self.trainable(), how)
        return value.detach()

    def compute_in(self, precision: str) -> None:
        """Compute gradients in one of `precision.PRECISIONS`, until `release`."""
        self.precision = precision

    def advance(self, epochs: float) -> None:
        """Told before every step how many epochs have passed, in fractions; for what changes as training goes on."""

    @property
    def changes_until(self) -> float:
        """Epochs after which `advance` changes nothing any more, so that a recorded step stays what it is."""
        return 0.0 if type(self).advance is Model.advance else math.inf

    def constrain(self) -> None:
        """Called after every step, to put weights back where they must lie."""

    def inspect(self, sample: Tensor) -> dict[str, Tensor]:
        """Figures for the record of an epoch, measured on a random sample of clean training rows."""
        return {}

    def revive(self, sample: Tensor, noise: Stream) -> None:
        """Called between epochs, to give dead units another life."""

    def symptoms(self, sample: Tensor, labels: Tensor | None) -> list[str]:
        """Signs that the training went wrong, each a clause, from a random sample of training rows."""
        return []

    def release(self) -> None:
        """Drop what only training needs."""
        self.precision = "float32"
        for parameter in self.parameters():
            parameter.grad = None

    def trainable(self) -> list[nn.Parameter]:
        """The parameters that training changes."""
        return [parameter for parameter in self.parameters() if parameter.requires_grad]

    def decay_value(self) -> Tensor | float:
        """weight_decay / 2 * sum of the squared weights."""
        if self.weight_decay == 0:
            return 0.0
        total = sum(weight.square().sum() for weight in self.decayed_weights())
        return self.weight_decay / 2 * total


class DenseModel(Model):
    """A model that is a chain of dense layers, with gradients by hand; `backpropagation` computes them."""

    backpropagation: Backpropagation

    def code_penalty(self) -> CodePenalty | None:
        """A penalty on the outputs of the first layer, with its slope by hand; none unless a model says otherwise."""
        return None

    def accumulate_gradients(self, batch: Batch, how: Accumulation) -> Tensor:
        value = self.backpropagation.accumulate(
            batch.inputs, batch.target, how, masks=batch.draws, penalty=self.code_penalty()
        )
        return self.charge_weights(value, how)

    def charge_weights(self, value: Tensor, how: Accumulation) -> Tensor:
        """Add what is charged for the weights themselves to the objective, and its slope to the gradients."""
        if self.weight_decay == 0:
            return value
        for weight in self.decayed_weights():
            assert weight.grad is not None, "the optimiser makes room for the gradients"
            weight.grad.add_(weight, alpha=how.scale * self.weight_decay)
        return value + self.decay_value()

    def compute_in(self, precision: str) -> None:
        super().compute_in(precision)
        self.backpropagation.products = products_in(precision)

    def release(self) -> None:
        super().release()
        self.backpropagation.release()
