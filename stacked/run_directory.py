"""A run that can be interrupted: a folder with its finished trainings and the checkpoints of the one under way.

`run.json` says what the run is: settings, seed, and the fingerprints of its data. Started again, the same run skips
what is finished and goes on where it was, and ends with the same bits as if it had never stopped. Another is refused.
A run that ends before its first checkpoint leaves nothing.
"""

import contextlib
import hashlib
import importlib.metadata
import json
import shutil
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from stacked.checkpoints import owner_of, read_owned
from stacked.differences import differences
from stacked.errors import StackedError, StackedWarning, check_flag, check_number, mismatch
from stacked.files import blaming, locked, remove_abandoned, write_atomically
from stacked.paths import PathLike, named_path, read_plain
from stacked.randomness import Randomness, Seeded
from stacked.ranks import ALONE, Ranks
from stacked.settings import to_json
from stacked.strict_json import MOST_BYTES, parse_json
from stacked.trainings import CODES, ResumableTrainings, Trainings

FORMAT = 1

Description = dict[str, Any]
"""All that the outcome of a run depends on, fit for JSON."""
Details = dict[str, Any]
"""A part of it: settings objects, lists, numbers and text."""


class RunDirectory:
    """Where a run leaves what it needs to go on after an interruption.

    Parameters
    ----------
    folder : path
        One of its own; made if need be.
    seconds : float
        Least time between two checkpoints of a training; 0 makes one after every step.
    replace : bool
        Discard another run that the folder holds, in place of refusing it.
    """

    def __init__(self, folder: PathLike, seconds: float = 30.0, *, replace: bool = False) -> None:
        check_number("seconds", seconds, 0)
        check_flag("replace", replace)
        self.replace = replace
        self.folder, self.seconds = named_path(folder, "run").absolute(), float(seconds)

    @contextlib.contextmanager
    def opened(self, description: Description, ranks: Ranks = ALONE) -> Iterator[Trainings]:
        """The trainings of the run that is described so, while no others but the ranks of this run work on it.

        Raises
        ------
        StackedError
            When the folder holds another run or something else, is in use, or cannot be written; and on all ranks,
            when they do not agree on the run.
        """
        owner = hashlib.sha256(json.dumps(description, sort_keys=True).encode()).hexdigest()
        ranks.check_same("run", description)
        with contextlib.ExitStack() as stack:
            with ranks.agreeing():
                if ranks.leads:
                    self._take(stack, description, owner, ranks)
            with ranks.agreeing():
                if not (self.folder / "run.json").is_file():
                    expected, remedy = "the run that rank 0 has there", "name a folder on a disk that all ranks see"
                    raise mismatch(str(self.folder), expected=expected, received="none", remedy=remedy)
            yield ResumableTrainings(self.folder, owner, self.seconds, ranks)

    @property
    def states(self) -> list[Path]:
        """The checkpoints and finished trainings that it keeps."""
        return sorted(self.folder.glob("*.safetensors"))

    def remove(self) -> None:
        """Remove the run, whose outcome is kept elsewhere, unless another process is at work on it by now."""
        with contextlib.suppress(OSError), locked(self.folder / "run", wait=False):
            self._clear()
        with contextlib.suppress(OSError):  # other things in the folder stay, and it with them
            self.folder.rmdir()

    def _clear(self) -> None:
        """What the run is goes last, so that a removal that is cut short leaves a run that can be taken up again."""
        shutil.rmtree(self.folder / CODES, ignore_errors=True)
        for state in self.states:
            state.unlink()
        (self.folder / "run.json").unlink()

    @contextlib.contextmanager
    def _leaving_nothing_of_a_failed_start(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            if not self.states:
                with contextlib.suppress(OSError):
                    self._clear()
            raise

    @contextlib.contextmanager
    def _leaving_no_empty_folder(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            with contextlib.suppress(OSError):  # also where it is not empty
                self.folder.rmdir()
            raise

    def _take(self, life: contextlib.ExitStack, description: Description, owner: str, ranks: Ranks) -> None:
        """Hold the folder as long as a life lasts, and raise unless it is free for the run."""
        with self._blaming():
            if self.folder.is_file():
                expected, remedy = "a folder for the run", "name another"
                raise mismatch(str(self.folder), expected=expected, received="a file", remedy=remedy)
            self.folder.mkdir(parents=True, exist_ok=True)
            life.enter_context(self._leaving_no_empty_folder())
            life.enter_context(locked(self.folder / "run", wait=False))
            remove_abandoned(self.folder)
            remove_abandoned(self.folder / CODES)
            self._claim(json.loads(json.dumps(description)), owner, ranks)
            life.enter_context(self._leaving_nothing_of_a_failed_start())

    def _claim(self, description: Description, owner: str, ranks: Ranks) -> None:
        """Raise unless the folder is free, or holds the run that is described."""
        path = self.folder / "run.json"
        content = {"format": FORMAT, "run": description, "environment": _environment(ranks)}
        others = [path.name for path in self.folder.iterdir() if not path.name.startswith(".")]
        if not path.exists() and others:
            expected, received = "a run, or nothing at all", f"a folder that holds {others[0]!r}"
            raise mismatch(str(self.folder), expected=expected, received=received, remedy="name another folder")
        held = _read(path)
        if held is not None and not self.states:
            held = None  # nothing is lost of it
        elif held is not None and self.replace and held.get("run") != content["run"]:
            warnings.warn(f"{self.folder}: another run that was there is discarded", StackedWarning, stacklevel=7)
            self._clear()
            held = None
        if held is None:
            for state in self.states:
                read_owned(state, owner_of(owner, state), "it is made again")  # raises where the run was another
            write_atomically(path, json.dumps(content, indent=1).encode())
        else:
            self._check_same(held, content)

    def _check_same(self, held: Description, content: Description) -> None:
        if held.get("format") != FORMAT:
            expected, received = f"a run of format {FORMAT}", f"one of format {held.get('format')!r}"
            remedy = "go on with the version of stacked that began it, or name another folder"
            raise mismatch(str(self.folder), expected=expected, received=received, remedy=remedy)
        if held.get("run") != content["run"]:
            wanted, found = differences(held.get("run"), content["run"])
            remedy = "name another folder, or delete this one"
            raise mismatch(
                str(self.folder), expected=f"a run with {wanted}", received=f"one with {found}", remedy=remedy
            )
        if held.get("environment") != content["environment"]:
            now, then = differences(held.get("environment"), content["environment"])
            change = f"the run was begun with {then} and goes on with {now}, so its last bits may differ"
            warnings.warn(f"{self.folder}: {change}", StackedWarning, stacklevel=7)

    @contextlib.contextmanager
    def _blaming(self) -> Iterator[None]:
        with blaming(self.folder, "the run"):
            try:
                yield
            except TimeoutError as error:
                reason = "somebody works on this run, maybe another process; wait for the end of that"
                raise StackedError(f"{self.folder}: {reason}") from error


class Runnable(Protocol):
    """A stack or a classifier: what it is, where its random numbers come from, and where it computes."""

    settings: Any
    randomness: Randomness
    dtype: torch.dtype
    device: torch.device


@contextlib.contextmanager
def opened_run(
    run: RunDirectory | PathLike | None,
    owner: Runnable,
    what: str,
    details: Callable[[], Details],
    ranks: Ranks = ALONE,
) -> Iterator[Trainings]:
    """The trainings of a run; kept, where a folder for it is given.

    Parameters
    ----------
    run : RunDirectory or path, optional
        The folder.
    owner : Runnable
        What is trained.
    what : str
        What is done to it.
    details : callable
        Gives what else the outcome depends on; only asked for when the run is kept.
    ranks : Ranks
        Who trains together.

    Raises
    ------
    StackedError
        As `RunDirectory.opened`; when the random numbers of a run that is kept come from no seed; and when there are
        several ranks but no folder.
    """
    if run is None and ranks.size == 1:
        yield Trainings()
        return
    with ranks.agreeing():
        directory, description = _directory(run), _description(owner, what, details)
    with directory.opened(description, ranks) as kept:
        yield kept


def _directory(run: RunDirectory | PathLike | None) -> RunDirectory:
    if run is None:
        expected, remedy = "a folder that all ranks see", "pass one, for there they leave their codes"
        raise mismatch("run", expected=expected, received="None", remedy=remedy)
    return run if isinstance(run, RunDirectory) else RunDirectory(run)


def _description(owner: Runnable, what: str, details: Callable[[], Details]) -> Description:
    if not isinstance(owner.randomness, Seeded):
        expected, remedy = "a whole number, for a run that is kept", "pass one, or leave run out"
        raise mismatch("seed", expected=expected, received=type(owner.randomness).__name__, remedy=remedy)
    place = {"seed": owner.randomness.seed, "dtype": str(owner.dtype), "device": owner.device.type}
    return {"kind": what, "settings": to_json(owner.settings), **to_json(details()), **place}


def _read(path: Path) -> Description | None:
    """What `run.json` holds; None where it is not there, or, with a warning, damaged."""
    try:
        held = parse_json(read_plain(path, MOST_BYTES))
    except FileNotFoundError:
        return None
    except ValueError as error:
        warnings.warn(f"{path} is damaged ({error}) and written anew", StackedWarning, stacklevel=7)
        return None
    return held if isinstance(held, dict) else {"format": held}


def _environment(ranks: Ranks) -> Description:
    """What the last bits of a run depend on besides its description."""
    versions = {"stacked": importlib.metadata.version("stacked"), "torch": torch.__version__, "numpy": np.__version__}
    return {**versions, "threads": torch.get_num_threads(), "processes": ranks.size}
