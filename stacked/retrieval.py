"""Search by codes: the rows whose codes are nearest to those of a query, as Krizhevsky and Hinton (2011) find images.

Codes here are real numbers and compared exactly.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from stacked.devices import numpy_dtype
from stacked.errors import StackedError, mismatch
from stacked.index_files import encoders_key, read_index, write_index
from stacked.joined_rows import JoinedRows
from stacked.neighbours import Neighbours, check_k, nearest_rows
from stacked.paths import PathLike, named_path
from stacked.rows import Array, to_array, value_range
from stacked.stack import StackedAutoencoder


class CodeIndex:
    """The codes of rows, to be searched for those nearest to the codes of other rows.

    Rows are numbered from 0 in the order they were added; they themselves are not kept, only their codes.

    Parameters
    ----------
    stack : StackedAutoencoder
        Trained. With a cache, codes are memory maps of its entries, otherwise arrays in memory.
    depth : int, optional
        How many layers make the codes; all by default.

    Attributes
    ----------
    stack : StackedAutoencoder
        The same.
    depth : int
        How many layers make the codes.
    """

    def __init__(self, stack: StackedAutoencoder, depth: int | None = None) -> None:
        if not isinstance(stack, StackedAutoencoder):
            expected, remedy = "a StackedAutoencoder", "pass the trained stack itself"
            raise mismatch("stack", expected=expected, received=type(stack).__name__, remedy=remedy)
        layers = stack.up_to(depth)
        self.stack, self.depth = stack, len(layers)
        self._encoders = encoders_key(layers)
        self._codes = JoinedRows(layers[-1].settings.n_units, numpy_dtype(stack.dtype))

    def __len__(self) -> int:
        return len(self._codes)

    def add(self, x: Any) -> "CodeIndex":
        """Append the codes of rows.

        Parameters
        ----------
        x : array, tensor or HDF5 dataset
            Rows, shape `(n, n_inputs)`.

        Raises
        ------
        StackedError
            When the rows do not suit the stack, or the stack is no longer the one that made the other codes.
        """
        self._append(self._encode(x))
        return self

    def search(self, x: Any, k: int = 10) -> Neighbours:
        """The `k` rows of the index whose codes are nearest to those of each row of `x`; see `nearest`.

        Parameters
        ----------
        x : array, tensor or HDF5 dataset
            Rows, shape `(n, n_inputs)`.
        k : int
            How many neighbours each row gets, at most the length of the index.

        Raises
        ------
        StackedError
            When the index is empty, the rows do not suit the stack, or the stack is no longer the one that made the
            codes.
        """
        self._check_filled()
        check_k(k, len(self))
        codes = self._encode(x)
        value_range(codes, "codes of x", torch.float32)
        return nearest_rows(self._codes, codes, k)

    def codes(self, numbers: Any) -> Array:
        """The codes of the rows of these numbers, any shape `(...)`; the result has shape `(..., n_units)`."""
        self._check_filled()
        array = to_array(numbers, "numbers", "whole numbers")
        if array.dtype.kind not in "iu":
            remedy = "pass numbers of rows, such as search returns"
            raise mismatch("numbers", expected="whole numbers", received=f"dtype {array.dtype}", remedy=remedy)
        outside = array[(array < 0) | (array >= len(self))]
        if outside.size:
            expected, remedy = f"rows from 0 to {len(self) - 1}", "pass numbers of rows that were added"
            raise mismatch("numbers", expected=expected, received=outside[0], remedy=remedy)
        return self._codes.take(array.astype(np.int64))

    def decode(self, numbers: Any) -> Array:
        """What the codes of the rows of these numbers, any shape `(...)`, decode to, shape `(..., n_inputs)`."""
        codes = self.codes(numbers)
        self._check_stack()
        rows = self.stack.decode(codes.reshape(-1, codes.shape[-1]), self.depth)
        return rows.reshape(*codes.shape[:-1], rows.shape[1])

    def save(self, folder: PathLike) -> Path:
        """Write the index and its stack into a folder, in place of an earlier index, and return the folder.

        Raises
        ------
        StackedError
            When the index is empty, its stack is no longer the one that made the codes, or the folder cannot be
            written.
        """
        self._check_filled()
        self._check_stack()
        path = named_path(folder, "folder")
        write_index(path, self.stack, self.depth, self._codes)
        return path

    def _encode(self, x: Any) -> Array:
        self._check_stack()
        return self.stack.encode(x, self.depth)

    def _append(self, codes: Array) -> None:
        value_range(codes, "codes of x", torch.float32)  # what comes out of large rows need not be finite
        self._codes.append(codes)

    def _check_filled(self) -> None:
        if not len(self):
            raise StackedError("the index: expected at least one row, received none; call add(x) first")

    def _check_stack(self) -> None:
        if encoders_key(self.stack.up_to(self.depth)) != self._encoders:
            expected, received = "the weights it had when the index was made", "others"
            remedy = "make a new CodeIndex after training, and add the rows again"
            raise mismatch("the stack", expected=expected, received=received, remedy=remedy)


def load_index(folder: PathLike, *, device: str = "cpu") -> CodeIndex:
    """The index that was saved in a folder; searching it gives the same bits.

    Parameters
    ----------
    folder : path
        Where `CodeIndex.save` wrote it. Its codes are read through a memory map, so it must stay as it is.
    device : str
        Where the stack encodes and decodes.

    Raises
    ------
    StackedError
        When the folder holds no index, or one that is damaged or of another version.
    """
    stack, depth, codes = read_index(named_path(folder, "folder"), device)
    index = CodeIndex(stack, depth)
    index._append(codes)
    return index
