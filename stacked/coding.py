"""What trained layers do with rows: encode, decode, reconstruct."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from stacked.autoencoders import Autoencoder
from stacked.cache import CodeCache
from stacked.codes import cached_codes, code_key, decoded, encode_rows, encoded
from stacked.dense import Dense
from stacked.destinations import check_apart, destination
from stacked.devices import numpy_dtype
from stacked.errors import StackedError, check_count, mismatch
from stacked.provenance import Provenance
from stacked.rows import Array, Rows, as_rows, fingerprint, map_rows, value_range
from stacked.scaling import Scaling, maybe_scaled


class Coding:
    """Layers, one on top of the other, that turn rows into codes and back.

    Results beyond memory go where `out` says: into an array, a memory map or an open HDF5 dataset, of their shape and
    dtype, which is returned. It must not overlap the rows.

    Attributes
    ----------
    layers : list of Autoencoder
        Bottom first; empty where there are none yet.
    dtype, device
        Of weights and codes.
    scaling : Scaling or None
        Of the rows, before they are encoded; undone when they are reconstructed.
    provenance : Provenance
        Of the rows; the columns of a frame are found by the names that it has.
    cache : CodeCache or None
        Where codes are kept between calls.
    """

    layers: list[Autoencoder]
    dtype: torch.dtype
    device: torch.device
    scaling: Scaling | None
    provenance: Provenance
    cache: CodeCache | None

    def encode(self, x: Any, depth: int | None = None, *, out: Any = None) -> Array:
        """Codes of clean rows, shape `(n, n_units)`, the same at every call.

        With a cache they come as a memory map of its entry, which is only read, and are computed once for the same
        rows and layers.

        Parameters
        ----------
        x : array, tensor, frame or HDF5 dataset
            Rows, shape `(n, n_inputs)`; of a frame, the columns by the names that they had in training.
        depth : int, optional
            How many layers to go up; all by default.
        out : array or HDF5 dataset, optional
            Where to write them.
        """
        layers, given = self.up_to(depth), self._given(x)
        if self.cache is None or out is not None:
            out = destination(out, (len(given), self.n_codes(depth)), numpy_dtype(self.dtype))
        check_apart(given, out)
        rows = self._scaled(given)
        if self.cache is None:
            return encode_rows(layers, rows, out)
        codes = cached_codes(self.cache, code_key(fingerprint(rows), layers), layers, rows)
        return codes if out is None else self._map(lambda codes: codes, codes, out)

    def decode(self, codes: Any, depth: int | None = None, *, out: Any = None) -> Array:
        """Reconstructed rows, shape `(n, n_inputs)`, of codes that are `depth` layers up; `out` as for `encode`.

        They are of `row_dtype`.
        """
        layers = self.up_to(depth)
        table = as_rows(codes, "codes", layers[-1].settings.n_units)
        out = destination(out, (len(table), self.n_inputs), self.row_dtype)
        check_apart(table, out)
        value_range(table, "codes", self.dtype)
        return self._map(partial(self._decoded, layers), table, out)

    def reconstruct(self, x: Any, depth: int | None = None, *, out: Any = None) -> Array:
        """Rows, shape `(n, n_inputs)`, encoded and decoded again, block by block; as for `decode`."""
        layers, given = self.up_to(depth), self._given(x)
        out = destination(out, (len(given), self.n_inputs), self.row_dtype)
        check_apart(given, out)
        return self._map(lambda x: self._decoded(layers, encoded(layers, x)), self._scaled(given), out)

    def _given(self, x: Any) -> Rows:
        return as_rows(x, "x", self.n_inputs, self.provenance.columns)

    def _scaled(self, given: Rows) -> Rows:
        """Rows as the lowest layer takes them, all of them finite."""
        rows = maybe_scaled(given, self.scaling, self.dtype)
        self.provenance.check_like_training(given, value_range(rows, "x", self.dtype), "x")
        return rows

    def _decoded(self, layers: Sequence[Autoencoder], codes: Tensor) -> Tensor:
        rows = decoded(layers, codes)
        return rows if self.scaling is None else self.scaling.undone(rows)

    def _map(self, function: Callable[[Tensor], Tensor], rows: Rows, out: Any) -> Array:
        return map_rows(function, rows, out, self.device, self.dtype)

    @property
    def row_dtype(self) -> np.dtype[Any]:
        """Of reconstructed rows: float64 where they get units of their own again, in which numbers may be large."""
        return numpy_dtype(self.dtype if self.scaling is None else torch.float64)

    @property
    def n_inputs(self) -> int:
        """Columns of the rows that the stack was trained on."""
        return self.up_to(None)[0].n_inputs

    def n_codes(self, depth: int | None = None) -> int:
        """Columns of the codes after `depth` layers, all by default."""
        return self.up_to(depth)[-1].settings.n_units

    @property
    def encoder_layers(self) -> list[Dense]:
        """The dense layers from the rows to the codes, bottom first: one of each layer, two of a variational one."""
        return [dense for layer in self.up_to(None) for dense in layer.encoder_layers]

    def up_to(self, depth: int | None) -> list[Autoencoder]:
        """The `depth` lowest layers, all by default; StackedError when there are none, or not so many."""
        if not self.layers:
            raise StackedError(
                "the stack: expected a trained one, received one without layers; call fit(x) first, "
                "or draw(n_inputs) for random weights"
            )
        if depth is None:
            return self.layers
        check_count("depth", depth)
        if depth > len(self.layers):
            expected = f"at most {len(self.layers)}, the layers there are"
            raise mismatch("depth", expected=expected, received=str(depth), remedy="leave it out for the top")
        return self.layers[:depth]
