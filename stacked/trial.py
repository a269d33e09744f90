"""One trial: an arm with a seed gives figures, and arrays for pictures."""

import contextlib
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import torch

from stacked.errors import DivergedError, StackedWarning
from stacked.rows import Array


@dataclass(frozen=True)
class Outcome:
    """What a trial gives.

    Parameters
    ----------
    figures : dict
        Fit for JSON; none where the trial failed.
    arrays : dict
        Name to data for pictures.
    failure : str
        Why the trial failed; empty when it did not.
    warnings : tuple of str
        What it was warned of.
    """

    figures: dict[str, Any]
    arrays: dict[str, Array] = field(default_factory=dict)
    failure: str = ""
    warnings: tuple[str, ...] = ()


Compute = Callable[[str, int, Path], Outcome]
"""What makes the outcome of an arm and a seed, given a folder for the runs of its trainings, in which an interrupted
trial finds how far it was. Spread over processes, it must be fit to be sent there."""


class Trial(NamedTuple):
    """A finished trial with its figures, or why it failed, and what it was warned of, as in `Outcome`."""

    arm: str
    seed: int
    figures: dict[str, Any]
    failure: str = ""
    warnings: Sequence[str] = ()


def run_trial(compute: Compute, arm: str, seed: int, scratch: Path, threads: int = 1) -> Outcome:
    """One trial on so many torch threads; one that diverges is a failed trial, without figures and arrays.

    The number of threads is fixed, so that the outcome does not depend on how many trials share the machine.
    """
    with _torch_threads(threads), _collected() as told:
        try:
            outcome = compute(arm, seed, scratch)
        except DivergedError as error:
            outcome = Outcome({}, failure=str(error))
    return replace(outcome, warnings=tuple(told))


@contextlib.contextmanager
def _collected() -> Iterator[list[str]]:
    """Warnings of ours, which another process could not show; others are shown as ever."""
    told: list[str] = []
    show = warnings.showwarning

    def collect(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
        if issubclass(category, StackedWarning):
            told.append(str(message))
        else:
            show(message, category, *place, **more)

    with warnings.catch_warnings():  # which puts back what shows them
        warnings.simplefilter("always", StackedWarning)
        warnings.showwarning = collect
        yield told


@contextlib.contextmanager
def _torch_threads(number: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)
