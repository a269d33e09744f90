"""A folder of codes on disk, keyed by what they depend on and bounded in size."""

import contextlib
import os
import tempfile
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np

from stacked.cache_entry import (
    Codes,
    Compute,
    ForeignFile,
    check_space,
    is_entry,
    map_entry,
    read_codes,
    read_entry,
    reserve,
    write_entry,
)
from stacked.errors import StackedWarning, check_count, check_flag, mismatch
from stacked.files import blaming, locked, remove_abandoned
from stacked.paths import PathLike, named_path
from stacked.rows import Array


class Kept(NamedTuple):
    """What a cache says of an entry.

    `n_bytes` is what it takes on disk, `last_used` when it was written or last read, in seconds since 1970, and
    `codes` what it holds, None where its header is damaged.
    """

    path: Path
    n_bytes: int
    last_used: float
    codes: Codes | None


class CodeCache:
    """Keeps codes, so that the same layers on the same rows are computed once.

    Any number of processes and threads may share a folder: where several ask for the same codes, one computes them
    and the others wait.

    Parameters
    ----------
    folder : path
        Where the entries lie; made when the first is written.
    max_bytes : int
        After an entry is added, those not used for longest are removed until the rest fit; 512 MiB by default.
        The newest entry stays whatever its size.
    verify : bool
        Whether every value of an entry is checked when this object first opens it. Its header and its size are
        checked always.

    Attributes
    ----------
    computed, reused : int
        How often codes were computed, and how often they were found.
    """

    def __init__(self, folder: PathLike, max_bytes: int = 2**29, verify: bool = True) -> None:
        check_count("max_bytes", max_bytes)
        check_flag("verify", verify)
        self.folder, self.max_bytes, self.verify = named_path(folder, "cache folder").absolute(), max_bytes, verify
        self.computed = self.reused = 0
        self._verified: set[tuple[int, int, bytes]] = set()

    def get(self, codes: Codes, compute: Compute) -> Array:
        """The codes, found or computed, as a memory map that is only read.

        Raises
        ------
        StackedError
            When codes have to be computed, and the folder or its disk does not take them. What `compute` raises is
            passed on.
        """
        path = self.entry(codes.key)
        try:
            return self._found_or_made(path, codes, compute)
        except ForeignFile as why:
            _warn(f"{path} is left as it is, and the codes are computed, for {why}")
        self.computed += 1
        return _unnamed(codes, compute)

    def entry(self, key: str) -> Path:
        """The file of the entry with this key, whether it is there or not."""
        return self.folder / f"{key}.h5"

    def check_room(self, n_bytes: int) -> None:
        """Raise when the folder, which need not exist yet, is none, or its disk has less than `n_bytes` left."""
        folder = self.folder.absolute()
        if os.path.exists(folder) and not os.path.isdir(folder):
            expected, remedy = "a folder for codes", "name another"
            raise mismatch(str(folder), expected=expected, received="a file", remedy=remedy)
        check_space(next(place for place in (folder, *folder.parents) if os.path.isdir(place)), n_bytes)

    def size(self) -> int:
        """Bytes that the entries take on disk."""
        return sum(status.st_size for status in self._statuses().values())

    def entries(self) -> list[Kept]:
        """What is kept, the entry used last at first."""
        kept = []
        for path, status in sorted(self._statuses().items(), key=lambda entry: -entry[1].st_mtime):
            with contextlib.suppress(FileNotFoundError):  # removed by another process meanwhile
                kept.append(Kept(path, status.st_size, status.st_mtime, _codes_or_none(path)))
        return kept

    def verify_all(self) -> dict[Path, str]:
        """Read every value of every entry; the damaged ones, with what is wrong. `get` computes those again."""
        damaged = {}
        for path in sorted(self._statuses()):
            with contextlib.suppress(FileNotFoundError, ForeignFile):  # removed or replaced meanwhile
                try:
                    read_entry(path, read_codes(path)._replace(key=path.stem))
                except ValueError as why:
                    damaged[path] = str(why)
        return damaged

    def prune(self, max_bytes: int) -> list[Path]:
        """Remove the entries not used for longest until the rest fit, and return their files.

        What killed processes left half-written goes too.

        Raises
        ------
        StackedError
            When something in the folder cannot be removed.
        """
        check_count("max_bytes", max_bytes, least=0)
        return self._prune(max_bytes)

    def _found_or_made(self, path: Path, codes: Codes, compute: Compute) -> Array:
        with contextlib.suppress(FileNotFoundError, ValueError):  # who gets to repair a damaged one says so
            return self._found(path, codes)
        with contextlib.ExitStack() as lock:
            with blaming(self.folder, "codes"):
                self.folder.mkdir(parents=True, exist_ok=True)
                lock.enter_context(locked(path))
            try:
                return self._found(path, codes)  # another may have made it while this one waited
            except FileNotFoundError:
                pass
            except ValueError as why:
                _warn(f"{path} is computed again, for it cannot be used: {why}")
            self.computed += 1
            values = write_entry(path, codes, compute)
        self._prune(self.max_bytes, newest=path)
        return values

    def _found(self, path: Path, codes: Codes) -> Array:
        """The codes of an entry that is to be trusted; raises as `map_entry`."""
        entry = map_entry(path, codes)
        if self.verify and entry.identity not in self._verified:
            entry.check()
            self._verified.add(entry.identity)
        self.reused += 1
        with contextlib.suppress(OSError):  # removed meanwhile, or a folder that is only read
            os.utime(path)
        return entry.values

    def _statuses(self) -> dict[Path, os.stat_result]:
        """The entries; another process may remove one at any time."""
        statuses = {}
        for path in self.folder.glob("*.h5"):
            with contextlib.suppress(FileNotFoundError):
                if is_entry(path):
                    statuses[path] = path.stat()
        return statuses

    def _prune(self, max_bytes: int, newest: Path | None = None) -> list[Path]:
        remove_abandoned(self.folder)
        statuses, removed = self._statuses(), []
        surplus = sum(status.st_size for status in statuses.values()) - max_bytes
        for path, status in sorted(statuses.items(), key=lambda entry: entry[1].st_mtime):
            if surplus > 0 and path != newest:
                surplus -= status.st_size
                with blaming(self.folder, "the cache"):
                    path.unlink(missing_ok=True)
                removed.append(path)
        return removed


def _codes_or_none(path: Path) -> Codes | None:
    try:
        codes = read_codes(path)
    except (ValueError, ForeignFile):
        return None
    return codes if codes.key == path.stem else None


def _unnamed(codes: Codes, compute: Compute) -> Array:
    """Codes in a file without a name, for the case that the name is taken by something that is not ours."""
    folder = Path(tempfile.gettempdir())
    check_space(folder, codes.n_bytes)
    with blaming(folder, "codes"), tempfile.TemporaryFile() as file:
        reserve(file, 0, codes.n_bytes)
        values = np.memmap(file, codes.dtype, "r+", 0, codes.shape)
    compute(values)
    values.flags.writeable = False
    return values


def _warn(message: str) -> None:
    warnings.warn(message, StackedWarning, stacklevel=3)
