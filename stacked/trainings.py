"""The trainings of a run: those that leave nothing, and those that can be interrupted and taken up again."""

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from stacked.callbacks import History
from stacked.checkpoints import Checkpoints, owner_of, read_owned, write_owned
from stacked.errors import DivergedError
from stacked.examples import Examples
from stacked.ranks import ALONE, Ranks
from stacked.training import Training
from stacked.training_state import finished_state, restore_finished

CODES = "codes"
"""The folder of a run in which its codes lie until it is finished."""


class Trainings:
    """Trainings of which nothing is kept."""

    codes: Path | None = None
    """Where the codes of the run may lie until it is finished."""

    def train(self, name: str, training: Training, examples: Callable[[], Sequence[Examples]]) -> History:
        """Train, unless that is done.

        Parameters
        ----------
        name : str
            For files.
        training : Training
            What to do.
        examples : callable
            Gives those to train on, and those to measure on if there are any.
        """
        return training.fit(*examples())


class ResumableTrainings(Trainings):
    """Trainings that leave checkpoints, and at their end their weights and history.

    Parameters
    ----------
    folder : Path
        Of the run.
    owner : str
        What tells the run from all others.
    seconds : float
        Least time between two checkpoints.
    ranks : Ranks
        Who trains together. All read what is there; rank 0 writes.
    """

    def __init__(self, folder: Path, owner: str, seconds: float, ranks: Ranks = ALONE) -> None:
        self._folder, self._owner, self._ranks = folder, owner, ranks
        self._seconds = seconds if ranks.leads else math.inf
        self.codes = folder / CODES

    def train(self, name: str, training: Training, examples: Callable[[], Sequence[Examples]]) -> History:
        """The same; what is finished is read, and what was interrupted goes on."""
        path = self._folder / f"{name}.safetensors"
        owner = owner_of(self._owner, path)
        checkpoints = Checkpoints(self._folder, name, owner, self._seconds)
        finished = read_owned(path, owner, "it is trained again")
        self._ranks.check_same(str(path), "there" if finished else "not there")
        if finished is None:
            with _naming_the_last(checkpoints):
                training.fit(*examples(), checkpoints=checkpoints)
        else:
            restore_finished(training, finished)
            training.warn()
        if self._ranks.leads:
            if finished is None:
                write_owned(path, owner, finished_state(training))
            checkpoints.remove()
        return training.history


@contextlib.contextmanager
def _naming_the_last(checkpoints: Checkpoints) -> Iterator[None]:
    """Say of a training that diverges where its last good state is."""
    try:
        yield
    except DivergedError as error:
        if checkpoints.last is None:
            raise
        raise DivergedError(f"{error}; the last state before that is kept in {checkpoints.last}") from error
