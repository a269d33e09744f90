"""One value for each row, such as labels, from files of every format."""

import numpy as np

from stacked.cells import MISSING
from stacked.columns import listed, no_column
from stacked.errors import mismatch
from stacked.rows import Array
from stacked.table_names import Place


def read_values(place: Place) -> Array:
    """The values of one column, shape `(n,)`.

    Parameters
    ----------
    place : Place
        The file, and the column or dataset in it, which may be left out where it has but one.

    Returns
    -------
    array
        Text as an array of objects, None where there is none; or numbers, float64 from files of text and Parquet and
        as they are stored from others.

    Raises
    ------
    StackedError
        When the file cannot be read, or holds anything but one value for each row.
    """
    if place.format in ("text", "parquet"):
        return _column_of_table(place)
    values = as_values(_stored(place), f"{place.path}" + (f":{place.part}" if place.part else ""))
    if values.dtype == object:
        values[[text in MISSING for text in values]] = None
    return values


def as_values(array: Array, name: str) -> Array:
    """An array of shape `(n,)` or `(n, 1)` as values of shape `(n,)`, in memory; text that is empty as None."""
    values = array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array
    if values.ndim != 1 or len(values) == 0:
        remedy = "name an array with one value a row"
        raise mismatch(name, expected="one value a row", received=f"shape {array.shape}", remedy=remedy)
    if values.dtype.kind in "SUO":
        return np.array([_text(value) or None for value in values.tolist()], object)
    if values.dtype.kind not in "fiub":
        remedy = "convert them to numbers or text"
        raise mismatch(name, expected="numbers or text", received=f"dtype {values.dtype}", remedy=remedy)
    return values.astype(values.dtype.newbyteorder("="))


def _text(value: object) -> str:
    """The text of a value, empty for None and NaN."""
    if value is None or value != value:  # noqa: PLR0124 - as only NaN is
        return ""
    return value.decode(errors="replace").strip() if isinstance(value, bytes) else str(value).strip()


def _column_of_table(place: Place) -> Array:
    from stacked.arrow_tables import open_table, read_column  # noqa: PLC0415 - needs an optional library

    table = open_table(place)
    if place.part is None and len(table.names) > 1:
        received, remedy = f"a table of {listed(table.names)}", f"name one, as in {place.path.name}:{table.names[0]}"
        raise mismatch(str(place.path), expected="one column", received=received, remedy=remedy)
    name = table.names[0] if place.part is None else place.part
    if name not in table.names:
        raise no_column(table.names, [name], str(place.path))
    return read_column(table, name)


def _stored(place: Place) -> Array:
    """The values as they are stored in files of arrays."""
    if place.format == "npy":
        from stacked.npy import map_array  # noqa: PLC0415

        return map_array(place.path)
    if place.format == "npz":
        from stacked.npz import npz_column  # noqa: PLC0415

        return npz_column(place.path, place.part)
    if place.format == "idx":
        from stacked.idx import read_idx  # noqa: PLC0415

        return read_idx(place.path)[0]
    if place.format == "hdf5":
        from stacked.hdf5_tables import hdf5_column  # noqa: PLC0415

        return hdf5_column(place.path, place.part)
    raise mismatch(str(place.path), expected="a file", received="a folder", remedy="name one with one value a row")
