"""Caches that are gone at the end; those of killed processes, by the time the next is made."""

import contextlib
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from stacked.cache import CodeCache
from stacked.files import blaming, lock_of, locked, remove_abandoned
from stacked.ranks import ALONE, Ranks

_PREFIX = "stacked-"
_OWNER = "owner"  # the name, in such a folder, that its process holds locked


@contextlib.contextmanager
def temporary_cache() -> Iterator[CodeCache]:
    """A cache in a new folder, in the system's folder for temporary files.

    Raises
    ------
    StackedError
        When no folder can be made there.
    """
    with contextlib.ExitStack() as life:
        with blaming(Path(tempfile.gettempdir()), "temporary codes"):
            folder = _own_folder(life)
        _remove_orphans(folder)
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


def _own_folder(life: contextlib.ExitStack) -> Path:
    """A new folder, held by this process and removed at the end of a life."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
        life.callback(_remove_if_empty, folder)
        with contextlib.suppress(FileNotFoundError):  # taken for an orphan just before it was locked
            life.enter_context(locked(folder / _OWNER))
            life.callback(_empty, folder)
            return folder


def _remove_orphans(own: Path) -> None:
    """Remove the folders of killed processes: with a lock in them that nobody holds, and of this user."""
    user = own.stat().st_uid
    for folder in own.parent.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):  # of a living process, or already gone
            status, mark = folder.lstat(), lock_of(folder / _OWNER).lstat()
            if folder != own and stat.S_ISDIR(status.st_mode) and {status.st_uid, mark.st_uid} == {user}:
                with locked(folder / _OWNER, wait=False):
                    _empty(folder)
                _remove_if_empty(folder)


def _empty(folder: Path) -> None:
    """Remove all but the lock, which is released last, so that nobody takes the name while it is being emptied."""
    for path in folder.glob("*"):
        if path != lock_of(folder / _OWNER):
            with contextlib.suppress(OSError):
                path.unlink()


def _remove_if_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):  # somebody is just locking it, or has put something into it
        folder.rmdir()
