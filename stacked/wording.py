"""Counts as they stand in sentences."""


def counted(n: int, what: str) -> str:
    """ "1 run", "2,000 runs"."""
    return f"{n:,} {what}{'' if n == 1 else 's'}"
