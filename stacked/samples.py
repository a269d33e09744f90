"""A random sample of the rows of a table, in memory, however large the table is."""

from typing import NamedTuple

import numpy as np
import torch

from stacked.picked_rows import picked
from stacked.randomness import Seeded, Stream
from stacked.rows import Array, Rows
from stacked.wording import counted


class Sample(NamedTuple):
    """Some rows of a table in their order, shape `(n, n_inputs)`, their numbers in it, and how many it has."""

    rows: Array
    numbers: Array
    there_are: int

    def __str__(self) -> str:
        """How many, for people: "300 rows", or "5,000 of 60,000 rows"."""
        whole = len(self.rows) == self.there_are
        return counted(len(self.rows), "row") if whole else f"{len(self.rows):,} of {self.there_are:,} rows"


def sampled(rows: Rows, most: int, seed: int = 0) -> Sample:
    """All rows of a table of at most `most`, and otherwise so many that are drawn at random by the seed."""
    if len(rows) <= most:
        return Sample(np.asarray(rows[:]), np.arange(len(rows)), len(rows))
    numbers = drawn(len(rows), most, Seeded(seed).stream("sample"))
    return Sample(np.asarray(picked(rows, numbers)[:]), numbers, len(rows))


def drawn(n: int, most: int, stream: Stream) -> Array:
    """So many different numbers below `n`, ascending; every set of them is as likely, and `n` may be huge."""
    found: dict[int, None] = {}
    while len(found) < most:
        places = stream.uniform_(torch.empty(most, dtype=torch.float64), 0, n).long()
        found.update(dict.fromkeys(places.tolist()))
    return np.sort(np.array(list(found)[:most]))
