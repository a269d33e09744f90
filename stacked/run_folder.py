"""A folder that keeps the runs of a comparison, so that one that was interrupted goes on where it stopped."""

import dataclasses
import io
import json
import urllib.parse
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from stacked.comparison import Filters, Run
from stacked.errors import StackedError, mismatch
from stacked.files import write_atomically

_NONE = object()


class RunFolder:
    """The finished runs of one comparison.

    Parameters
    ----------
    folder : path
        Made if need be.
    settings : dict
        All that a run depends on besides its arm and seed, fit for JSON.

    Raises
    ------
    StackedError
        When the folder holds runs of other settings, or cannot be written.
    """

    def __init__(self, folder: Path, settings: dict[str, Any]) -> None:
        self._runs = folder / "runs"
        path = self._runs / "settings.json"
        wanted = json.loads(json.dumps(settings))
        try:
            self._runs.mkdir(parents=True, exist_ok=True)
            if path.exists():
                _check_same(folder, _json(path), wanted)
            else:
                write_atomically(path, json.dumps(wanted, indent=1).encode())
        except OSError as error:
            raise StackedError(f"{folder}: no results can be written there ({error}); name another folder") from error

    def load(self, arm: str, seed: int) -> Run | None:
        """The run; None when it has not been finished."""
        try:
            stored = _json(self._path(arm, seed))
            return Run(**{**stored, "recalls": tuple(stored["recalls"])})
        except (OSError, KeyError, TypeError):
            return None

    def store(self, run: Run, filters: Filters | None = None) -> None:
        """Keep a finished run, and its filters where pictures are wanted."""
        path = self._path(run.arm, run.seed)
        if filters is not None:
            content = io.BytesIO()
            np.savez(content, **filters._asdict())
            write_atomically(path.with_suffix(".npz"), content.getvalue())
        write_atomically(path, json.dumps(dataclasses.asdict(run)).encode())

    def filters(self, arm: str, seed: int) -> Filters | None:
        """The filters of a run; None where they were not kept."""
        path = self._path(arm, seed).with_suffix(".npz")
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                return Filters(stored["before"], stored["after"])
        except (OSError, ValueError, KeyError, EOFError, AttributeError, zipfile.BadZipFile):
            return None

    def _path(self, arm: str, seed: int) -> Path:
        return self._runs / f"{urllib.parse.quote(arm, safe='')}-{seed}.json"


def _json(path: Path) -> Any:
    """What a file holds; None when it is no JSON."""
    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return None


def _check_same(folder: Path, found: Any, wanted: dict[str, Any]) -> None:
    if found == wanted:
        return
    remedy = "name another folder, or delete this one"
    if not isinstance(found, dict):
        raise mismatch(str(folder), expected="runs with settings", received="damaged settings", remedy=remedy)
    names = [
        name for name in sorted(found.keys() | wanted.keys()) if found.get(name, _NONE) != wanted.get(name, _NONE)
    ]
    held, asked = ({name: settings[name] for name in names if name in settings} for settings in (found, wanted))
    expected, received = f"runs with {_short(asked)}, or none", f"runs with {_short(held)}"
    raise mismatch(str(folder), expected=expected, received=received, remedy=remedy)


def _short(value: Any, length: int = 300) -> str:
    text = json.dumps(value)
    return text if len(text) <= length else text[:length] + " ..."
