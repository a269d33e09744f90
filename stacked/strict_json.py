"""JSON as this package writes it: no name twice, no NaN or infinity, nothing nested too deep.

Two readers of one file can take a repeated name in two ways, so such files are refused, not interpreted.
"""

import json
import math
from typing import Any

MOST_BYTES = 2**26
"""No description of ours is nearly as long."""


def parse_json(content: bytes) -> Any:
    """What the text says; ValueError, which says why, when it is no such JSON."""
    try:
        return json.loads(
            content.decode(), object_pairs_hook=_named_once, parse_float=_finite, parse_constant=_no_number
        )
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error


def _named_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    named = dict(pairs)
    if len(named) != len(pairs):
        repeated = next(name for number, (name, _) in enumerate(pairs) if name in dict(pairs[:number]))
        raise ValueError(f"the name {repeated[:40]!r} occurs twice")
    return named


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:40]} is beyond every float")
    return value


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is no number")
