"""Codes of rows: what identifies them, and how they come out of the cache or are computed into it."""

import hashlib
import json
from collections.abc import Sequence
from functools import partial, reduce

import numpy as np
import torch
from torch import Tensor

from stacked.autoencoders import Autoencoder
from stacked.cache import CodeCache
from stacked.cache_entry import FORMAT, Codes
from stacked.devices import numpy_dtype
from stacked.examples import Examples
from stacked.rows import BLOCK, Array, Rows, map_rows


def code_key(origin: str, layers: Sequence[Autoencoder]) -> str:
    """The key of the codes of rows with the fingerprint `origin` after these layers.

    It holds all that the bits depend on, and nothing of how a layer was trained.
    """
    parts = {
        "format": [FORMAT, BLOCK],
        "rows": origin,
        "dtype": str(_dtype(layers)),
        "device": _device(layers).type,
        "encoders": [layer.encoder_fingerprint() for layer in layers],
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def encoded(layers: Sequence[Autoencoder], x: Tensor) -> Tensor:
    """Codes of clean rows after all the layers."""
    return reduce(lambda codes, layer: layer.encode(codes), layers, x)


def decoded(layers: Sequence[Autoencoder], codes: Tensor) -> Tensor:
    """Rows of the lowest layer, from codes of the highest."""
    return reduce(lambda codes, layer: layer.decode(codes), reversed(layers), codes)


def encode_rows(layers: Sequence[Autoencoder], rows: Rows, out: Array) -> Array:
    """Write codes of clean rows after all the layers, shape `(n, n_units)`, into `out`, and return it."""
    return map_rows(partial(encoded, layers), rows, out, _device(layers))


def cached_codes(cache: CodeCache, key: str, layers: Sequence[Autoencoder], rows: Rows) -> Array:
    """The same from the cache, computed only when it does not hold them under `key`."""
    return cache.get(_codes_of(rows, layers, key), lambda out: encode_rows(layers, rows, out))


class Ascent:
    """Tables of rows on their way up a stack: first the data, then the codes of one layer after the other.

    Codes are only made when they are asked for, and then from those below unless the cache holds them.

    Parameters
    ----------
    tables : sequence of Rows
        The data.
    origins : sequence of str
        The fingerprint of each table.
    cache : CodeCache
        Where the codes are kept.
    """

    def __init__(self, tables: Sequence[Rows], origins: Sequence[str], cache: CodeCache) -> None:
        self._tables, self._cache = list(zip(tables, origins, strict=True)), cache
        self._layers: list[Autoencoder] = []

    def climb(self, layer: Autoencoder) -> None:
        """Go up by one layer, which is trained."""
        self._layers.append(layer)

    def examples(self) -> list[Examples]:
        """The rows of every table, or their codes after the layers so far."""
        return [Examples.all_of(self._after(self._layers, *table)) for table in self._tables]

    def _after(self, layers: Sequence[Autoencoder], rows: Rows, origin: str) -> Rows:
        if not layers:
            return rows
        *below, top = layers
        codes = _codes_of(rows, layers, code_key(origin, layers))
        return self._cache.get(codes, lambda out: encode_rows([top], self._after(below, rows, origin), out))


def _codes_of(rows: Rows, layers: Sequence[Autoencoder], key: str) -> Codes:
    return Codes(key, (len(rows), layers[-1].settings.n_units), _dtype(layers))


def _dtype(layers: Sequence[Autoencoder]) -> np.dtype[np.generic]:
    return numpy_dtype(layers[0].encoder_layers[0].weight.dtype)


def _device(layers: Sequence[Autoencoder]) -> torch.device:
    return layers[0].encoder_layers[0].weight.device
