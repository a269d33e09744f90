"""Paths that users name, and files that are opened only where they are plain files.

A pipe may never end and a device may hold anything, so neither is read.
"""

import os
import stat
from pathlib import Path
from typing import BinaryIO

from stacked.errors import mismatch

PathLike = str | os.PathLike[str]


class NotPlain(OSError):
    """A file that is not read, for a reason of ours; `strerror` has it, as for errors of the system."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.strerror = reason


def named_path(value: object, argument: str) -> Path:
    """The path that an argument names; StackedError for what is no name."""
    name = os.fspath(value) if isinstance(value, str | os.PathLike) else None
    if not isinstance(name, str) or not name or "\0" in name:
        raise mismatch(argument, expected="a path", received=repr(value), remedy="pass the name of a file or folder")
    return Path(name)


def check_free(path: Path, *, overwrite: bool) -> None:
    """Raise where there is something of this name that may not be replaced."""
    if os.path.lexists(path) and not overwrite:
        expected, remedy = "a name that is free", "choose another, or pass --overwrite"
        raise mismatch(str(path), expected=expected, received="a file that is there", remedy=remedy)


def open_plain(path: Path) -> BinaryIO:
    """Open a file to read its bytes.

    Raises
    ------
    OSError
        When it cannot be read; `NotPlain` when it is a pipe, a device or the like. Its `strerror` says why.
    """
    file = open(path, "rb", opener=_open_at_once)  # noqa: SIM115 (handed over)
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise NotPlain("Not a plain file")
    return file


def read_plain(path: Path, most: int) -> bytes:
    """All bytes of a file.

    Raises
    ------
    OSError
        As `open_plain`; also when there are more than `most` bytes, none of which is then read.
    """
    with open_plain(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > most:
            raise NotPlain(f"It has {size} bytes, more than the {most} it can need")
        return file.read(size)


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))  # a pipe without a writer would be waited for
