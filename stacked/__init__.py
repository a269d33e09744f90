"""Greedy layer-wise stacked pretraining."""

from stacked.autoencoders import (
    Autoencoder,
    Contractive,
    Denoising,
    KLSparsity,
    L1Sparsity,
    LayerSettings,
    Plain,
    Sparse,
    TopK,
    Variational,
)
from stacked.cache import CodeCache
from stacked.callbacks import Callback, EarlyStopping, History
from stacked.checkpoint import load_classifier, load_stack, save
from stacked.classifier import FeedforwardClassifier
from stacked.classifier_settings import ClassifierSettings
from stacked.corruption import Gaussian, Masking, SaltAndPepper
from stacked.datasets import LabelledImages, load_idx, load_mnist
from stacked.errors import DivergedError, StackedError, StackedWarning
from stacked.hdf5_rows import Trusted
from stacked.hdf5_tables import load_hdf5
from stacked.neighbours import Neighbours, nearest
from stacked.optimizers import LBFGS, SGD, Adam
from stacked.retrieval import CodeIndex, load_index
from stacked.run_directory import RunDirectory
from stacked.schedules import CosineDecay, ExponentialDecay
from stacked.stack import StackedAutoencoder
from stacked.training_config import TrainingConfig

__all__ = [
    "LBFGS",
    "SGD",
    "Adam",
    "Autoencoder",
    "Callback",
    "ClassifierSettings",
    "CodeCache",
    "CodeIndex",
    "Contractive",
    "CosineDecay",
    "Denoising",
    "DivergedError",
    "EarlyStopping",
    "ExponentialDecay",
    "FeedforwardClassifier",
    "Gaussian",
    "History",
    "KLSparsity",
    "L1Sparsity",
    "LabelledImages",
    "LayerSettings",
    "Masking",
    "Neighbours",
    "Plain",
    "RunDirectory",
    "SaltAndPepper",
    "Sparse",
    "StackedAutoencoder",
    "StackedError",
    "StackedWarning",
    "TopK",
    "TrainingConfig",
    "Trusted",
    "Variational",
    "load_classifier",
    "load_hdf5",
    "load_idx",
    "load_index",
    "load_mnist",
    "load_stack",
    "nearest",
    "save",
]
