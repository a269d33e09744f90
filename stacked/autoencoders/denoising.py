"""The denoising autoencoder: corrupted rows in, clean rows out.

Vincent, Larochelle, Lajoie, Bengio and Manzagol, "Stacked denoising autoencoders" (2010). A fresh corruption is
drawn for every minibatch; codes are always those of clean rows.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from stacked.autoencoders.dense import DenseAutoencoder, DenseSettings
from stacked.corruption import Corruption, Gaussian, Masking, SaltAndPepper
from stacked.errors import mismatch
from stacked.randomness import Stream


@dataclass(frozen=True)
class Denoising(DenseSettings):
    """A layer that learns to restore corrupted rows.

    Parameters
    ----------
    corruption : Masking, Gaussian or SaltAndPepper
        The noise on the rows; half of them masked by default.

    The others are those of `DenseSettings`.
    """

    corruption: Corruption = Masking(0.5)  # noqa: RUF009 - frozen, so that sharing it is safe

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.corruption, Masking | Gaussian | SaltAndPepper):
            expected = "Masking, Gaussian or SaltAndPepper"
            remedy = "pass for instance Masking(0.3)"
            raise mismatch("corruption", expected=expected, received=repr(self.corruption), remedy=remedy)

    def build(self, n_inputs: int, dtype: torch.dtype) -> "DenoisingAutoencoder":
        return DenoisingAutoencoder(self, n_inputs, dtype)


class DenoisingAutoencoder(DenseAutoencoder):
    """An autoencoder whose encoder sees corrupted rows in training."""

    settings: Denoising

    def corrupt(self, x: Tensor, noise: Stream) -> Tensor:
        return self.settings.corruption(x, noise)
