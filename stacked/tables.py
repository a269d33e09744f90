"""Tables in files, by the names of the files: which formats are read, and how.

Light to import: what reads a format is imported where it is needed.
"""

import math
import re
from pathlib import Path
from typing import TYPE_CHECKING

from stacked.errors import mismatch
from stacked.paths import named_path

if TYPE_CHECKING:
    from stacked.rows import Rows

FORMATS = "file.h5:/path/of/dataset, file.npy, or an IDX file such as train-images-idx3-ubyte.gz"
"""The names of tables, for people."""


def read_table(name: str, dtype: str = "float32") -> "Rows":
    """The rows of a table that lies in a file.

    Parameters
    ----------
    name : str
        `file.h5:/path/of/dataset`, or `.hdf5`, where the path may be left out if the file has but one table;
        `file.npy`; or an IDX file, whose name ends in `idx` or as `idx3-ubyte`, and maybe in `.gz`.
    dtype : {"float32", "float64"}
        Of the numbers that the bytes of an IDX file are scaled to.

    Returns
    -------
    Rows
        Shape `(n, n_inputs)`. Those of an IDX file lie in memory, one row an item; bytes are read as numbers from 0
        to 1, divided by 255. All others stay in the file.

    Raises
    ------
    StackedError
        When the file cannot be read, or is no table of numbers.
    """
    in_hdf5 = re.fullmatch(r"(.+?\.(?:h5|hdf5))(?::(.*))?", name, re.DOTALL)
    if in_hdf5 is not None:
        from stacked.hdf5_tables import load_hdf5  # noqa: PLC0415 - slow to import

        return load_hdf5(*in_hdf5.groups())
    path = named_path(name, "the name of a table")
    if path.suffix == ".npy":
        from stacked.npy import map_npy  # noqa: PLC0415

        return map_npy(path)
    if re.search(r"idx(\d-ubyte)?(\.gz)?$", path.name):
        return _idx_table(path, dtype)
    raise mismatch(name, expected=FORMATS, received="another name", remedy="convert it to one of these")


def _idx_table(path: Path, dtype: str) -> "Rows":
    import numpy as np  # noqa: PLC0415 - slow to import

    from stacked.idx import read_idx  # noqa: PLC0415
    from stacked.rows import as_rows  # noqa: PLC0415
    from stacked.scaled_rows import ScaledRows  # noqa: PLC0415

    values, _ = read_idx(path)
    rows = values.reshape(len(values), math.prod(values.shape[1:])) if values.ndim > 2 else values
    return as_rows(ScaledRows(rows, 255, dtype) if rows.dtype == np.uint8 else rows, str(path))
