"""What makes codes sparse: settings of the three ways.

`KLSparsity` draws the mean activation of every unit to a target (Lee et al. 2008; Ng, UFLDL, 2011). `L1Sparsity`
charges for the absolute codes. `TopK` keeps the largest codes of every row (Makhzani and Frey, 2014).
"""

from dataclasses import dataclass

from stacked.errors import check_count, check_number, mismatch


@dataclass(frozen=True)
class KLSparsity:
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
        check_number("weight", self.weight, 0)
        check_number("memory", self.memory, 0, 1)
        check_number("initial_mean", self.initial_mean, 0, 1)
        check_number("target", self.target, 0, 1)
        if self.target in (0, 1) or self.memory == 1:
            received = f"target={self.target}, memory={self.memory}"
            expected = "a target strictly between 0 and 1 and a memory below 1"
            raise mismatch("KLSparsity", expected=expected, received=received, remedy="for instance target=0.05")


@dataclass(frozen=True)
class L1Sparsity:
    """weight * mean over rows of the sum of absolute codes.

    Parameters
    ----------
    weight : float
        Factor of the penalty.
    """

    weight: float

    def __post_init__(self) -> None:
        check_number("weight", self.weight, 0)


@dataclass(frozen=True)
class TopK:
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

    def __post_init__(self) -> None:
        check_count("k", self.k)
        check_number("annealing", self.annealing, 0)
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
        return round(first + min(1.0, epochs / float(self.annealing)) * (last - first))
