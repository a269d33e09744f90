"""What a feedforward network is: sizes, activations, outputs and regularisation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar, TypeVar

from stacked.activations import activation_named
from stacked.errors import check_choice, check_count, check_flag, mismatch
from stacked.settings import hold_number


@dataclass(frozen=True)
class FeedforwardSettings:
    """What classifiers and regressors have in common.

    Parameters
    ----------
    sizes : tuple of int
        Units of every layer from the inputs to the outputs, such as (784, 100, 100, 10).
    activations : tuple of str
        Activation of each hidden layer, "sigmoid", "relu", "tanh", "scaled_tanh", "linear", or for instance
        "relu_top_8" (`activations.top_k`); empty for sigmoid throughout.
    dropout : float
        Probability, below 1, with which a hidden output is dropped in training.
    weight_decay : float
        Adds weight_decay / 2 * sum of squared weights (not biases) to the objective.
    random_bias : bool
        Draw the initial biases by the law of the weights, instead of zero.
    """

    sizes: tuple[int, ...]
    activations: tuple[str, ...] = ()
    dropout: float = 0.0
    weight_decay: float = 0.0
    random_bias: bool = False

    outputs: ClassVar[str] = "outputs"
    """What the units of the last layer stand for."""
    fewest_outputs: ClassVar[int] = 1
    output_activation: ClassVar[str] = "linear"
    """The activation whose law the initial weights of the output layer follow."""

    @property
    def output_function(self) -> str:
        """What is done to the weighted sums of the last layer: "softmax", "sigmoid" or "linear"."""
        return "linear"

    def __post_init__(self) -> None:
        if not isinstance(self.sizes, tuple | list) or len(self.sizes) < 2:
            expected, remedy = f"inputs, hidden layers and {self.outputs}", "pass for instance (784, 100, 10)"
            raise mismatch("sizes", expected=expected, received=repr(self.sizes), remedy=remedy)
        object.__setattr__(self, "sizes", tuple(self.sizes))
        for size in self.sizes:
            check_count("sizes", size)
        check_count(f"sizes[-1] ({self.outputs})", self.sizes[-1], least=self.fewest_outputs)
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
        hold_number(self, "dropout", 0, 0.99)
        hold_number(self, "weight_decay", 0)
        check_flag("random_bias", self.random_bias)


@dataclass(frozen=True)
class ClassifierSettings(FeedforwardSettings):
    """What a classifier is: the fields of `FeedforwardSettings`, the last size being the number of classes, and one.

    Parameters
    ----------
    output : {"softmax", "sigmoid"}
        Softmax with cross-entropy, or sigmoid with squared error (the classic recipe).
    """

    output: str = "softmax"

    outputs: ClassVar[str] = "classes"
    fewest_outputs: ClassVar[int] = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("output", self.output, ("softmax", "sigmoid"))

    @property
    def output_function(self) -> str:
        return self.output

    @property
    def output_activation(self) -> str:  # type: ignore[override]
        """The activation whose law the initial weights of the output layer follow."""
        return "sigmoid" if self.output == "sigmoid" else "linear"


@dataclass(frozen=True)
class RegressorSettings(FeedforwardSettings):
    """What a regressor is: the fields of `FeedforwardSettings`; the outputs are linear, judged by squared error."""

    outputs: ClassVar[str] = "targets"


Settings = TypeVar("Settings", bound=FeedforwardSettings)


def settings_with(
    kind: type[Settings], sizes: Sequence[int], activations: Sequence[str], others: Mapping[str, Any]
) -> Settings:
    """The settings of these sizes and activations, with other fields by name."""
    known = [field.name for field in fields(kind) if field.name not in ("sizes", "activations")]
    for name in others:
        check_choice("settings", name, known)
    return kind(tuple(sizes), tuple(activations), **others)
