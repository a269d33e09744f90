"""Which images lie in a folder and in those below it, links followed; nothing is left out unsaid."""

import os
from pathlib import Path

import numpy as np

from stacked.errors import StackedError, mismatch
from stacked.rows import Array

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".pgm")
"""Of the names of images, in small letters or capitals."""

_OURS = {"model.json": "a saved model", "run.json": "a run", "results.json": "a comparison"}


def images_in(folder: Path) -> list[Path]:
    """The images in a folder and those below it, in the order of their paths.

    Files and folders whose names begin with a dot are left alone, and so are files of other kinds.

    Raises
    ------
    StackedError
        When there are none, a folder cannot be read or is met twice, a link leads nowhere, or it is the folder of a
        model or the like, whose pictures are no rows.
    """
    found, met = list[Path](), set[tuple[int, int]]()
    for where, folders, files in os.walk(folder, onerror=_refuse, followlinks=True):
        _check_first_time(Path(where), met)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for path in (Path(where, name) for name in files if not name.startswith(".")):
            _check_file(path)
            found += [path] if path.name.lower().endswith(ENDINGS) else []
    if not found:
        remedy = "name a folder of images, or a file"
        raise mismatch(str(folder), expected=f"images ({' '.join(ENDINGS)})", received="none", remedy=remedy)
    return sorted(found)


def names_of_folders(folder: Path) -> Array:
    """The name of the folder below `folder` in which each image lies, shape `(n,)`; None for those in none."""
    inner = [path.relative_to(folder).parts[:-1] for path in images_in(folder)]
    return np.array([parts[0] if parts else None for parts in inner], object)


def _refuse(error: OSError) -> None:
    reason = f"expected a folder that can be read, but: {error.strerror}"
    raise StackedError(f"{error.filename}: {reason}; make it readable, or move it away") from error


def _check_first_time(folder: Path, met: set[tuple[int, int]]) -> None:
    """Refuse a folder that links lead to again: it may hold itself, and its images would be rows twice."""
    status = folder.stat()
    if (status.st_dev, status.st_ino) in met:
        received, remedy = "a link to one that was met before", "remove the link"
        raise mismatch(str(folder), expected="each folder once", received=received, remedy=remedy)
    met.add((status.st_dev, status.st_ino))


def _check_file(path: Path) -> None:
    if path.name in _OURS:
        received, remedy = f"the folder of {_OURS[path.name]}", "pass a table of rows"
        raise mismatch(str(path.parent), expected="a folder of images", received=received, remedy=remedy)
    if not path.exists():
        raise mismatch(str(path), expected="a file or a folder", received="a link to nothing", remedy="remove it")
