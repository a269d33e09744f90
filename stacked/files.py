"""Files that are whole or not there: written beside their name under a lock, flushed to disk, renamed.

The system frees a lock when its holder dies. So what a killed process left half-written is known by its free lock.
"""

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from stacked.errors import StackedError

_LOCK, _PART = ".stacked.lock", ".stacked.part"  # no other program's files look like this
_FULL = {errno.ENOSPC, errno.EDQUOT}


@contextlib.contextmanager
def locked(path: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold the name of a file, which need not exist, against all who ask for it so, in any process or thread.

    Raises
    ------
    TimeoutError
        When it is held and `wait` is false.
    OSError
        When there is no folder of this name, or nothing can be written in it.
    """
    os.stat(f"{path.parent}{os.sep}")  # an error where there is no such folder, which FileLock would make
    beside = lock_of(path)
    # Whichever thread ends what holds it, frees it: what goes with an array ends wherever that is collected.
    with FileLock(beside, timeout=-1 if wait else 0, thread_local=False):
        try:
            yield
        finally:  # while it is held: who waits for the removed file finds that out, and asks again
            with contextlib.suppress(OSError):
                beside.unlink()


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Where to write what takes the place of a file at the end, if nothing goes wrong; the name must be `locked`."""
    part = _beside(path, _PART)
    try:
        yield part
        part.replace(path)
        _flush_names(path.parent)
    finally:
        with contextlib.suppress(NotADirectoryError):
            part.unlink(missing_ok=True)


def write_atomically(path: Path, content: bytes) -> None:
    """Put a file in place; whatever happens, its name holds the old content or the new one, whole."""
    with locked(path), replacing(path) as part, part.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def lock_of(path: Path) -> Path:
    """The file that is there while a name is `locked`, and after its holder was killed."""
    return _beside(path, _LOCK)


def remove_abandoned(folder: Path) -> None:
    """Remove what killed processes have left half-written in a folder."""
    for ending in (_PART, _LOCK):
        for left in folder.glob(f".*{ending}"):
            path = left.with_name(left.name.removeprefix(".").removesuffix(ending))
            with contextlib.suppress(Timeout, OSError), locked(path, wait=False):  # which removes the lock
                _beside(path, _PART).unlink(missing_ok=True)


@contextlib.contextmanager
def withdrawn_on_failure(*paths: Path) -> Iterator[None]:
    """Remove files and folders that were not there before, if something goes wrong; the names must be ours alone."""
    new = [path for path in paths if not os.path.lexists(path)]
    try:
        yield
    except Exception:  # not when interrupted, which may be after the last file is in place
        for path in new:
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def blaming(folder: Path, what: str) -> Iterator[None]:
    """Make of the system's refusal to write `what` in a folder an error that names both, and the remedy.

    Raises
    ------
    StackedError
        In place of an OSError.
    """
    try:
        yield
    except OSError as error:
        remedy = "make room, or name another folder" if error.errno in _FULL else "name another folder"
        why = os.strerror(error.errno) if error.errno else error  # what HDF5 says besides takes lines
        raise StackedError(f"{folder}: {what} cannot be written there ({why}); {remedy}") from error


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(f".{path.name}{ending}")


def _flush_names(folder: Path) -> None:
    """Make a rename survive a crash of the machine, where the system lets folders be flushed."""
    if os.name == "posix":
        with contextlib.suppress(OSError):  # the file is whole and in place all the same
            descriptor = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
