"""Rows that are not an array: slices of them are, and what is stored may stand for other numbers."""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor


class LazyRows(ABC):
    """A table that is read slice by slice. Indexing gives NumPy arrays, and `np.asarray` all of it.

    Attributes
    ----------
    dtype : numpy.dtype
        Of the arrays.
    """

    dtype: np.dtype[Any]

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """(n, n_inputs)"""

    @abstractmethod
    def __getitem__(self, index: slice, /) -> NDArray[Any]: ...

    def __len__(self) -> int:
        return self.shape[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return self[:] if dtype is None else self[:].astype(dtype, copy=False)

    @property
    def stored(self) -> Any:
        """The rows as they are stored, of the same shape: these themselves, unless they are made of others."""
        return self

    @property
    def is_uniform(self) -> bool:
        """Whether equal stored values stand for equal numbers, and greater ones for greater, in all columns."""
        return True

    def numbers_of(self, stored: Tensor) -> Tensor:
        """What some stored rows stand for, shape `(n, n_inputs)`."""
        return stored

    def over(self, stored: Any) -> Any:
        """The rows that other stored ones stand for in the same way."""
        return stored
