"""Measures of what was learnt: sparsity of codes, shape of filters, quality of a ranking, what is missed."""

import numpy as np

from stacked.rows import Array


def hoyer_sparsity(codes: Array) -> Array:
    """(sqrt(n_units) - |h|_1 / |h|_2) / (sqrt(n_units) - 1) of every row `h`, shape `(n,)`.

    1 for a row with one code that is not 0, 0 for a row of equal codes, NaN for a row of zeros; at least two units.
    Hoyer, "Non-negative matrix factorization with sparseness constraints" (2004).
    """
    root = np.sqrt(codes.shape[1])
    l1, l2 = np.abs(codes).sum(axis=1, dtype=np.float64), np.linalg.norm(codes.astype(np.float64), axis=1)
    ratio = np.divide(l1, l2, out=np.full(len(codes), np.nan), where=l2 > 0)
    sparsity: Array = (root - ratio) / (root - 1)
    return sparsity


def filter_spread(filters: Array, image_shape: tuple[int, int]) -> Array:
    """Root mean square distance, in pixels, of a filter's squared weights from their centre, shape `(n_units,)`.

    Small for a local detector; for weights of one size all over a 28 x 28 image 11.4. NaN for weights that are all 0.
    `filters` has shape `(n_units, height * width)`.
    """
    places = np.indices(image_shape).reshape(2, -1).astype(np.float64)
    mass = filters.astype(np.float64) ** 2
    total = mass.sum(axis=1, keepdims=True)
    share = np.divide(mass, total, out=np.full_like(mass, np.nan), where=total > 0)
    variance = share @ (places**2).sum(axis=0) - ((share @ places.T) ** 2).sum(axis=1)
    spread: Array = np.sqrt(np.maximum(variance, 0))
    return spread


def neighbour_correlation(filters: Array, image_shape: tuple[int, int]) -> Array:
    """Correlation of the weights of neighbouring pixels in every filter, shape `(n_units,)`.

    Near 1 for strokes and blobs, near 0 for noise; NaN for a filter without variance. Weights that are NaN, for
    pixels that are to be left out, take part in no pair. `filters` has shape `(n_units, height * width)`.
    """
    pictures = filters.astype(np.float64).reshape(-1, *image_shape)
    across = pictures[:, :, :-1], pictures[:, :, 1:]
    down = pictures[:, :-1], pictures[:, 1:]
    sides = [
        np.concatenate([a.reshape(len(a), -1), b.reshape(len(b), -1)], axis=1)
        for a, b in zip(across, down, strict=True)
    ]
    valid = ~(np.isnan(sides[0]) | np.isnan(sides[1]))
    centred = [np.where(valid, side - _masked_mean(side, valid), 0) for side in sides]
    norms = np.sqrt((centred[0] ** 2).sum(axis=1) * (centred[1] ** 2).sum(axis=1))
    correlation: Array = np.divide(
        (centred[0] * centred[1]).sum(axis=1), norms, out=np.full(len(norms), np.nan), where=norms > 0
    )
    return correlation


def precision_at(relevant: Array, k: int) -> Array:
    """Share of the first `k` results that are relevant, shape `(n,)`; `relevant` is `(n, length)`, best first."""
    precision: Array = relevant[:, :k].mean(axis=1)
    return precision


def average_precision(relevant: Array, n_relevant: Array) -> Array:
    """Average precision of a ranking that is cut after `length` results, shape `(n,)`.

    The precisions down to each relevant result, summed and divided by how many relevant results the ranking could
    hold: min(length, n_relevant). Of a whole ranking it is that of Manning, Raghavan and Schuetze, "Introduction to
    information retrieval" (2008), section 8.4.

    Parameters
    ----------
    relevant : array of bool
        Shape `(n, length)`, best result first.
    n_relevant : array of int
        How many relevant items there are to find for each query, at least 1; shape `(n,)`.
    """
    precision = relevant.cumsum(axis=1) / np.arange(1, relevant.shape[1] + 1)
    average: Array = (precision * relevant).sum(axis=1) / np.minimum(relevant.shape[1], n_relevant)
    return average


def _masked_mean(values: Array, valid: Array) -> Array:
    mean: Array = np.where(valid, values, 0).sum(axis=1, keepdims=True) / np.maximum(
        1, valid.sum(axis=1, keepdims=True)
    )
    return mean


def silent_units(codes: Array, bounds: tuple[float, float]) -> tuple[Array, Array]:
    """Which units are dead, close to 0 on every row, and which saturated, close to another bound; two `(n_units,)`.

    `codes` has shape `(n, n_units)`; `bounds` are the least and the largest value of their activation. Close is
    within a hundredth of the distance between the bounds, and exact where there are none.
    """
    low, high = bounds
    margin = 0.01 * (high - low) if np.isfinite(high - low) else 0.0
    dead: Array = np.all(np.abs(codes) <= margin, axis=0)
    saturated: Array = np.all(codes >= high - margin, axis=0) | (np.all(codes <= low + margin, axis=0) & ~dead)
    return dead, saturated
