"""Codes as places in a plane: principal components, t-SNE, UMAP.

Only places are computed here; `plots.embedding` draws them.
"""

import importlib
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from stacked.errors import check_choice, mismatch
from stacked.extras import needing
from stacked.rows import Array


class Places(NamedTuple):
    """Places of rows in a plane, shape `(n, 2)`; how they were found, and what the axes are, for people."""

    values: Array
    method: str
    axes: tuple[str, str]


def placed(codes: Array, method: str = "pca", seed: int = 0) -> Places:
    """Codes, shape `(n, n_units)`, as places in a plane, the same at every call.

    Parameters
    ----------
    codes : array
        At least three rows that are not all alike. t-SNE and UMAP take time that grows with their number; `sampled`
        draws some.
    method : {"pca", "tsne", "umap"}
        "pca": the two directions in which the codes vary most; distances on the plane are those of the codes, as far
        as two directions have them. "tsne" (van der Maaten and Hinton, 2008) and "umap" (McInnes, Healy and Melville,
        2018): neighbours stay neighbours, and large distances mean nothing.
    seed : int
        Of what is random about t-SNE and UMAP.

    Raises
    ------
    StackedError
        When the codes cannot be placed, or the package for UMAP is not installed.
    """
    check_choice("method", method, METHODS)
    values = np.asarray(codes, np.float64)
    if len(values) < 3 or np.ptp(values, axis=0).max() == 0:
        received = f"{len(values)} rows" if len(values) < 3 else f"{len(values)} rows that are all alike"
        raise mismatch("codes", expected="three rows that differ", received=received, remedy="pass more rows")
    return METHODS[method](values, seed)


def _pca(codes: Array, seed: int) -> Places:
    """Principal components, by the singular values U S V' of the centred codes: the first two columns of U S."""
    left, sizes, right = np.linalg.svd(codes - codes.mean(axis=0), full_matrices=False)
    if len(sizes) == 1:  # a single unit: all rows on a line
        left, sizes, right = np.pad(left, ((0, 0), (0, 1))), np.pad(sizes, (0, 1)), np.pad(right, ((0, 1), (0, 0)))
    # Which way a direction points is arbitrary: its largest part is made positive.
    largest = np.abs(right[:2]).argmax(axis=1)
    signs = np.where(right[[0, 1], largest] < 0, -1.0, 1.0)
    shares = sizes[:2] ** 2 / (sizes**2).sum()
    first, second = (
        f"component {k} ({100 * share:.0f} % of the variance)" for k, share in enumerate(shares, start=1)
    )
    return Places(left[:, :2] * sizes[:2] * signs, "PCA", (first, second))


def _tsne(codes: Array, seed: int) -> Places:
    from sklearn.manifold import TSNE  # noqa: PLC0415 - slow to import

    if codes.shape[1] == 1:  # it begins with two components
        codes = np.pad(codes, ((0, 0), (0, 1)))
    neighbours = min(30.0, (len(codes) - 1) / 3)
    return Places(TSNE(perplexity=neighbours, random_state=seed).fit_transform(codes), "t-SNE", ("", ""))


def _umap(codes: Array, seed: int) -> Places:
    neighbours = min(15, len(codes) - 1)
    with needing("umap", "umap"):
        umap_learn = importlib.import_module("umap")  # an extra, and very slow to import
    umap = umap_learn.UMAP(n_neighbors=neighbours, random_state=seed, n_jobs=1)
    return Places(umap.fit_transform(codes), "UMAP", ("", ""))


METHODS: dict[str, Callable[[Array, int], Places]] = {"pca": _pca, "tsne": _tsne, "umap": _umap}
