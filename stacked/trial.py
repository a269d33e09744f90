"""One trial: an arm with a seed gives figures, and arrays for pictures."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch

from stacked.errors import DivergedError
from stacked.rows import Array


@dataclass(frozen=True)
class Outcome:
    """What a trial gives.

    Parameters
    ----------
    figures : dict
        Fit for JSON. A trial that failed has only `failure`, which says why.
    arrays : dict
        Name to data for pictures.
    """

    figures: dict[str, Any]
    arrays: dict[str, Array] = field(default_factory=dict)


Compute = Callable[[str, int], Outcome]
"""What makes the outcome of an arm and a seed. Spread over processes, it must be fit to be sent there."""


class Trial(NamedTuple):
    """A finished trial and its figures."""

    arm: str
    seed: int
    figures: dict[str, Any]

    @property
    def failure(self) -> str:
        """Why the trial failed; empty when it did not."""
        return str(self.figures.get("failure", ""))


def run_trial(compute: Compute, arm: str, seed: int, threads: int = 1) -> Outcome:
    """One trial on so many torch threads; one that diverges is a failed trial, without arrays.

    The number of threads is fixed, so that the outcome does not depend on how many trials share the machine.
    """
    with _torch_threads(threads):
        try:
            return compute(arm, seed)
        except DivergedError as error:
            return Outcome({"failure": str(error)})


@contextlib.contextmanager
def _torch_threads(number: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)
