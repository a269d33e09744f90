"""Folders that are gone at the end; those of killed processes, by the time the next is made."""

import contextlib
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from stacked.files import blaming, lock_of, locked

_PREFIX = "stacked-"
_OWNER = "owner"  # the name, in such a folder, that its process holds locked


@contextlib.contextmanager
def temporary_folder(what: str) -> Iterator[Path]:
    """A new folder for `what`, in the system's folder for temporary files; only files are to be made in it.

    Raises
    ------
    StackedError
        When no folder can be made there.
    """
    with contextlib.ExitStack() as life:
        with blaming(Path(tempfile.gettempdir()), what):
            folder = _own_folder(life)
        _remove_orphans(folder)
        yield folder


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
