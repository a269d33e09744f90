"""Everything that writes, in a folder that takes no more: run as a process of its own, which prints what came of it.

Command: python hindered_writes.py HINDRANCE FOLDER. Small disks are mounted on the folder, so that the process needs
a mount namespace of its own for them.
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable as Function
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple
from unittest import mock

import numpy as np

from stacked import (
    Callback,
    CodeCache,
    CodeIndex,
    Plain,
    StackedAutoencoder,
    StackedError,
    TrainingConfig,
    load_index,
    load_stack,
    save,
)
from stacked.state_files import read_state
from stacked.trial import Outcome
from stacked.trial_folder import TrialFolder

DISK_BYTES = 8 * 2**20
_PAGE = 4096
NOBODY = 65534
ROWS = np.random.default_rng(0).random((2000, 40), dtype=np.float32)
SMALL, LARGE = ROWS[:50], np.tile(ROWS, (5, 1))
CONFIG = TrainingConfig(epochs=1, batch_size=50)


def trained(n_units: int, seed: int) -> StackedAutoencoder:
    """A stack of two layers; with many units its weights are large."""
    return StackedAutoencoder([Plain(n_units), Plain(5)], CONFIG, seed=seed).fit(SMALL, progress=False)


class Work(NamedTuple):
    """Something that writes into a folder: what it left before, what it tries now, whether the former is intact."""

    before: Function[[], object]
    attempt: Function[[], object]
    intact: Function[[], bool]


class Filler(Callback):
    """Takes the rest of the disk during a training, when the room for the codes has already been checked."""

    def __init__(self, fill) -> None:
        self._fill = fill

    def on_epoch(self, training, record) -> None:
        self._fill()


def works(folder: Path, fill) -> dict[str, Work]:
    """All that writes. `fill` takes what is left of the disk."""
    small, large = trained(8, seed=0), trained(4000, seed=1)
    codes = small.encode(SMALL)
    runs = {"settings": 1}
    arrays = {"weights": np.zeros((500, 500))}

    def cached(x: np.ndarray) -> np.ndarray:
        stack = trained(8, seed=0)
        stack.cache = CodeCache(folder / "cache")
        return stack.encode(x)

    def fitted(x: np.ndarray, *callbacks: Callback) -> StackedAutoencoder:
        layers = [Plain(40), Plain(5)]
        return StackedAutoencoder(layers, CONFIG, cache=folder / "fit").fit(x, callbacks=callbacks, progress=False)

    def cached_unchecked(pages_left: int) -> None:
        fill(pages_left)
        with mock.patch.object(shutil, "disk_usage", return_value=SimpleNamespace(free=2**60)):
            cached(LARGE)

    def same(found: np.ndarray) -> bool:
        return bool(np.array_equal(found, codes))

    def kept(name: str) -> StackedAutoencoder:
        stack = StackedAutoencoder([Plain(8), Plain(5)], CONFIG)
        return stack.fit(SMALL, run=folder / name, progress=False)

    def readable(run: Path) -> bool:
        return [len(read_state(path)) > 0 for path in run.glob("*.safetensors")] == [True, True]

    def whole(cache: Path, n_entries: int) -> bool:
        return len(CodeCache(cache).entries()) == n_entries and not CodeCache(cache).verify_all()

    def stored(seed: int) -> None:
        TrialFolder(folder / "runs", runs).store("arm", seed, Outcome({"error": 0.5}, arrays), arrays=seed > 0)

    return {
        "cache": Work(lambda: cached(SMALL), lambda: cached(LARGE), lambda: same(cached(SMALL))),
        "model": Work(
            lambda: save(small, folder / "model"),
            lambda: save(large, folder / "model"),
            lambda: same(load_stack(folder / "model").encode(SMALL)),
        ),
        "new model": Work(lambda: None, lambda: save(large, folder / "new-model"), lambda: True),
        "index": Work(
            lambda: CodeIndex(small).add(SMALL).save(folder / "index"),
            lambda: CodeIndex(small).add(LARGE).save(folder / "index"),
            lambda: same(load_index(folder / "index").codes(np.arange(50))),
        ),
        "index of another stack": Work(
            lambda: None,
            lambda: CodeIndex(large).add(SMALL).save(folder / "index"),
            lambda: same(load_index(folder / "index").codes(np.arange(50))),
        ),
        "fit": Work(lambda: fitted(SMALL), lambda: fitted(LARGE), lambda: whole(folder / "fit", 1)),
        "fit, filled meanwhile": Work(
            lambda: None, lambda: fitted(ROWS[:1000], Filler(fill)), lambda: whole(folder / "fit", 1)
        ),
        "trial": Work(
            lambda: stored(0),
            lambda: stored(1),
            lambda: TrialFolder(folder / "runs", runs).load("arm", 0).figures == {"error": 0.5},
        ),
        "new trials": Work(lambda: None, lambda: TrialFolder(folder / "new-runs", runs), lambda: True),
        "run": Work(lambda: kept("run"), lambda: kept("new-run"), lambda: readable(folder / "run")),
        "cache, filled meanwhile": Work(lambda: None, lambda: cached_unchecked(0), lambda: same(cached(SMALL))),
        "cache, filled by the codes": Work(lambda: None, lambda: cached_unchecked(2), lambda: same(cached(SMALL))),
    }


Hindrance = tuple[Path, Function[..., object], Function[[], object]]
"""The folder to work in, what hinders writing there, and what makes it possible again."""


def content(folder: Path) -> dict[str, int]:
    """Every file below the folder, with its size."""
    return {str(path.relative_to(folder)): path.stat().st_size for path in folder.rglob("*") if path.is_file()}


def came_of(work: Work, folder: Path) -> dict[str, object]:
    """The message of the attempt, whether what was there is intact, and which files have come or changed."""
    before = content(folder)
    try:
        work.attempt()
        message = ""
    except StackedError as error:
        message = str(error)
    return {
        "message": message,
        "changed": sorted(set(before.items()) ^ set(content(folder).items())),
        "intact": work.intact(),
    }


@contextlib.contextmanager
def full_disk(folder: Path) -> Iterator[Hindrance]:
    """A small disk that fills up."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", folder], check=True)
    filler = folder / "filler"

    def fill(pages_left: int = 0) -> None:
        with filler.open("ab") as file, contextlib.suppress(OSError):
            while True:
                os.write(file.fileno(), b"0" * _PAGE)
        os.truncate(filler, filler.stat().st_size - pages_left * _PAGE)

    yield folder / "work", fill, lambda: filler.unlink(missing_ok=True)


