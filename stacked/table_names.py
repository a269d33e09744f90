"""The names of tables: which file, which format, and which part of the file."""

import re
from pathlib import Path
from typing import NamedTuple

from stacked.paths import named_path

_IN_PARTS = re.compile(r"(.+?\.(?:(h5|hdf5)|(npz)|((?:csv|tsv)(?:\.gz)?)|(parquet)))(?::(.*))?", re.DOTALL)
_KINDS = ("hdf5", "npz", "text", "parquet")


class Place(NamedTuple):
    """Where a table lies: a file or folder, its format, and the part of the file that is named, if any.

    `format` is hdf5, npz, text, parquet, npy, idx or images.
    """

    path: Path
    format: str
    part: str | None = None


def place_of(name: str, argument: str = "the name of a table") -> Place | None:
    """Where the table of this name lies, whether it is there or not; None for names of no format.

    Raises
    ------
    StackedError
        When it is no name of a file.
    """
    path = named_path(name, argument)
    found = _IN_PARTS.fullmatch(name)
    if found is not None and not path.is_dir():
        kinds = found.groups()[1:-1]
        return Place(Path(found[1]), next(kind for kind, there in zip(_KINDS, kinds, strict=True) if there), found[6])
    if path.suffix == ".npy":
        return Place(path, "npy")
    if re.search(r"idx(\d-ubyte)?(\.gz)?$", path.name):
        return Place(path, "idx")
    return Place(path, "images") if path.is_dir() else None
