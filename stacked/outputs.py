"""Output units paired with their loss: the equation for autograd, and its derivative by hand.

Each output turns logits `z` of shape `(n, width)` into values `a`, and compares these with a target.
`delta_` overwrites the logits with the values and returns the loss and the errors `n * dloss/dz`, which it writes
into `out`. The derivatives are those of Bishop, "Pattern Recognition and Machine Learning" (2006), section 5.3.
Of several models at once, shapes `(n_models, n, width)`, `delta_` gives one loss each.
"""

from abc import ABC, abstractmethod

import torch
import torch.nn.functional as F
from torch import Tensor

from stacked.activations import sigmoid_backward
from stacked.losses import binary_cross_entropy, softmax_cross_entropy, squared_error


def _inner(a: Tensor, b: Tensor) -> Tensor:
    """The sum of the products over rows and units; a scalar, or one number a model."""
    if a.dim() == 2:
        flat = a.reshape(-1)
        return torch.dot(flat, flat if b is a else b.reshape(-1))
    sums: Tensor = torch.linalg.vecdot(a.flatten(-2), b.flatten(-2))
    return sums


def _half_squares(error: Tensor) -> Tensor:
    return _inner(error, error).mul_(0.5 / error.shape[-2])


class Output(ABC):
    """What the last layer computes and how it is judged."""

    @abstractmethod
    def values(self, logits: Tensor) -> Tensor:
        """The outputs, shape `(n, width)`."""

    @abstractmethod
    def loss(self, logits: Tensor, target: Tensor) -> Tensor:
        """The loss, a scalar, differentiable by autograd."""

    @abstractmethod
    def delta_(self, logits: Tensor, target: Tensor, out: Tensor) -> Tensor:
        """The loss; the errors go into `out`, the values over the logits."""


class SigmoidSquaredError(Output):
    """a = sigmoid(z), loss 1/(2n) sum (a - t)^2, error (a - t) a (1 - a)."""

    def values(self, logits: Tensor) -> Tensor:
        return torch.sigmoid(logits)

    def loss(self, logits: Tensor, target: Tensor) -> Tensor:
        return squared_error(torch.sigmoid(logits), target)

    def delta_(self, logits: Tensor, target: Tensor, out: Tensor) -> Tensor:
        torch.sub(logits.sigmoid_(), target, out=out)
        loss = _half_squares(out)
        sigmoid_backward(out, logits, grad_input=out)
        return loss


class SigmoidCrossEntropy(Output):
    """a = sigmoid(z), loss -1/n sum [t log a + (1-t) log(1-a)], error a - t."""

    def values(self, logits: Tensor) -> Tensor:
        return torch.sigmoid(logits)

    def loss(self, logits: Tensor, target: Tensor) -> Tensor:
        return binary_cross_entropy(logits, target)

    def delta_(self, logits: Tensor, target: Tensor, out: Tensor) -> Tensor:
        explained = _inner(target, logits)
        loss = (F.softplus(logits, threshold=40).sum((-2, -1)) - explained) / logits.shape[-2]
        torch.sub(logits.sigmoid_(), target, out=out)
        return loss


class LinearSquaredError(Output):
    """a = z, loss 1/(2n) sum (a - t)^2, error a - t."""

    def values(self, logits: Tensor) -> Tensor:
        return logits

    def loss(self, logits: Tensor, target: Tensor) -> Tensor:
        return squared_error(logits, target)

    def delta_(self, logits: Tensor, target: Tensor, out: Tensor) -> Tensor:
        torch.sub(logits, target, out=out)
        return _half_squares(out)


class SoftmaxCrossEntropy(Output):
    """a = softmax(z), loss -1/n sum t log a for one-hot targets, error a - t."""

    def values(self, logits: Tensor) -> Tensor:
        return torch.softmax(logits, dim=1)

    def loss(self, logits: Tensor, target: Tensor) -> Tensor:
        return softmax_cross_entropy(logits, target)

    def delta_(self, logits: Tensor, target: Tensor, out: Tensor) -> Tensor:
        logarithms = torch.log_softmax(logits, dim=-1)
        loss = _inner(target, logarithms) / -logits.shape[-2]
        torch.exp(logarithms, out=logits)
        torch.sub(logits, target, out=out)
        return loss


def reconstruction_output(output: str, loss: str) -> Output:
    """The output of a decoder; settings have already checked the two names."""
    if output == "linear":
        return LinearSquaredError()
    return SigmoidSquaredError() if loss == "squared_error" else SigmoidCrossEntropy()


def class_output(output: str) -> Output:
    """The output of a classifier: "sigmoid" with squared error, or "softmax" with cross-entropy."""
    return SigmoidSquaredError() if output == "sigmoid" else SoftmaxCrossEntropy()
