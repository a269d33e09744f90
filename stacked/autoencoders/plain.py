"""The plain autoencoder: clean rows in, clean rows out, no penalty."""

from dataclasses import dataclass

import torch

from stacked.autoencoders.base import DenseAutoencoder, LayerSettings


@dataclass(frozen=True)
class Plain(LayerSettings):
    """A layer that learns to reproduce its rows; see `LayerSettings` for the parameters."""

    def build(self, n_inputs: int, dtype: torch.dtype) -> "PlainAutoencoder":
        return PlainAutoencoder(self, n_inputs, dtype)


class PlainAutoencoder(DenseAutoencoder):
    """An autoencoder without noise or penalty."""
