"""Files that `numpy.save` wrote, read where they lie; nothing in them is unpickled."""

import tokenize
import warnings
from pathlib import Path

from numpy.lib.format import open_memmap

from stacked.errors import StackedError, mismatch
from stacked.paths import open_plain
from stacked.rows import Array, Rows, as_rows

RAISED = (ValueError, TypeError, ArithmeticError, RuntimeError, MemoryError, SyntaxError, tokenize.TokenError)
"""What NumPy makes of damaged files, whose headers it reads as Python."""


def map_npy(path: Path) -> Rows:
    """The table in a file, shape `(n, n_inputs)`, as a memory map that is only read.

    Raises
    ------
    StackedError
        When the file cannot be read, is damaged, or holds no table of numbers.
    """
    return as_rows(map_array(path), str(path))


def map_array(path: Path) -> Array:
    """The array in a file, of any shape and dtype but objects, as a memory map; raises as `map_npy`."""
    try:
        open_plain(path).close()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what Python says to a damaged header
            return open_memmap(path, mode="r")
    except OSError as error:
        reason = f"expected a file of numpy.save, but it cannot be read: {error.strerror}"
        raise StackedError(f"{path}: {reason}; check the name of the file") from error
    except RAISED as error:
        received, remedy = f"what does not read as one ({error})", "check that it is whole, and was saved as a table"
        raise mismatch(str(path), expected="a file of numpy.save", received=received, remedy=remedy) from error
