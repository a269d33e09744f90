"""What makes codes sparse, in three ways.

`KLSparsity` draws the mean activation of every unit to a target (Lee et al. 2008; Ng, UFLDL, 2011). `L1Sparsity`
charges for the absolute codes. `TopK` keeps the largest codes of every row (Makhzani and Frey, 2014).
"""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from stacked.activations import TOP_K_ACTIVATIONS
from stacked.errors import check_choice, check_count, mismatch
from stacked.gradients import CodePenalty
from stacked.losses import kl_divergence, kl_divergence_slope, l1_norm
from stacked.settings import hold_number

Remember = Callable[[Tensor], Tensor]
"""From the mean codes of a minibatch, shape `(n_units,)`, the running mean after it."""


class Sparsity:
    """What the ways differ in: the codes they suit, what they make of them, and what they charge for them.

    As it stands it suits all codes, leaves them as they are and charges nothing.
    """

    memory: float = 0.0
    """Of the running mean of the codes; 0 where none is kept."""
    initial_mean: float = 0.0
    """Where the running mean starts."""
    annealing: float = 0.0
    """Epochs over which the codes' activation changes."""
    competitive: bool = False
    """Whether units compete for places, so that the codes of those without one are 0 and get no gradient."""

    def check(self, activation: str, n_units: int) -> None:
        """Raise unless it suits so many units of this activation."""

    def code_activation(self, activation: str, epochs: float) -> str:
        """The activation of the codes after so many epochs, given that of the layer."""
        return activation

    def value(self, codes: Tensor, remember: Remember) -> Tensor | float:
        """What is charged for codes, shape `(n, n_units)`; a scalar, differentiable by autograd."""
        return 0.0

    def with_slope(self, remember: Remember) -> CodePenalty | None:
        """The same with its slope by hand; None where nothing is charged."""
        return None


@dataclass(frozen=True)
class KLSparsity(Sparsity):
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
        hold_number(self, "weight", 0)
        hold_number(self, "memory", 0, 1)
        hold_number(self, "initial_mean", 0, 1)
        hold_number(self, "target", 0, 1)
        if self.target in (0, 1) or self.memory == 1:
            received = f"target={self.target}, memory={self.memory}"
            expected = "a target strictly between 0 and 1 and a memory below 1"
            raise mismatch("KLSparsity", expected=expected, received=received, remedy="for instance target=0.05")

    def check(self, activation: str, n_units: int) -> None:
        if activation != "sigmoid":
            remedy = "choose sigmoid activation, or L1Sparsity or TopK (l1= or top_k= in text)"
            expected = "'sigmoid' under KLSparsity, whose mean activations must lie in (0, 1)"
            raise mismatch("activation", expected=expected, received=repr(activation), remedy=remedy)

    def value(self, codes: Tensor, remember: Remember) -> Tensor:
        mean = codes.mean(dim=0)
        # The value is that at the running mean; the slope passes through to the mean of this minibatch.
        return self.weight * kl_divergence(remember(mean) + (mean - mean.detach()), self.target)

    def with_slope(self, remember: Remember) -> CodePenalty:
        def charge(codes: Tensor) -> tuple[Tensor, Tensor]:
            mean = remember(codes.mean(dim=0))
            slope = kl_divergence_slope(mean, self.target).mul_(self.weight)
            return self.weight * kl_divergence(mean, self.target), slope

        return charge


@dataclass(frozen=True)
class L1Sparsity(Sparsity):
    """weight * mean over rows of the sum of absolute codes.

    Parameters
    ----------
    weight : float
        Factor of the penalty.
    """

    weight: float

    def __post_init__(self) -> None:
        hold_number(self, "weight", 0)

    def value(self, codes: Tensor, remember: Remember) -> Tensor:
        return self.weight * l1_norm(codes)

    def with_slope(self, remember: Remember) -> CodePenalty:
        return lambda codes: (self.weight * l1_norm(codes), codes.sign().mul_(self.weight))


@dataclass(frozen=True)
class TopK(Sparsity):
    """Only the `k` largest codes of every row stay, the others are 0.

    Parameters
    ----------
    k : int
        How many stay.
    initial_k : int, optional
        How many stay at first; with fewer at once, units that are never among the largest die early. Falls to `k`
        in a straight line.
    annealing : float
        Epochs over which it falls.
    """

    k: int
    initial_k: int | None = None
    annealing: float = 0.0
    competitive = True

    def __post_init__(self) -> None:
        check_count("k", self.k)
        hold_number(self, "annealing", 0)
        if self.initial_k is not None:
            check_count("initial_k", self.initial_k, least=self.k)
        if (self.initial_k is None) != (self.annealing == 0):
            received = f"initial_k={self.initial_k}, annealing={self.annealing}"
            remedy = "for instance initial_k=64, annealing=5"
            raise mismatch("TopK", expected="both or neither of them", received=received, remedy=remedy)

    def at(self, epochs: float) -> int:
        """How many stay after so many epochs."""
        if self.initial_k is None:
            return int(self.k)
        first, last = int(self.initial_k), int(self.k)  # NumPy's small whole numbers wrap around
        return round(first + min(1.0, epochs / self.annealing) * (last - first))

    def check(self, activation: str, n_units: int) -> None:
        check_choice("activation (under TopK)", activation, TOP_K_ACTIVATIONS)
        largest = self.at(0.0)
        if largest > n_units:
            expected, remedy = f"at most the {n_units} units there are", "lower it, or add units"
            raise mismatch("k", expected=expected, received=str(largest), remedy=remedy)

    def code_activation(self, activation: str, epochs: float) -> str:
        return f"{activation}_top_{self.at(epochs)}"
