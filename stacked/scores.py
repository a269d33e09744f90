"""How good predictions and reconstructions are, in figures."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stacked.rows import Array, Rows, blocks


@dataclass(frozen=True)
class ClassScores:
    """What became of the rows of every class.

    Parameters
    ----------
    confusion : array of int
        How many rows of each class, one a line, were taken for each class, one a column.
    """

    confusion: NDArray[np.int64]

    @property
    def n_rows(self) -> int:
        """Rows that were predicted."""
        return int(self.confusion.sum())

    @property
    def n_wrong(self) -> int:
        """Rows that were taken for another class."""
        return self.n_rows - int(np.trace(self.confusion))

    @property
    def error_rate(self) -> float:
        """Share of the rows that were taken for another class."""
        return self.n_wrong / self.n_rows

    @property
    def recalls(self) -> Array:
        """Share of the rows of each class that were recognised; NaN where there are none."""
        return _shares(np.diag(self.confusion), self.confusion.sum(axis=1))

    @property
    def precisions(self) -> Array:
        """Share of the rows taken for each class that were of it; NaN where there are none."""
        return _shares(np.diag(self.confusion), self.confusion.sum(axis=0))


def class_scores(predicted: NDArray[np.int64], classes: NDArray[np.int64], n_classes: int) -> ClassScores:
    """The scores of predictions, shape `(n,)`, for rows of these classes."""
    pairs = np.bincount(classes * n_classes + predicted, minlength=n_classes**2)
    return ClassScores(pairs.reshape(n_classes, n_classes))


def wilson_interval(count: int, n: int, z: float = 1.959963984540054) -> tuple[float, float]:
    """The interval of a share, 95 % by default, that is sound near 0 and 1 and for few rows (Wilson, 1927)."""
    share = count / n
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return max(0.0, float(middle - half)), min(1.0, float(middle + half))


@dataclass(frozen=True)
class ReconstructionScores:
    """How far reconstructions are from rows.

    Parameters
    ----------
    mean_squares : array
        Of the errors, one a column.
    variances : array
        Of the columns, around their means over these rows.
    """

    mean_squares: Array
    variances: Array

    @property
    def unexplained(self) -> float:
        """Sum of the squared errors over that of always giving the mean row; NaN where the rows are all alike."""
        total = float(self.variances.sum())
        return float(self.mean_squares.sum()) / total if total > 0 else np.nan

    @property
    def unexplained_by_column(self) -> Array:
        """The same of each column; NaN where it is constant."""
        return _shares(self.mean_squares, self.variances)


def reconstruction_scores(
    rows: Rows, reconstruct: Callable[[Any], Array], scale: float | Array = 1.0
) -> ReconstructionScores:
    """The scores of what `reconstruct` makes of rows, block by block, in one pass.

    Columns are measured in units of `scale`, shape `(n_inputs,)`, so that a sum over them means something.
    """
    origin = np.asarray(rows[:1], np.float64)
    errors, sums, squares = (np.zeros(rows.shape[1]) for _ in range(3))
    for _, block in blocks(rows):
        values = np.asarray(block, np.float64)
        errors += ((reconstruct(block) - values) ** 2).sum(axis=0)
        sums += (values - origin).sum(axis=0)
        squares += ((values - origin) ** 2).sum(axis=0)
    n = len(rows)
    variances = np.maximum(squares / n - (sums / n) ** 2, 0.0)
    return ReconstructionScores(errors / n / np.square(scale), variances / np.square(scale))


def _shares(parts: Array, wholes: Array) -> Array:
    shares = np.full(len(wholes), np.nan)
    np.divide(parts, wholes, out=shares, where=wholes > 0)
    return shares
