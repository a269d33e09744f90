"""Learning-rate schedules: the factor on the learning rate at a point of the training."""

import math
from dataclasses import dataclass

from stacked.settings import hold_number


@dataclass(frozen=True)
class ExponentialDecay:
    """Multiplies the learning rate by `factor` after each epoch.

    Parameters
    ----------
    factor : float
        From 0 to 1.
    """

    factor: float

    def __post_init__(self) -> None:
        hold_number(self, "factor", 0, 1)

    def at(self, epoch: int, epochs: int) -> float:
        """The factor in an epoch, the first being 0."""
        return self.factor**epoch


@dataclass(frozen=True)
class CosineDecay:
    """Lowers the learning rate from its full value in the first epoch along half a cosine.

    Parameters
    ----------
    final : float
        The factor that would be reached after the last epoch.
    """

    final: float = 0.0

    def __post_init__(self) -> None:
        hold_number(self, "final", 0, 1)

    def at(self, epoch: int, epochs: int) -> float:
        """The factor in an epoch, the first being 0."""
        return self.final + (1 - self.final) * (1 + math.cos(math.pi * epoch / epochs)) / 2


Schedule = ExponentialDecay | CosineDecay
