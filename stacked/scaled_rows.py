"""Rows kept as they are stored, such as pixels as bytes, and scaled as they are read."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from stacked.devices import dtype_named
from stacked.lazy_rows import LazyRows
from stacked.rows import Array, Rows, stored_of, to_tensor


class ScaledRows(LazyRows):
    """Rows from which a shift is subtracted, and which are divided, as they are read.

    Bytes and numbers of single precision are scaled in the dtype of the result, all others in double precision, so
    that a column of large numbers that differ little loses nothing. Wherever the rows lie, the result has the same
    bits; of bytes it has those of `stored.astype(dtype) / divisor`, in a quarter of the memory.

    Parameters
    ----------
    source : Rows
        Shape `(n, n_inputs)`; maybe scaled already.
    divisor : float or array
        Of all columns, or one a column, shape `(n_inputs,)`.
    dtype : str or numpy.dtype
        Of the rows that are read, float32 or float64.
    shift : float or array
        The same for what is subtracted before.
    """

    def __init__(
        self, source: Rows, divisor: float | Array, dtype: Any = "float32", shift: float | Array = 0.0
    ) -> None:
        self.source, self.dtype = source, np.dtype(dtype)
        self.divisor, self.shift = np.asarray(divisor, np.float64), np.asarray(shift, np.float64)
        self._torch_dtype = dtype_named(self.dtype.name)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.source.shape

    @property
    def stored(self) -> Rows:
        return stored_of(self.source)

    @property
    def is_uniform(self) -> bool:
        below = self.source.is_uniform if isinstance(self.source, LazyRows) else True
        return below and self.divisor.ndim == self.shift.ndim == 0 and bool(self.divisor > 0)

    def __getitem__(self, index: slice) -> Array:
        numbers: Array = self.numbers_of(to_tensor(np.asarray(self.stored[index]))).numpy()
        return numbers

    def numbers_of(self, stored: Tensor) -> Tensor:
        if isinstance(self.source, LazyRows):
            stored = self.source.numbers_of(stored)
        precise = stored.dtype == torch.float64
        x = stored.to(torch.float64 if precise else self._torch_dtype)
        if self.shift.any():
            x = x - self._beside(self.shift, x)
        elif x is stored:
            x = x.clone()
        return x.div_(self._beside(self.divisor, x)).to(self._torch_dtype)

    def over(self, stored: Rows) -> "ScaledRows":
        source = self.source.over(stored) if isinstance(self.source, LazyRows) else stored
        return ScaledRows(source, self.divisor, self.dtype, self.shift)

    def _beside(self, numbers: Array, x: Tensor) -> Tensor:
        return to_tensor(numbers).to(x)
