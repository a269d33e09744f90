"""Exports that are put in place once they were read back and agree with the model."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import torch

from stacked.errors import mismatch
from stacked.exports.subject import Subject
from stacked.files import blaming, locked, replacing, write_through
from stacked.rows import Array

Runner = Callable[[Array], Array]
"""From rows `(n, n_inputs)` to codes or outputs `(n, width)`."""


class Format(NamedTuple):
    """How the names of files end, what makes the content of one, and what opens one."""

    ending: str
    content_of: Callable[[Subject], bytes]
    opened: Callable[[BinaryIO], Runner]


_TOLERANCE = {"float32": 1e-6, "float64": 1e-12}
"""Of codes, relative to the largest."""


@dataclass(frozen=True)
class Exported:
    """A file that agrees with the model it was made from.

    Parameters
    ----------
    path : Path
        The file.
    n_bytes : int
        Its size.
    subject : Subject
        What is in it.
    deviation : float
        The largest one from the model that the check saw, relative to the largest code.
    """

    path: Path
    n_bytes: int
    subject: Subject
    deviation: float


def publish(subject: Subject, path: Path, form: Format) -> Exported:
    """Put a file of this format in place, if what is read back from it agrees with the subject.

    Raises
    ------
    StackedError
        When it does not, or the file cannot be written; what had the name before then keeps it.
    """
    content = form.content_of(subject)
    with blaming(path.parent, path.name), locked(path), replacing(path) as part:
        write_through(part, content)
        with part.open("rb") as file:
            run = form.opened(file)
        deviation = checked_deviation(subject, run, path)
    return Exported(path, len(content), subject, deviation)


def checked_deviation(subject: Subject, run: Runner, path: Path) -> float:
    """The largest deviation from the model over rows together and one alone, relative to the largest code.

    Raises
    ------
    StackedError
        When it is more than 1e-6 (float64: 1e-12) and more than four times what rounding does to the model itself.
    """
    rows = subject.sample()
    expected, received = (np.concatenate([made(rows), made(rows[:1])]) for made in (subject.reference, run))
    if (received.shape, received.dtype) != (expected.shape, expected.dtype):
        raise _disagreement(subject, path, f"{expected.dtype} {expected.shape}", f"{received.dtype} {received.shape}")
    rounding = _relative(expected[:-1], _exact(subject, rows))
    deviation, allowed = _relative(received, expected), max(_TOLERANCE[subject.dtype.name], 4 * rounding)
    if not deviation <= allowed:  # nor NaN
        raise _disagreement(subject, path, f"within {allowed:.1g} of the largest", f"a deviation of {deviation:.1g}")
    return deviation


def _relative(values: Array, expected: Array) -> float:
    wide = expected.astype(np.float64)
    return float(np.abs(values - wide).max() / (np.abs(wide).max() or 1))


@torch.no_grad()
def _exact(subject: Subject, rows: Array) -> Array:
    """Results computed in float64."""
    network = copy.deepcopy(subject.network).double()
    exact: Array = network(torch.from_numpy(rows).double()).numpy()
    return exact


def _disagreement(subject: Subject, path: Path, expected: str, received: str) -> Exception:
    remedy = "check that the weights are finite, or take another format"
    return mismatch(
        str(path), expected=f"{subject.result} of the model, {expected}", received=received, remedy=remedy
    )
