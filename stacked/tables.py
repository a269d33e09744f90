"""Tables in files, by the names of the files, in any format: rows, the names of their columns, and a target.

Light to import: what reads a format is imported where it is needed.
"""

import math
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from stacked.errors import StackedWarning, mismatch
from stacked.paths import named_path
from stacked.table_names import Place, place_of

if TYPE_CHECKING:
    from stacked.rows import Array, Rows

FORMATS = (
    "file.h5:/path/of/dataset, file.npy, file.npz:name, file.csv, .tsv or .parquet, an IDX file such as "
    "train-images-idx3-ubyte.gz, or a folder of images"
)
"""The names of tables, for people."""

FOLDER = "folder"
"""The target that is the name of the folder in which an image lies."""


def is_part_of(target: str, table: str) -> bool:
    """Whether a target is one of the columns of a table, or the folders of its images, and goes wherever it goes."""
    place = place_of(table)
    if place is None or not target:
        return False
    if place.format == "images":
        return target == FOLDER
    return place.format in ("text", "parquet") and place_of(target, "target") is None


class Data(NamedTuple):
    """What was read of a table.

    `rows`: numbers, shape `(n, n_inputs)`.
    `columns`: the names of the columns of the rows; empty where the format has none.
    `target`: raw values, shape `(n,)`, or None where none was asked for. Text is an array of objects, None where it
    is missing; numbers are NaN there. `targets.as_target` makes of them what a model is trained on.
    """

    rows: "Rows"
    columns: tuple[str, ...]
    target: "Array | None"


@dataclass(frozen=True)
class Wanted:
    """What is wanted of a table.

    Parameters
    ----------
    target : str, optional
        The name of a column; of a dataset in the same HDF5 or npz file; "folder" for a folder of images, in the
        folders below which the images lie by class; or another file in any format, of one column or as
        file.csv:column.
    columns : tuple of str
        These columns are the rows, in this order, and others are left alone; when empty, all but the target and those
        dropped.
    drop : tuple of str
        Columns that are left out.
    """

    target: str | None = None
    columns: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()


ALL = Wanted()
"""Every column, and no target."""


def read_table(name: str) -> "Rows":
    """The rows of a table that lies in a file; see `read_data`."""
    return read_data(name).rows


def read_data(name: str, wanted: Wanted = ALL) -> Data:
    """The rows of a table that lies in a file, and its target.

    Parameters
    ----------
    name : str
        `file.h5:/path/of/dataset`, or `.hdf5`, and `file.npz:name`, where what follows the colon may be left out if
        the file has but one table; `file.npy`; a table of named columns in a file `.csv` or `.tsv`, and maybe `.gz`,
        or `.parquet`; an IDX file, whose name ends in `idx` or as `idx3-ubyte`, and maybe in `.gz`; or a folder of
        images. Columns of text without a first line of names, which is one with words
        or one that counts the columns, are named "1", "2", and so on.
    wanted : Wanted
        The target and the columns.

    Returns
    -------
    Data
        Rows that the format lets be mapped or read slice by slice (HDF5, npy) stay in the file. All others are read,
        into memory up to `orders.MIXING_BYTES` and beyond that into a temporary file that goes with them; of IDX
        files always into memory. Numbers are as exact as the file has them: text is read as float64, Parquet as well
        unless float32 holds all its columns; a model rounds to its own dtype, minibatch by minibatch, after scaling.
        Bytes of IDX files and images are numbers from 0 to 1, divided by 255.

    Raises
    ------
    StackedError
        When the file cannot be read or is no table of numbers, a cell is no number or empty, a column or the target
        is not there, the target has another length than the rows, or a library that reads the format is missing.
    """
    place = place_of(name)
    if place is None:
        received = "another name" if named_path(name, "name").exists() else "a name of nothing that is there"
        raise mismatch(name, expected=FORMATS, received=received, remedy="convert it to one of these")
    data = _named(place, wanted) if place.format in ("text", "parquet") else _unnamed(place, wanted)
    if data.target is not None and len(data.target) != len(data.rows):
        expected, received = f"a target for each of {len(data.rows)} rows", f"{len(data.target)} values"
        remedy = "pass the labels of these very rows; a file of text must begin with a line that names its column"
        raise mismatch(f"target {wanted.target!r} of {name}", expected=expected, received=received, remedy=remedy)
    return data


