"""Caches that are gone at the end."""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from stacked.cache import CodeCache
from stacked.files import remove_abandoned
from stacked.ranks import ALONE, Ranks
from stacked.temporary_folder import temporary_folder


@contextlib.contextmanager
def temporary_cache() -> Iterator[CodeCache]:
    """A cache in a new folder, in the system's folder for temporary files.

    Raises
    ------
    StackedError
        When no folder can be made there.
    """
    with temporary_folder("temporary codes") as folder:
        yield CodeCache(folder, max_bytes=2**63)


@contextlib.contextmanager
def cache_for_run(own: CodeCache | None, folder: Path | None, ranks: Ranks = ALONE) -> Iterator[CodeCache]:
    """The user's own cache; without one, a cache that is gone at the end.

    In a folder of the run's it is gone when all went well, and stays for the next attempt otherwise. Of several ranks
    the first removes it.
    """
    if own is not None:
        if folder is not None:  # an attempt at the run that was killed may have left something
            remove_abandoned(own.folder)
        yield own
    elif folder is None:
        with temporary_cache() as cache:
            yield cache
    else:
        yield CodeCache(folder, max_bytes=2**63)
        if ranks.leads:
            shutil.rmtree(folder, ignore_errors=True)


def make_room(cache: CodeCache, n_bytes: int, *, kept: bool) -> str:
    """Raise unless there is room for so many bytes of codes; what to say of them."""
    # What is there may be these codes, from an earlier attempt, and makes way for them otherwise.
    cache.check_room(max(0, min(n_bytes, cache.max_bytes) - cache.size()))
    fate = f"kept within {cache.max_bytes / 1e6:,.0f} MB" if kept else "removed afterwards"
    return f"codes on disk: {n_bytes / 1e6:,.0f} MB in {cache.folder}, {fate}"
