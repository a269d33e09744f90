"""Noise on the input of a denoising autoencoder (Vincent et al., 2010, section 3.3).

A corruption is called with rows and a random stream and returns new rows; the clean ones are left as they are,
and so remain the target. Kept inputs are not rescaled, unlike in dropout.
"""

from dataclasses import dataclass

from torch import Tensor

from stacked.errors import mismatch
from stacked.randomness import Stream
from stacked.settings import hold_number


@dataclass(frozen=True)
class Masking:
    """Sets a random share of the inputs to zero.

    Parameters
    ----------
    fraction : float
        Probability, from 0 to 1, with which each input is set to zero.
    """

    fraction: float

    def __post_init__(self) -> None:
        hold_number(self, "fraction", 0, 1)

    def __call__(self, x: Tensor, stream: Stream) -> Tensor:
        if self.fraction == 0:
            return x
        return stream.keep_mask(x, self.fraction).mul_(x)


@dataclass(frozen=True)
class Gaussian:
    """Adds independent normal noise to every input.

    Parameters
    ----------
    standard_deviation : float
        Standard deviation of the noise, in the units of the rows.
    """

    standard_deviation: float

    def __post_init__(self) -> None:
        hold_number(self, "standard_deviation", 0)

    def __call__(self, x: Tensor, stream: Stream) -> Tensor:
        if self.standard_deviation == 0:
            return x
        return stream.normal(x).mul_(self.standard_deviation).add_(x)


@dataclass(frozen=True)
class SaltAndPepper:
    """Sets a random share of the inputs to the lowest or highest value, by a fair coin.

    Parameters
    ----------
    fraction : float
        Probability, from 0 to 1, with which each input is replaced.
    low, high : float
        The two values; those of pixels scaled to [0, 1] by default.
    """

    fraction: float
    low: float = 0.0
    high: float = 1.0

    def __post_init__(self) -> None:
        hold_number(self, "fraction", 0, 1)
        hold_number(self, "low", float("-inf"))
        hold_number(self, "high", float("-inf"))
        if self.low >= self.high:
            received = f"{self.low:g} and {self.high:g}"
            raise mismatch("low, high", expected="low < high", received=received, remedy="swap or spread them")

    def __call__(self, x: Tensor, stream: Stream) -> Tensor:
        if self.fraction == 0:
            return x
        keep = stream.keep_mask(x, self.fraction)
        noise = stream.keep_mask(x, 0.5).mul_(self.high - self.low).add_(self.low)
        return noise.lerp_(x, keep)


Corruption = Masking | Gaussian | SaltAndPepper
