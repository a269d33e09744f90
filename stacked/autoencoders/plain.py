"""The plain autoencoder: clean rows in, clean rows out, no penalty."""

from dataclasses import dataclass

import torch

from stacked.autoencoders.dense import DenseAutoencoder, DenseSettings


@dataclass(frozen=True)
class Plain(DenseSettings):
    """A layer that learns to reproduce its rows; see `DenseSettings` for the parameters."""

    def build(self, n_inputs: int, dtype: torch.dtype) -> "PlainAutoencoder":
        return PlainAutoencoder(self, n_inputs, dtype)


class PlainAutoencoder(DenseAutoencoder):
    """An autoencoder without noise or penalty."""
