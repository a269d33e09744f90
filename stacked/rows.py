"""Rows: a table of numbers, shape `(n, n_inputs)`, in memory, in a memory map, or read slice by slice."""

import hashlib
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stacked.devices import dtype_named
from stacked.errors import mismatch
from stacked.frames import in_order
from stacked.hdf5_rows import Trusted, dataset_rows, is_hdf5, opened
from stacked.lazy_rows import LazyRows

BLOCK = 4096
"""Rows read and computed at a time. Fixed, because the rounding of a matrix product depends on it."""

ALIGNED = 16
"""Bytes to a multiple of which the system aligns fresh memory; elsewhere sums are split otherwise, and round so."""

Array = NDArray[Any]


class Rows(Protocol):
    """Anything with a shape and a dtype that gives NumPy arrays for slices."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def dtype(self) -> Any: ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: slice, /) -> Any: ...


def as_rows(x: Any, name: str = "x", n_inputs: int | None = None, columns: Sequence[str] = ()) -> Rows:
    """`x` as rows, after checks of rank, dtype, length and width.

    NumPy arrays, tensors and HDF5 datasets are taken without a copy (a contiguous dataset through a memory map, any
    other as `DatasetRows`); everything else must convert to an array. Of a frame whose columns have names, these
    `columns` are taken, where some are known.
    """
    x = in_order(x, columns, name) if columns else x
    if is_hdf5(x):
        dataset = opened(x, name)
        _check_table(dataset, name)
        x = dataset_rows(dataset, name, BLOCK, trusted=isinstance(x, Trusted))
    elif not isinstance(x, np.ndarray | LazyRows) or np.ma.is_masked(x):
        x = _as_table(x, name)
    _check_table(x, name)
    if n_inputs is not None and x.shape[1] != n_inputs:
        remedy = "pass rows with the columns that the model was made for, in the same order"
        raise mismatch(name, expected=f"{n_inputs} columns", received=f"{x.shape[1]}", remedy=remedy)
    return cast(Rows, x)


def to_array(x: Any, name: str, expected: str) -> Array:
    """A tensor, or whatever else NumPy can make an array of, as one."""
    if np.ma.is_masked(x):
        remedy = "remove the masked values, or fill them in"
        raise mismatch(name, expected=expected, received="an array with masked values", remedy=remedy)
    try:
        array: Array = x.detach().cpu().numpy() if isinstance(x, Tensor) else np.asarray(x)
    except (ValueError, TypeError, RuntimeError) as error:
        remedy = "pass a NumPy array of numbers, or what converts to one"
        received = f"{type(x).__name__} that does not convert ({str(error).splitlines()[0]})"
        raise mismatch(name, expected=expected, received=received, remedy=remedy) from error
    return array


def _as_table(x: Any, name: str) -> Array:
    array = to_array(x, name, "a table of numbers")
    if array.ndim == 0 and array.dtype.kind not in "fiub":
        remedy = "pass an array: open a file first, turn a sparse matrix into a dense one"
        raise mismatch(name, expected="a table of numbers", received=type(x).__name__, remedy=remedy)
    return array


def _check_table(x: Any, name: str) -> None:
    if len(x.shape) != 2:
        remedy = "make one row of each item, for instance with x.reshape(len(x), -1)"
        expected, received = "a table of shape (n, n_inputs)", f"shape {tuple(x.shape)}"
        raise mismatch(name, expected=expected, received=received, remedy=remedy)
    if x.dtype.kind not in "fiub":
        raise mismatch(name, expected="numbers", received=f"dtype {x.dtype}", remedy="convert it to float32")
    if 0 in x.shape:
        received = f"shape {tuple(x.shape)}"
        raise mismatch(name, expected="at least one row and one column", received=received, remedy="check the source")


def blocks(rows: Rows, size: int = BLOCK) -> Iterator[tuple[int, Array]]:
    """The rows in order, `size` at a time, each block with the number of its first row."""
    for start in range(0, len(rows), size):
        yield start, np.asarray(rows[start : start + size])


def value_range(rows: Rows, name: str = "x", dtype: torch.dtype = torch.float64) -> tuple[float, float]:
    """The smallest and largest value; StackedError names the first that is NaN or infinite in `dtype`."""
    stored = stored_of(rows)
    if isinstance(rows, LazyRows) and stored is not rows and rows.is_uniform:
        low, high = rows.numbers_of(torch.tensor(value_range(stored, name), dtype=torch.float64)).tolist()
        return low, high
    low, high, largest = np.inf, -np.inf, torch.finfo(dtype).max
    for start, block in blocks(rows):
        extremes = to_tensor(block).aminmax()  # NaN if any value is
        bounds = float(extremes.min), float(extremes.max)
        if not max(-bounds[0], bounds[1]) <= largest or np.isnan(bounds[0]):
            row, column = np.argwhere(~(np.abs(_as_float64(block)) <= largest))[0]
            value = block[row, column]
            kind = str(dtype).removeprefix("torch.")
            expected = f"numbers that {kind} holds" if np.isfinite(value) else "finite numbers"
            received, remedy = f"{value} in row {start + row}, column {column}", "remove or fill in such values first"
            raise mismatch(name, expected=expected, received=received, remedy=remedy)
        low, high = min(low, bounds[0]), max(high, bounds[1])
    return low, high


def stored_of(rows: Rows) -> Rows:
    """The rows as they are stored: bytes, for instance, where they are scaled as they are read."""
    stored: Rows = rows.stored if isinstance(rows, LazyRows) else rows
    return stored


def within_0_and_1(bounds: tuple[float, float]) -> bool:
    """Whether the smallest and the largest value lie in [0, 1], but for rounding."""
    return -1e-6 <= bounds[0] <= bounds[1] <= 1 + 1e-6


def addressable(rows: Rows) -> bool:
    """Whether single rows can be gathered by torch straight from where they lie."""
    if not isinstance(rows, np.ndarray) or rows.dtype not in (np.float32, np.float64, np.uint8):
        return False
    return rows.dtype.isnative and all(stride >= 0 and stride % rows.itemsize == 0 for stride in rows.strides)


def to_tensor(block: Array) -> Tensor:
    """The block as a tensor that is only read: it shares the memory of float32, float64 and uint8 arrays."""
    if not addressable(block):
        block = _as_float64(block)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given NumPy array is not writable", UserWarning)
        return torch.from_numpy(block)


def _as_float64(block: Array) -> Array:
    with np.errstate(over="ignore"):  # a long double may become infinite, and is then refused
        return block.astype(np.float64)


def fingerprint(rows: Rows) -> str:
    """SHA-256 of the dtype, the shape and every value, as hexadecimal digits."""
    digest = hashlib.sha256(f"{np.dtype(rows.dtype).str} {tuple(rows.shape)} ".encode())
    for _, block in blocks(rows):
        digest.update(np.ascontiguousarray(block).data)
    return digest.hexdigest()


def read_tensor(rows: Rows, index: slice, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Some of the rows as a tensor that is only read."""
    block = placed(rows, to_tensor(np.asarray(stored_of(rows)[index])), dtype, device)
    # Contiguous and aligned, for a matrix product rounds differently in another memory order or at odd addresses.
    block = block.contiguous()
    return block if block.data_ptr() % ALIGNED == 0 else block.clone()


def placed(rows: Rows, stored: Tensor, dtype: torch.dtype, device: torch.device) -> Tensor:
    """What some stored rows stand for, on a device."""
    x = stored if device.type == "mps" else stored.to(device)  # which has no double precision to scale in
    x = rows.numbers_of(x) if isinstance(rows, LazyRows) else x
    return x.to(dtype).to(device)


@torch.no_grad()
def map_rows(
    function: Callable[[Tensor], Tensor],
    rows: Rows,
    out: Array,
    device: torch.device,
    dtype: torch.dtype | None = None,
) -> Array:
    """Fill `out`, shape `(n, width)`, with what `function` makes of the rows, block by block.

    Parameters
    ----------
    function : callable
        Is given blocks of rows.
    rows : Rows
        The rows.
    out : array, or anything that is written to as arrays are
        Is returned.
    device : torch.device
        Where the function computes.
    dtype : torch.dtype, optional
        Of the rows that it is given; that of `out` by default.
    """
    dtype = dtype_named(out.dtype.name) if dtype is None else dtype
    for start in range(0, len(rows), BLOCK):
        block = slice(start, min(start + BLOCK, len(rows)))
        out[block] = function(read_tensor(rows, block, dtype, device)).cpu().numpy()
    return out
