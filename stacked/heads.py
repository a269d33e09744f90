"""Heads: what the outputs of a feedforward network stand for, classes or numbers."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor

from stacked.outputs import LinearSquaredError, Output, class_output
from stacked.symptoms import signs_of_chance, signs_of_the_mean


class Head(ABC):
    """Turns labels into targets, and judges outputs by the labels.

    Attributes
    ----------
    output : Output
        Turns the weighted sums of the last layer into outputs, and compares these with targets.
    selection_figure : str
        The figure by which early stopping picks weights.
    """

    output: Output
    selection_figure: str

    @abstractmethod
    def targets(self, labels: Tensor, like: Tensor) -> Tensor:
        """What the outputs should be, shape `(n, n_outputs)`, in the dtype and place of `like`."""

    @abstractmethod
    def figures(self, logits: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Means over the rows; "loss" is one of them."""

    @abstractmethod
    def symptoms(self, logits: Tensor, labels: Tensor) -> list[str]:
        """Signs that nothing was learnt, each a clause, from a sample of training rows."""


class ClassHead(Head):
    """One output a class; labels are whole numbers from 0, shape `(n,)`, and targets are one-hot.

    Parameters
    ----------
    output : {"softmax", "sigmoid"}
        As in `ClassifierSettings`.
    n_classes : int
        Number of classes.
    names : sequence of str
        What they are called; empty where they are known by number.
    """

    selection_figure = "validation_error_rate"

    def __init__(self, output: str, n_classes: int, names: Sequence[str] = ()) -> None:
        self.output, self._n_classes, self._names = class_output(output), n_classes, names
        self._one_hot: Tensor | None = None

    def targets(self, labels: Tensor, like: Tensor) -> Tensor:
        return torch.index_select(self._all_classes(like), 0, labels)

    def figures(self, logits: Tensor, labels: Tensor) -> dict[str, Tensor]:
        wrong = self._classes(logits).ne(labels)
        return {
            "loss": self.output.loss(logits, self.targets(labels, logits)),
            "error_rate": wrong.to(logits.dtype).mean(),
        }

    def symptoms(self, logits: Tensor, labels: Tensor) -> list[str]:
        return signs_of_chance(self._classes(logits), labels, self._names)

    def _classes(self, logits: Tensor) -> Tensor:
        return self.output.values(logits).argmax(dim=1)

    def _all_classes(self, like: Tensor) -> Tensor:
        """The target of each class, shape `(n_classes, n_classes)`; kept, for it is wanted at every step."""
        if self._one_hot is None or self._one_hot.device != like.device:
            self._one_hot = torch.eye(self._n_classes, dtype=like.dtype, device=like.device)
        return self._one_hot


class TargetHead(Head):
    """Linear outputs with squared error; labels are the targets themselves, standardised, shape `(n, n_targets)`."""

    output: Output = LinearSquaredError()
    selection_figure = "validation_loss"

    def targets(self, labels: Tensor, like: Tensor) -> Tensor:
        return labels.to(like.dtype)

    def figures(self, logits: Tensor, labels: Tensor) -> dict[str, Tensor]:
        return {"loss": self.output.loss(logits, self.targets(labels, logits))}

    def symptoms(self, logits: Tensor, labels: Tensor) -> list[str]:
        return signs_of_the_mean(logits, self.targets(labels, logits))
