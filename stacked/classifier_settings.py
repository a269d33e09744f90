"""What a classifier is: sizes, activations, outputs and regularisation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from stacked.activations import activation_named
from stacked.errors import check_choice, check_count, check_flag, mismatch
from stacked.settings import hold_number


@dataclass(frozen=True)
class ClassifierSettings:
    """What a classifier is.

    Parameters
    ----------
    sizes : tuple of int
        Units of every layer from the inputs to the classes, such as (784, 100, 100, 10).
    activations : tuple of str
        Activation of each hidden layer, "sigmoid", "relu", "tanh", "scaled_tanh", "linear", or for instance
        "relu_top_8" (`activations.top_k`); empty for sigmoid throughout.
    output : {"softmax", "sigmoid"}
        Softmax with cross-entropy, or sigmoid with squared error (the classic recipe).
    dropout : float
        Probability, below 1, with which a hidden output is dropped in training.
    weight_decay : float
        Adds weight_decay / 2 * sum of squared weights (not biases) to the objective.
    random_bias : bool
        Draw the initial biases by the law of the weights, instead of zero.
    """

    sizes: tuple[int, ...]
    activations: tuple[str, ...] = ()
    output: str = "softmax"
    dropout: float = 0.0
    weight_decay: float = 0.0
    random_bias: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.sizes, tuple | list) or len(self.sizes) < 2:
            received, remedy = repr(self.sizes), "pass for instance (784, 100, 10)"
            raise mismatch("sizes", expected="inputs, hidden layers and classes", received=received, remedy=remedy)
        object.__setattr__(self, "sizes", tuple(self.sizes))
        for size in self.sizes:
            check_count("sizes", size)
        check_count("sizes[-1] (classes)", self.sizes[-1], least=2)
        n_hidden = len(self.sizes) - 2
        if not isinstance(self.activations, tuple | list):
            remedy = "pass for instance ('relu', 'sigmoid')"
            expected = "a tuple of names, one a hidden layer"
            raise mismatch("activations", expected=expected, received=repr(self.activations), remedy=remedy)
        object.__setattr__(self, "activations", tuple(self.activations) or ("sigmoid",) * n_hidden)
        if len(self.activations) != n_hidden:
            expected, remedy = f"{n_hidden}, one a hidden layer", "leave them out for sigmoid throughout"
            raise mismatch("activations", expected=expected, received=repr(self.activations), remedy=remedy)
        for activation in self.activations:
            activation_named(activation)
        check_choice("output", self.output, ("softmax", "sigmoid"))
        hold_number(self, "dropout", 0, 0.99)
        hold_number(self, "weight_decay", 0)
        check_flag("random_bias", self.random_bias)

    @property
    def output_activation(self) -> str:
        """The activation whose law the initial weights of the output layer follow."""
        return "sigmoid" if self.output == "sigmoid" else "linear"


def settings_with(sizes: Sequence[int], activations: Sequence[str], others: Mapping[str, Any]) -> ClassifierSettings:
    """The settings of these sizes and activations, with other fields by name."""
    known = [field.name for field in fields(ClassifierSettings)][2:]
    for name in others:
        check_choice("settings", name, known)
    return ClassifierSettings(tuple(sizes), tuple(activations), **others)
