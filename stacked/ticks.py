"""Round numbers to write along an axis, few enough to stand apart."""

import math

MOST = 6
"""Ticks that have room on a narrow axis."""
_CLOSEST = 0.09
"""Of the length of an axis: the least between two ticks."""


def round_numbers(low: float, high: float, most: int = MOST) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten between the ends; from two to `most` of them."""
    step = 10.0 ** math.floor(math.log10((high - low) / 2))
    while (high - low) / step > most - 1:
        step *= 2.5 if f"{step:e}".startswith("2") else 2
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [float(f"{i * step:.10g}") for i in range(first, last + 1)]


def logarithmic_ticks(low: float, high: float, most: int = MOST) -> list[float]:
    """Round numbers for an axis on which equal ratios are equally long: within one power of ten as on any axis."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for factors in ((1, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,)):
        ticks = [float(f"{factor}e{power}") for power in powers for factor in factors]
        found = [tick for tick in ticks if low <= tick <= high]
        if len(found) <= most:
            break
    if len(found) < 3:
        found = round_numbers(low, high, most)
    return _apart(found[:: math.ceil(len(found) / most)], math.log(high / low))


def _apart(ticks: list[float], length: float) -> list[float]:
    """The ticks without those that crowd the one before."""
    kept = ticks[:1]
    for tick in ticks[1:]:
        if math.log(tick / kept[-1]) >= _CLOSEST * length:
            kept.append(tick)
    return kept
