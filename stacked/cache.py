"""A folder of codes on disk, keyed by what they depend on and bounded in size."""

import contextlib
import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from stacked.cache_entry import Codes, Compute, check_space, is_entry, map_entry, open_entry, write_entry
from stacked.errors import check_count
from stacked.paths import named_path
from stacked.rows import Array

_STALE_SECONDS = 24 * 3600


class CodeCache:
    """Keeps codes, so that the same layers on the same rows are computed once.

    Parameters
    ----------
    folder : path
        Where the entries lie; made when the first is written.
    max_bytes : int
        After an entry is added, those not used for longest are removed until the rest fit; 512 MiB by default.
        The newest entry stays whatever its size.

    Attributes
    ----------
    computed, reused : int
        How often codes were computed, and how often they were found.
    """

    def __init__(self, folder: str | os.PathLike[str], max_bytes: int = 2**29) -> None:
        check_count("max_bytes", max_bytes)
        self.folder, self.max_bytes = named_path(folder, "cache folder"), max_bytes
        self.computed = self.reused = 0

    def get(self, codes: Codes, compute: Compute) -> Array:
        """The codes, found or computed, as a memory map that may be written to without changing the file."""
        path = self.folder / f"{codes.key}.h5"
        found = open_entry(path, codes)
        if found is not None:
            self.reused += 1
            with contextlib.suppress(OSError):  # removed meanwhile, or a folder that is only read
                os.utime(path)
            return found
        self.computed += 1
        if os.path.lexists(path) and not is_entry(path):
            return _unnamed(codes, compute)
        return self._add(path, codes, compute)

    def check_room(self, n_bytes: int) -> None:
        """Raise when the disk of the folder, which need not exist yet, has less than `n_bytes` left."""
        folder = self.folder.absolute()
        check_space(next(place for place in (folder, *folder.parents) if place.is_dir()), n_bytes)

    def size(self) -> int:
        """Bytes that the entries take on disk."""
        return sum(status.st_size for status in self._entries().values())

    def _add(self, path: Path, codes: Codes, compute: Compute) -> Array:
        part = path.with_name(f".{codes.key}.{uuid.uuid4().hex}.part")
        try:
            write_entry(part, codes, compute)
            values = map_entry(part, codes)  # before another process may remove it again
            part.replace(path)
            values.filename = str(path.resolve())  # by which joblib opens it in other processes
        finally:
            with contextlib.suppress(NotADirectoryError):
                part.unlink(missing_ok=True)
        self._prune(newest=path)
        return values

    def _entries(self) -> dict[Path, os.stat_result]:
        """The entries with their status; another process may remove one at any time."""
        entries = {}
        for path in self.folder.glob("*.h5"):
            with contextlib.suppress(FileNotFoundError):
                if is_entry(path):
                    entries[path] = path.stat()
        return entries

    def _prune(self, newest: Path) -> None:
        """Remove the entries not used for longest beyond the bound, and what killed writers left a day ago."""
        for part in self.folder.glob(".*.part"):
            with contextlib.suppress(FileNotFoundError):
                if time.time() - part.stat().st_mtime > _STALE_SECONDS:
                    part.unlink()
        entries = self._entries()
        surplus = sum(status.st_size for status in entries.values()) - self.max_bytes
        for path, status in sorted(entries.items(), key=lambda entry: entry[1].st_mtime):
            if surplus > 0 and path != newest:
                surplus -= status.st_size
                path.unlink(missing_ok=True)


@contextlib.contextmanager
def temporary_cache() -> Iterator[CodeCache]:
    """A cache in the system's folder for temporary files that is gone at the end."""
    with tempfile.TemporaryDirectory(prefix="stacked-", ignore_cleanup_errors=True) as folder:
        yield CodeCache(folder, max_bytes=2**63)


@contextlib.contextmanager
def cache_for_run(own: CodeCache | None, folder: Path | None) -> Iterator[CodeCache]:
    """The user's own cache; without one, a cache that is gone at the end.

    In a folder of the run's it is gone when all went well, and stays for the next attempt otherwise.
    """
    if own is not None:
        yield own
    elif folder is None:
        with temporary_cache() as cache:
            yield cache
    else:
        yield CodeCache(folder, max_bytes=2**63)
        shutil.rmtree(folder, ignore_errors=True)


def _unnamed(codes: Codes, compute: Compute) -> Array:
    """Codes in a file without a name, for the case that the name is taken by something that is not ours."""
    with tempfile.TemporaryFile() as file:
        values = np.memmap(file, codes.dtype, "w+", 0, codes.shape)
    compute(values)
    return values
