"""A folder that keeps finished trials, so that an experiment that was interrupted goes on where it stopped."""

import contextlib
import io
import json
import os
import shutil
import urllib.parse
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from stacked.differences import differences
from stacked.errors import mismatch
from stacked.files import blaming, remove_abandoned, write_atomically
from stacked.paths import open_plain, read_plain
from stacked.rows import Array
from stacked.strict_json import MOST_BYTES
from stacked.trial import Outcome, Trial

_WHAT = "results"


class TrialFolder:
    """The finished trials of one experiment.

    Parameters
    ----------
    folder : path
        Made if need be.
    settings : dict
        All that a trial depends on besides its arm and seed, fit for JSON.

    Raises
    ------
    StackedError
        When the folder holds trials of other settings, or cannot be written.
    """

    def __init__(self, folder: Path, settings: dict[str, Any]) -> None:
        self._folder, self._runs = folder, folder / "runs"
        path = self._runs / "settings.json"
        wanted = json.loads(json.dumps(settings))
        with blaming(folder, _WHAT):
            self._runs.mkdir(parents=True, exist_ok=True)
            remove_abandoned(self._runs)
            if path.exists():
                _check_same(folder, _json(path), wanted)
            elif any(self._runs.glob("[!.]*.json")):
                expected, remedy = "settings.json beside the runs", "restore it, or name another folder"
                raise mismatch(str(self._runs), expected=expected, received="runs without it", remedy=remedy)
            else:
                write_atomically(path, json.dumps(wanted, indent=1).encode())

    def load(self, arm: str, seed: int) -> Trial | None:
        """A trial; None when it has not been finished."""
        try:
            trial = _trial(_json(self._path(arm, seed)))
        except (OSError, TypeError):  # a TypeError where the file holds anything but the fields of a trial
            return None
        named = (trial.arm, trial.seed) == (arm, seed)
        if not named or not isinstance(trial.figures, dict) or not isinstance(trial.failure, str):
            return None
        self._clear(trial)  # in case its storing was cut short
        return trial

    def store(self, arm: str, seed: int, outcome: Outcome, *, arrays: bool) -> Trial:
        """Keep a finished trial, and its arrays where pictures are wanted; returns the trial as `load` will.

        Raises
        ------
        StackedError
            When the folder cannot be written.
        """
        path = self._path(arm, seed)
        stored = json.dumps(Trial(arm, seed, outcome.figures, outcome.failure, outcome.warnings)._asdict())
        packed = _packed(outcome.arrays) if arrays and outcome.arrays else None
        with blaming(self._folder, _WHAT):
            if packed is not None:
                write_atomically(path.with_suffix(".npz"), packed)
            write_atomically(path, stored.encode())  # after the arrays, for it says that the trial is finished
        trial = _trial(json.loads(stored))
        self._clear(trial)
        return trial

    def scratch(self, arm: str, seed: int) -> Path:
        """A folder for what an unfinished trial needs to go on; gone when it is finished, and kept when it failed.

        Its name is absolute, for a process that works elsewhere may be given it.
        """
        return self._runs.absolute() / "unfinished" / self._path(arm, seed).stem

    def _clear(self, trial: Trial) -> None:
        scratch = self.scratch(trial.arm, trial.seed)
        if not trial.failure and scratch.parent.exists():
            shutil.rmtree(scratch, ignore_errors=True)
            with contextlib.suppress(OSError):  # others are unfinished
                scratch.parent.rmdir()

    def arrays(self, arm: str, seed: int) -> dict[str, Array] | None:
        """The arrays of a trial by name; None where they were not kept."""
        path = self._path(arm, seed).with_suffix(".npz")
        try:
            return _unpacked(path)
        except Exception:  # a damaged archive raises nearly anything
            return None

    def _path(self, arm: str, seed: int) -> Path:
        return self._runs / f"{urllib.parse.quote(arm, safe='')}-{seed}.json"


def finished_trials(folder: Path) -> dict[str, int]:
    """How many trials of each arm the folder of an experiment keeps, those that failed among them."""
    stems = [path.stem for path in sorted((folder / "runs").glob("*-*.json"))]
    return Counter(urllib.parse.unquote(stem.rpartition("-")[0]) for stem in stems)


def _trial(fields: dict[str, Any]) -> Trial:
    """The trial of these fields; TypeError where they are those of anything else."""
    trial = Trial(**fields)
    return trial._replace(warnings=tuple(trial.warnings))


def _packed(arrays: dict[str, Array]) -> bytes:
    """NumPy's npz; array by array, for `np.savez` would pickle objects and takes some names for its own."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w") as entry:
                np.lib.format.write_array(entry, array, allow_pickle=False)
    return content.getvalue()


def _unpacked(path: Path) -> dict[str, Array]:
    """What `_packed` made; ValueError for an archive that promises more than it stores."""
    with open_plain(path) as file:
        with zipfile.ZipFile(file) as archive:
            promised = sum(entry.file_size for entry in archive.infolist())
        if promised > os.fstat(file.fileno()).st_size:
            raise ValueError("it was not written by stacked")
        file.seek(0)
        with np.load(file, allow_pickle=False) as stored:
            return dict(stored)


def _json(path: Path) -> Any:
    """What a file holds; None when it is no JSON."""
    try:
        return json.loads(read_plain(path, MOST_BYTES))
    except (ValueError, RecursionError):
        return None


def _check_same(folder: Path, found: Any, wanted: dict[str, Any]) -> None:
    if found == wanted:
        return
    remedy = "name another folder, or delete this one"
    if not isinstance(found, dict):
        raise mismatch(str(folder), expected="runs with settings", received="damaged settings", remedy=remedy)
    asked, held = differences(found, wanted)
    raise mismatch(str(folder), expected=f"runs with {asked}, or none", received=f"runs with {held}", remedy=remedy)
