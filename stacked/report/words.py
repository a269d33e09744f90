"""Numbers and lists as they stand in sentences and tables."""

import math
from collections.abc import Sequence

MINUS, DASH, NBSP = "\N{MINUS SIGN}", "\N{EN DASH}", "\N{NO-BREAK SPACE}"


def number(value: object, digits: str = "") -> str:
    """A number with a true minus sign, by default in four digits; a dash for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return DASH
    if not math.isfinite(value):
        return str(value).replace("-", MINUS)
    text = f"{value:,}" if isinstance(value, int) else f"{value:{digits}}" if digits else _four_digits(value)
    return text.replace("-", MINUS)


def percent(share: object) -> str:
    """A share in per cent, with two decimals and without the sign."""
    return number(100.0 * share, ".2f") if isinstance(share, int | float) else DASH


def p_value(p: float | None) -> str:
    """How likely so large a difference is by chance."""
    return DASH if p is None else "< 0.001" if p < 0.001 else f"{p:.2g}"


def p_equals(p: float) -> str:
    """The same in a sentence."""
    return f"p{NBSP}{'' if p < 0.001 else '=' + NBSP}{p_value(p)}".replace("< ", f"<{NBSP}")


def listed(names: Sequence[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    return " and ".join(part for part in (", ".join(names[:-1]), *names[-1:]) if part)


def spelled(name: str) -> str:
    """The name of a figure or a setting as words."""
    return name.replace("_", " ").strip()


def value_in_words(value: object) -> str:
    """A plain value of settings."""
    if value is None or isinstance(value, bool):
        return {None: "none", True: "yes", False: "no"}[value]
    return number(value, ".6g") if isinstance(value, int | float) else str(value)


def seconds(value: float) -> str:
    """A time."""
    return (f"{value:,.0f}" if value >= 10 else f"{value:.2g}") + f"{NBSP}s"


def _four_digits(value: float) -> str:
    """All four of them, so that numbers below each other have as many decimals."""
    return f"{value:,.0f}" if 1e4 <= abs(value) < 1e8 else f"{value:#.4g}".removesuffix(".")
