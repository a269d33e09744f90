"""The kinds of layer: one file a kind, its settings beside it."""

from stacked.autoencoders.base import Autoencoder, LayerSettings
from stacked.autoencoders.contractive import Contractive
from stacked.autoencoders.denoising import Denoising
from stacked.autoencoders.plain import Plain
from stacked.autoencoders.sparse import Sparse
from stacked.autoencoders.sparsity import KLSparsity, L1Sparsity, TopK
from stacked.autoencoders.variational import Variational, VariationalAutoencoder
from stacked.corruption import Gaussian, Masking, SaltAndPepper

KINDS = (Plain, Denoising, Sparse, Contractive, Variational)
"""The settings of every kind."""

SETTINGS = (*KINDS, Masking, Gaussian, SaltAndPepper, KLSparsity, L1Sparsity, TopK)
"""Every class that the stored settings of a layer may name."""

__all__ = [
    "KINDS",
    "SETTINGS",
    "Autoencoder",
    "Contractive",
    "Denoising",
    "KLSparsity",
    "L1Sparsity",
    "LayerSettings",
    "Plain",
    "Sparse",
    "TopK",
    "Variational",
    "VariationalAutoencoder",
]
