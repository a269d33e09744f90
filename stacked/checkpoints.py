"""Checkpoints of one training: its state every so often, the last two of them."""

import time
import warnings
from pathlib import Path

from stacked.errors import StackedError, StackedWarning, mismatch
from stacked.paths import NotPlain
from stacked.state_files import State, read_state, write_state


class Checkpoints:
    """Where a training leaves its state, and finds it again.

    Two files take turns, so that a damaged one costs the time since the one before, not all of the training.

    Parameters
    ----------
    folder : Path
        Where the files lie.
    name : str
        Of the training.
    owner : str
        What tells the run from all others; states of others are refused.
    seconds : float
        Least time between two checkpoints.
    """

    def __init__(self, folder: Path, name: str, owner: str, seconds: float) -> None:
        self._files = [folder / f"{name}.checkpoint-{turn}.safetensors" for turn in (0, 1)]
        self._owner, self._seconds = owner, seconds
        self._number, self._written = 0, time.monotonic()

    def due(self) -> bool:
        """Whether it is time for the next."""
        return time.monotonic() - self._written >= self._seconds

    def write(self, state: State) -> None:
        """Keep a state in place of the last but one."""
        self._number += 1
        write_owned(self._file(), self._owner, {"number": self._number, **state})
        self._written = time.monotonic()

    @property
    def run(self) -> str:
        """What tells the run from all others."""
        return self._owner.partition(" ")[0]

    @property
    def last(self) -> Path | None:
        """The file of the newest state; None where there is none."""
        return self._file() if self._number else None

    def newest(self) -> State | None:
        """The newest state that is whole; None where there is none."""
        found = [state for state in map(self._read, self._files) if state is not None]
        if not found:
            return None
        newest = max(found, key=_number)
        self._number = _number(newest)
        return newest

    def remove(self) -> None:
        """Remove the files: the training is finished."""
        for path in self._files:
            path.unlink(missing_ok=True)

    def _file(self) -> Path:
        return self._files[self._number % 2]

    def _read(self, path: Path) -> State | None:
        return read_owned(path, self._owner, "the training goes on from the checkpoint before, or from its start")


def _number(state: State) -> int:
    number = state.get("number")
    return number if isinstance(number, int) else 0


def owner_of(run: str, path: Path) -> str:
    """Whose a state in a file of this name is: a training's of a run."""
    return f"{run} {path.name.split('.')[0]}"


def write_owned(path: Path, owner: str, state: State) -> None:
    """Keep a state of a run.

    Raises
    ------
    StackedError
        When it cannot be written; what was there stays.
    """
    try:
        write_state(path, {"run": owner, **state})
    except OSError as error:
        remedy = "make room or give permission, and start the run again"
        raise StackedError(f"{path}: no state of the run can be kept there ({error}); {remedy}") from error


def read_owned(path: Path, owner: str, instead: str) -> State | None:
    """A state of this run; None where there is none, or, with a warning that says what happens instead, no whole one.

    Raises
    ------
    StackedError
        When it is that of another run.
    """
    try:
        state = read_state(path)
    except FileNotFoundError:
        return None
    except (IsADirectoryError, NotPlain) as error:
        raise StackedError(f"{path}: expected a file of the run, received something else; move it away") from error
    except (OSError, ValueError) as error:
        warnings.warn(f"{path} cannot be used, for {error}: {instead}", StackedWarning, stacklevel=2)
        return None
    if state.get("run") != owner:
        expected, remedy = "this training of this run", "remove the file, or name another folder"
        raise mismatch(str(path), expected=f"a state of {expected}", received="that of another", remedy=remedy)
    return state