def _named(place: Place, wanted: Wanted) -> Data:
    """Of a table whose columns have names."""
    from stacked.arrow_tables import open_table, read_columns  # noqa: PLC0415 - needs an optional library
    from stacked.columns import inputs_among  # noqa: PLC0415

    if place.part is not None:
        remedy = "choose columns by their names: columns, drop and target"
        raise mismatch(
            str(place.path), expected="the name of a file", received=f":{place.part} after it", remedy=remedy
        )
    table, beside = open_table(place), None
    is_column = wanted.target is None or wanted.target in table.names
    if wanted.target is not None and not is_column:
        beside = _values(_file_of_target(wanted.target, place, table.names))  # a mistake there is told at once
    column = wanted.target if is_column else None
    inputs = inputs_among(table.names, column, wanted.columns, wanted.drop, str(place.path))
    rows, target = read_columns(table, inputs, column, may_go=not wanted.columns)
    if not wanted.columns:
        _warn_of_index(place, rows, inputs[0])
    return Data(rows, inputs, target if is_column else beside)


def _warn_of_index(place: Place, rows: "Array", first: str) -> None:
    """Warn where the first column has no name and counts the rows, as the index does that a frame is written with."""
    import numpy as np  # noqa: PLC0415 - slow to import

    if first == "column 1" and len(rows) > 1 and np.array_equal(rows[:, 0] - rows[0, 0], np.arange(len(rows))):
        expected, received = (
            "columns that tell something of the rows",
            f"{first!r}, without a name, which counts them",
        )
        told = mismatch(
            str(place.path), expected=expected, received=received, remedy=f"--drop {first!r} leaves it out"
        )
        warnings.warn(str(told), StackedWarning, stacklevel=4)


def _unnamed(place: Place, wanted: Wanted) -> Data:
    """Of a table whose columns have no names: only their number can be compared with those wanted."""
    if wanted.drop:
        received, remedy = (
            f"a table without, to drop {', '.join(wanted.drop)} from",
            "drop columns of named tables only",
        )
        raise mismatch(str(place.path), expected="names of columns", received=received, remedy=remedy)
    target = None if wanted.target is None else _target_beside(place, wanted.target)
    rows = _rows(place)
    if wanted.columns and rows.shape[1] != len(wanted.columns):
        expected, received = f"the {len(wanted.columns)} columns wanted", f"{rows.shape[1]} without names"
        remedy = "pass a table with these columns"
        raise mismatch(str(place.path), expected=expected, received=received, remedy=remedy)
    return Data(rows, (), target)


def _target_beside(place: Place, target: str) -> "Array":
    """Values in the folders of images, in the same file, or in another."""
    if place.format == "images" and target == FOLDER:
        from stacked.image_files import names_of_folders  # noqa: PLC0415

        return names_of_folders(place.path)
    if place.format in ("hdf5", "npz") and place_of(target, "target") is None:
        return _values(place._replace(part=target))
    return _values(_file_of_target(target, place, ()))


def _file_of_target(target: str, place: Place, names: tuple[str, ...]) -> Place:
    """The file that a target names which is no part of the table; StackedError when it names none."""
    from stacked.columns import no_column  # noqa: PLC0415

    found = place_of(target, "target")
    if found is None and names:
        raise no_column(names, [target], f"target of {place.path}")
    if found is None:
        expected, remedy = "a file", "name a file with one value a row"
        if place.format == "images":
            expected, remedy = f'a file, or "{FOLDER}"', f'name "{FOLDER}" for the folders in which the images lie'
        raise mismatch("target", expected=expected, received=repr(target), remedy=remedy)
    return found


def _values(place: Place) -> "Array":
    from stacked.columns_in_files import read_values  # noqa: PLC0415

    return read_values(place)


def _rows(place: Place) -> "Rows":
    """The rows of a table without names, checked."""
    if place.format == "hdf5":
        from stacked.hdf5_tables import load_hdf5  # noqa: PLC0415

        return load_hdf5(place.path, place.part)
    if place.format == "npy":
        from stacked.npy import map_npy  # noqa: PLC0415

        return map_npy(place.path)
    if place.format == "images":
        from stacked.image_folders import image_rows  # noqa: PLC0415

        return image_rows(place.path)
    return _idx_table(place) if place.format == "idx" else _npz_table(place)


def _npz_table(place: Place) -> "Rows":
    from stacked.npz import npz_table  # noqa: PLC0415
    from stacked.rows import as_rows  # noqa: PLC0415

    return as_rows(npz_table(place.path, place.part), f"{place.path}" + (f":{place.part}" if place.part else ""))


def _idx_table(place: Place) -> "Rows":
    import numpy as np  # noqa: PLC0415 - slow to import

    from stacked.idx import read_idx  # noqa: PLC0415
    from stacked.rows import as_rows  # noqa: PLC0415
    from stacked.scaled_rows import ScaledRows  # noqa: PLC0415

    values, _ = read_idx(place.path)
    rows = values.reshape(len(values), math.prod(values.shape[1:])) if values.ndim > 2 else values
    return as_rows(ScaledRows(rows, 255, "float64") if rows.dtype == np.uint8 else rows, str(place.path))