@contextlib.contextmanager
def read_only_disk(folder: Path) -> Iterator[Hindrance]:
    """A disk that is only read."""
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], check=True)

    def remount(pages_left: int = 0) -> None:
        subprocess.run(["mount", "-o", "remount,ro", folder], check=True)

    yield folder / "work", remount, lambda: None


@contextlib.contextmanager
def forbidden_folder(folder: Path) -> Iterator[Hindrance]:
    """Folders without permission to write, for a user who needs it."""

    def forbid(pages_left: int = 0) -> None:
        if os.getuid() == NOBODY:
            return
        for path in [folder, *folder.rglob("*")]:
            path.chmod(0o555 if path.is_dir() else 0o444)
        if os.getuid() == 0:
            os.setuid(NOBODY)

    yield folder / "work", forbid, lambda: None


HINDRANCES = {"full": full_disk, "read-only": read_only_disk, "forbidden": forbidden_folder}


def main(hindrance: str, place: str) -> None:
    """Leave something of everything, hinder, try everything, and print what came of it."""
    with HINDRANCES[hindrance](Path(place)) as (folder, hinder, relieve):
        folder.mkdir()
        every = works(folder, hinder)
        for work in every.values():
            work.before()
        hinder()
        found = {}
        for name, work in every.items():
            if name == "fit, filled meanwhile":
                relieve()
            found[name] = came_of(work, folder)
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
