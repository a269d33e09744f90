"""Files that are whole or not there: written beside their name under a lock, flushed to disk, renamed.

The system frees a lock when its holder dies. So what a killed process left half-written is known by its free lock.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout


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
    beside = path.with_name(f".{path.name}.lock")
    with FileLock(beside, timeout=-1 if wait else 0):
        try:
            yield
        finally:  # while it is held: who waits for the removed file finds that out, and asks again
            with contextlib.suppress(OSError):
                beside.unlink()


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Where to write what takes the place of a file at the end, if nothing goes wrong; the name must be `locked`."""
    part = path.with_name(f".{path.name}.part")
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


def remove_abandoned(folder: Path) -> None:
    """Remove what killed processes have left half-written in a folder."""
    for ending in (".part", ".lock"):
        for left in folder.glob(f".*{ending}"):
            path = left.with_name(left.name.removeprefix(".").removesuffix(ending))
            with contextlib.suppress(Timeout, OSError), locked(path, wait=False):
                left.unlink(missing_ok=True)


def _flush_names(folder: Path) -> None:
    """Make a rename survive a crash of the machine, where the system lets folders be flushed."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
