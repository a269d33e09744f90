"""Axes: where a number lies between two ends, in per cent, and which round numbers are written along it."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from stacked.ticks import logarithmic_ticks, round_numbers

LARGEST = 1e100
"""No axis reaches beyond, so that differences and ratios of its ends are numbers."""


@dataclass(frozen=True)
class Scale:
    """An axis from `low` to `high`, logarithmic or not."""

    low: float
    high: float
    logarithmic: bool = False

    def place(self, value: float) -> float:
        """How far along the axis a value lies, from 0 to 100."""
        if self.logarithmic:
            return 100 * math.log(value / self.low) / math.log(self.high / self.low)
        return 100 * (value - self.low) / (self.high - self.low)

    def ticks(self) -> list[float]:
        """From two to six round values between the ends."""
        found = logarithmic_ticks if self.logarithmic else round_numbers
        return found(self.low, self.high)


def drawable(value: object) -> bool:
    """Whether a value is a number that an axis can hold."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= LARGEST


def scale_of(values: Iterable[float], *, bent_beyond: float = 8, margin: float = 0.06) -> Scale:
    """An axis that holds all of these `drawable` values, with some room at its ends.

    It is logarithmic where all are positive and the largest is more than `bent_beyond` times the smallest.
    """
    known = [float(value) for value in values]
    low, high = min(known), max(known)
    if low > 1 / LARGEST and high / low > bent_beyond:
        room = (high / low) ** margin
        return Scale(low / room, high * room, logarithmic=True)
    largest = max(abs(low), abs(high), 1 / LARGEST)
    room = (high - low) * margin if high - low > 1e-9 * largest else 0.1 * largest
    return Scale(low - room if low < 0 else max(0.0, low - room), high + room)
