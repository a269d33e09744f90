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
from stacked.together import Turn


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


@dataclass(frozen=True)
class JointCompute:
    """A `Compute` that can also make the outcomes of several seeds of an arm at once.

    Parameters
    ----------
    alone : Compute
        Makes one.
    together : callable
        Makes those of an arm with several seeds; told by `turn` whose outcome the next warnings belong to.
    at_once : int
        The most seeds that are taken together.
    """

    alone: Compute
    together: Callable[[str, Sequence[int], Turn], list[Outcome]]
    at_once: int

    def __call__(self, arm: str, seed: int, scratch: Path) -> Outcome:
        return self.alone(arm, seed, scratch)


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
    told: list[str] = []
    with _torch_threads(threads), _collecting(told.append):
        try:
            outcome = compute(arm, seed, scratch)
        except DivergedError as error:
            outcome = Outcome({}, failure=str(error))
    return replace(outcome, warnings=tuple(told))


def run_together(compute: JointCompute, arm: str, seeds: Sequence[int], threads: int = 1) -> list[Outcome]:
    """Several trials of an arm at once, each with its own outcome and warnings."""
    told: list[list[str]] = [[] for _ in seeds]
    whose = 0

    def turn(number: int) -> None:
        nonlocal whose
        whose = number

    def tell(text: str) -> None:
        told[whose].append(text)

    with _torch_threads(threads), _collecting(tell):
        outcomes = compute.together(arm, seeds, turn)
    return [replace(outcome, warnings=tuple(own)) for outcome, own in zip(outcomes, told, strict=True)]


@contextlib.contextmanager
def _collecting(tell: Callable[[str], None]) -> Iterator[None]:
    """Tell of warnings of ours, which another process could not show; others are shown as ever."""
    show = warnings.showwarning

    def collect(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
        if issubclass(category, StackedWarning):
            tell(str(message))
        else:
            show(message, category, *place, **more)

    with warnings.catch_warnings():  # which puts back what shows them
        warnings.simplefilter("always", StackedWarning)
        warnings.showwarning = collect
        yield


@contextlib.contextmanager
def _torch_threads(number: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)
