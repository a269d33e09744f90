"""The kinds of layer: one file a kind, its settings beside it."""

from stacked.autoencoders.base import Autoencoder, LayerSettings
from stacked.autoencoders.denoising import Denoising
from stacked.autoencoders.plain import Plain
from stacked.autoencoders.sparse import KLSparsity, L1Sparsity, Sparse
from stacked.corruption import Gaussian, Masking, SaltAndPepper

SETTINGS = (Plain, Denoising, Sparse, Masking, Gaussian, SaltAndPepper, KLSparsity, L1Sparsity)
"""Every class that the stored settings of a layer may name."""

__all__ = ["SETTINGS", "Autoencoder", "Denoising", "KLSparsity", "L1Sparsity", "LayerSettings", "Plain", "Sparse"]
