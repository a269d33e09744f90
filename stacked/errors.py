"""The error and the warning users see, and the checks of single values that raise errors.

Every message names the argument, what was expected, what was received and the remedy, in one sentence.
"""

import contextlib
import math
from collections.abc import Collection, Iterator
from numbers import Integral, Real


class StackedError(ValueError):
    """Input that cannot be used, or a run that cannot go on; nothing half-written is left behind."""


class DivergedError(StackedError):
    """A training whose loss became infinite or NaN."""


class StackedWarning(UserWarning):
    """Something that works but deserves a look."""


@contextlib.contextmanager
def making_use_of(data: str, remedy: str = "") -> Iterator[None]:
    """Say of data from a file that they cannot be used, when they are not what their use takes them for."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError, IndexError, OverflowError) as error:
        reason = str(error) if isinstance(error, StackedError) else repr(error)
        raise StackedError(f"{data} cannot be used: {reason}" + (f"; {remedy}" if remedy else "")) from error


def mismatch(argument: str, *, expected: str, received: object, remedy: str) -> StackedError:
    """The error for one argument: what, expected, received, remedy, in one line whatever was received."""
    return StackedError(f"{argument}: expected {expected}, received {_in_short(received)}; {remedy}")


def check_count(argument: str, value: object, *, least: int = 1) -> None:
    """Raise unless `value` is a whole number of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, Integral) or int(value) < least:
        expected = f"a whole number of at least {least}"
        raise mismatch(argument, expected=expected, received=repr(value), remedy=f"set {argument} to such a number")


def check_number(argument: str, value: object, low: float, high: float = math.inf) -> None:
    """Raise unless `value` is a finite number in [low, high]."""
    if not _is_finite(value) or not low <= value <= high:  # type: ignore[operator]
        bounds = f"number of at least {low:g}" if high == math.inf else f"number from {low:g} to {high:g}"
        expected = "a finite number" if low == -math.inf else f"a {bounds}"
        raise mismatch(argument, expected=expected, received=repr(value), remedy=f"set {argument} within it")


def check_flag(argument: str, value: object) -> None:
    """Raise unless `value` is True or False."""
    if not isinstance(value, bool):
        raise mismatch(argument, expected="True or False", received=repr(value), remedy=f"set {argument} to one")


def check_choice(argument: str, value: object, choices: Collection[str]) -> None:
    """Raise unless `value` is one of `choices`."""
    if not isinstance(value, str) or value not in choices:
        expected = "one of " + ", ".join(repr(choice) for choice in choices)
        raise mismatch(argument, expected=expected, received=repr(value), remedy="choose one of these")


def _in_short(received: object, most: int = 400) -> str:
    text = " ".join(str(received).split())
    return text if len(text) <= most else f"{text[:most]} ..."


def _is_finite(value: object) -> bool:
    try:
        return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:  # a whole number that no float holds
        return False
