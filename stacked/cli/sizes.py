"""Sizes in bytes as people write them: 1 MB is 10^6 bytes, 1 MiB is 2^20."""

import re

from stacked.errors import mismatch

_UNITS = {"": 1, "b": 1}
_UNITS |= {f"{prefix}b": 1000**power for power, prefix in enumerate("kmgt", start=1)}
_UNITS |= {f"{prefix}ib": 1024**power for power, prefix in enumerate("kmgt", start=1)}


def parse_size(text: str, name: str) -> int:
    """Bytes of a size such as "512MB", "1.5 GiB" or "1000000".

    Raises
    ------
    StackedError
        When it is no size; it names the argument `name`.
    """
    parts = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]*)", text.strip().lower(), re.ASCII)
    if parts is None or parts[2] not in _UNITS:
        remedy = "write a number of bytes, or one with B, kB, MB, GB, TB, KiB, MiB, GiB or TiB"
        raise mismatch(name, expected="a size such as 512MB or 2GiB", received=repr(text), remedy=remedy)
    whole, _, decimals = parts[1].partition(".")
    return int(whole + decimals) * _UNITS[parts[2]] // int(10 ** len(decimals))


def shown_size(n_bytes: int) -> str:
    """The size in MB, with one decimal."""
    return f"{n_bytes / 1e6:,.1f} MB"
