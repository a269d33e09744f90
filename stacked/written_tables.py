"""Tables of results as files: `.npy`, HDF5 or CSV, by the name; whole or not there, and of any size."""

import contextlib
import csv
import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import open_memmap

from stacked import hdf5
from stacked.cache_entry import check_space, reserve
from stacked.errors import mismatch
from stacked.files import blaming, locked, replacing
from stacked.paths import check_free
from stacked.rows import Array, blocks
from stacked.table_names import place_of

FORMATS = (".npy", ".h5", ".hdf5", ".csv")


def check_name(path: Path, rows: str, formats: Sequence[str] = FORMATS, *, overwrite: bool) -> None:
    """Raise unless what comes of rows can be written under this name.

    Its format is to be known, and there is to be nothing, or what may be replaced, but never the rows themselves.
    """
    if path.suffix not in formats:
        expected, remedy = f"a name that ends in {', '.join(formats)}", "name it so"
        raise mismatch(str(path), expected=expected, received=path.suffix or "no ending", remedy=remedy)
    check_free(path, overwrite=overwrite)
    source = place_of(rows)
    if source is not None and path.exists() and source.path.exists() and path.samefile(source.path):
        remedy = "choose another name"
        raise mismatch("--out", expected="another file than that of the rows", received=str(path), remedy=remedy)


@contextlib.contextmanager
def written_table(
    path: Path, shape: tuple[int, int], dtype: np.dtype[Any], columns: Sequence[str], name: str = "codes"
) -> Iterator[Array]:
    """An array of this shape to be filled, which becomes a file when nothing goes wrong.

    It is a memory map, so that it may be larger than memory.

    Parameters
    ----------
    path : Path
        The file, replaced where there is one.
    shape, dtype
        Of the table.
    columns : sequence of str
        The first line of a CSV file.
    name : str
        Of the dataset in an HDF5 file.

    Raises
    ------
    StackedError
        When the file cannot be written.
    """
    with contextlib.ExitStack() as life:
        with blaming(path.parent, path.name):
            life.enter_context(locked(path))
            part = life.enter_context(replacing(path))
            values = _mapped(part, shape, dtype, name if path.suffix in (".h5", ".hdf5") else None)
        yield values
        with blaming(path.parent, path.name):
            values.flush()
            if path.suffix == ".csv":
                _write_csv(part, values, columns)
            life.close()


def write_lines(path: Path, lines: Iterable[Sequence[object]]) -> None:
    """Write a CSV file of these lines; StackedError when it cannot be written."""
    with blaming(path.parent, path.name), locked(path), replacing(path) as part:
        _write_lines(part, lines)


def _mapped(part: Path, shape: tuple[int, int], dtype: np.dtype[Any], name: str | None) -> "np.memmap[Any, Any]":
    """A map of a new file, its room reserved; HDF5 if a dataset is named, as `numpy.save` has it otherwise."""
    n_bytes = shape[0] * shape[1] * dtype.itemsize
    check_space(part.parent, n_bytes)
    if name is None:
        mapped = open_memmap(part, "w+", dtype, shape)
        offset = mapped.offset
        del mapped
    else:
        offset = hdf5.create_contiguous(part, name, shape, dtype, 0)
    with part.open("r+b") as file:
        reserve(file, offset, n_bytes)
    return np.memmap(part, dtype, "r+", offset, shape)


def _write_csv(part: Path, values: Array, columns: Sequence[str]) -> None:
    """Put text in place of the numbers, which stay readable through the map; shortest digits that give them back."""
    part.unlink()
    numbers = (tuple(map(str, row)) for _, block in blocks(values) for row in block)
    _write_lines(part, itertools.chain([columns], numbers))


def _write_lines(part: Path, lines: Iterable[Sequence[object]]) -> None:
    with part.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(lines)
        file.flush()
        os.fsync(file.fileno())
