"""The nearest rows of a table by Euclidean distance, exactly, block by block.

The library is read twice for every block of queries. First |q|^2 + |c|^2 - 2 q.c, one matrix product a block, bounds
every squared distance from above, and the k-th smallest bound is a limit within which k rows certainly lie. Then the
rows that a lower bound does not put beyond the limit, hardly more than k, are compared as they are. The bounds allow
for all that rounding can do, so that no neighbour is missed, and neither the distances nor the order depend on the
blocks or the threads.
"""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stacked.errors import check_count, mismatch
from stacked.rows import Array, Rows, as_rows, blocks, value_range

QUERY_BLOCK = 1024
"""Queries searched together: the library is read twice for every so many."""

LIBRARY_BLOCK = 4096
"""Rows of the library that are in memory at a time."""

_NUMBERS = torch.finfo(torch.float64)


class Neighbours(NamedTuple):
    """The nearest rows of every query, nearest first; those equally near in the order of their numbers.

    `distances`: Euclidean, float64, shape `(n_queries, k)`.
    `numbers`: which rows of the library they are, from 0, int64, the same shape.
    """

    distances: NDArray[np.float64]
    numbers: NDArray[np.int64]


def nearest(library: Any, queries: Any, k: int) -> Neighbours:
    """The `k` rows of the library nearest to each query, by Euclidean distance in float64.

    Neither table need fit in memory. Besides the result, a search takes about 3 float64 numbers for every pair of the
    1024 queries and 4096 library rows in hand, 4 for each of those queries' `k` neighbours, and 5 for every value of
    these rows: 0.4 GB for 784 columns and k = 1000.

    Parameters
    ----------
    library : array, tensor or HDF5 dataset
        Rows to search, shape `(n, n_columns)`.
    queries : the same
        Rows whose neighbours are wanted, shape `(n_queries, n_columns)`.
    k : int
        How many neighbours each query gets, at most `n`.

    Raises
    ------
    StackedError
        When the tables do not have the same columns, or hold NaN or numbers beyond float32, whose squares could
        overflow; when `k` is more than the rows there are.
    """
    searched = as_rows(library, "library")
    asked = as_rows(queries, "queries", searched.shape[1])
    check_k(k, len(searched))
    value_range(searched, "library", torch.float32)
    value_range(asked, "queries", torch.float32)
    return nearest_rows(searched, asked, k)


def check_k(k: int, n_rows: int) -> None:
    """Raise unless `k` is a whole number from 1 to the number of rows."""
    check_count("k", k)
    if k > n_rows:
        remedy = "lower k, or search more rows"
        raise mismatch("k", expected=f"at most {n_rows}, the rows there are", received=k, remedy=remedy)


def nearest_rows(library: Rows, queries: Rows, k: int) -> Neighbours:
    """`nearest` for rows that have been checked."""
    found = Neighbours(np.full((len(queries), k), np.inf), np.zeros((len(queries), k), np.int64))
    # Products of rows far from zero cancel; the distances are the same from any centre.
    centre = _float64(library[:LIBRARY_BLOCK]).mean(axis=0)
    for start, asked in _blocks(queries, QUERY_BLOCK, centre):
        limits = _limits(_blocks(library, LIBRARY_BLOCK, centre), asked, k)
        part = slice(start, start + len(asked.rows))
        best = Neighbours(found.distances[part], found.numbers[part])
        _compare(_blocks(library, LIBRARY_BLOCK, centre), asked, limits, best)
    return found


class _Block(NamedTuple):
    """Rows in float64, what they are relative to the centre, and the squared lengths of these."""

    rows: NDArray[np.float64]
    centred: Tensor
    squares: Tensor

    def edge(self, side: int) -> Tensor:
        """The squared lengths, moved up (1) or down (-1) by twice what rounding may amount to.

        A sum of d products errs by at most d eps / 2 of the sum of their absolute values, whatever the order
        (Higham 2002, section 3.1). The squared lengths, 2 q.c, and the squared difference that is compared in the end
        are such sums, their absolute values at most |q|^2 + |c|^2, or twice that for the last. With the few roundings
        before and after, that is below 2 (d + 8) eps (|q|^2 + |c|^2). The smallest number allows for products that
        vanish.
        """
        allowance = 4 * (self.rows.shape[1] + 8)
        edge: Tensor = self.squares + side * allowance * (_NUMBERS.eps * self.squares + _NUMBERS.tiny)
        return edge


def _blocks(rows: Rows, size: int, centre: NDArray[np.float64]) -> Iterator[tuple[int, _Block]]:
    """The rows in order, `size` at a time, each block with the number of its first row."""
    for start, block in blocks(rows, size):
        exact = _float64(block)
        centred = torch.from_numpy(exact - centre)
        yield start, _Block(exact, centred, centred.square().sum(dim=1))


def _limits(library: Iterable[tuple[int, _Block]], queries: _Block, k: int) -> Tensor:
    """For each query a squared distance within which at least `k` rows lie, shape `(n_queries,)`."""
    lowest = torch.empty(len(queries.rows), 0, dtype=torch.float64)
    for _, block in library:
        bounds = torch.cat([lowest, _bounds(queries, block, 1)], dim=1)
        lowest = bounds.topk(min(k, bounds.shape[1]), largest=False, sorted=False).values
    return lowest.amax(dim=1)


def _compare(library: Iterable[tuple[int, _Block]], queries: _Block, limits: Tensor, found: Neighbours) -> None:
    """Fill `found` with the nearest of the rows that may lie within the limits."""
    for start, block in library:
        within = (_bounds(queries, block, -1) <= limits[:, None]).numpy()
        for query in np.flatnonzero(within.any(axis=1)):
            candidates = np.flatnonzero(within[query])
            distances = _distances(block.rows[candidates], queries.rows[query])
            _merge(found.distances[query], found.numbers[query], distances, start + candidates)


def _bounds(queries: _Block, block: _Block, side: int) -> Tensor:
    """Upper (1) or lower (-1) bounds of all squared distances, shape `(n_queries, n_rows)`."""
    bounds = torch.addmm(block.edge(side), queries.centred, block.centred.T, alpha=-2)
    return bounds.add_(queries.edge(side)[:, None])


def _distances(rows: NDArray[np.float64], query: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of each row from the query. NumPy sums each row by itself: equal rows have equal distances, to the last bit."""
    differences = rows - query
    np.square(differences, out=differences)
    lengths: NDArray[np.float64] = np.sqrt(differences.sum(axis=1))
    return lengths


def _merge(best: Array, numbers: Array, distances: Array, others: Array) -> None:
    """Put the nearest of the best so far and of later rows into the place of the best so far."""
    distances = np.concatenate([best, distances])
    order = distances.argsort(kind="stable")[: len(best)]  # equal ones stay in the order of their numbers
    best[:] = distances[order]
    numbers[:] = np.concatenate([numbers, others])[order]


def _float64(rows: Array) -> NDArray[np.float64]:
    return np.ascontiguousarray(rows, np.float64)
