"""Checks of a stack's settings against each other and against its rows, made before any work is done."""

import warnings
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch

from stacked.autoencoders import KINDS, LayerSettings
from stacked.autoencoders.dense import DenseSettings
from stacked.errors import StackedWarning, mismatch
from stacked.rows import Rows, as_rows, value_range, within_0_and_1
from stacked.scaling import Scaling, learnt_scaling, maybe_scaled
from stacked.training_config import TrainingConfig


def check_layers(
    layers: Sequence[LayerSettings], training: TrainingConfig | Sequence[TrainingConfig]
) -> tuple[tuple[LayerSettings, ...], tuple[TrainingConfig, ...]]:
    """The settings of every layer and of its training."""
    if isinstance(layers, LayerSettings):
        layers = [layers]
    if not isinstance(layers, Sequence) or not layers or not all(isinstance(one, LayerSettings) for one in layers):
        kinds = ", ".join(kind.__name__ for kind in KINDS)
        expected, remedy = f"a list of layers ({kinds})", "pass for instance [Denoising(100), Denoising(50)]"
        raise mismatch("layers", expected=expected, received=repr(layers), remedy=remedy)
    configs = [training] * len(layers) if isinstance(training, TrainingConfig) else training
    listed = isinstance(configs, Sequence) and all(isinstance(config, TrainingConfig) for config in configs)
    if not listed or len(configs) != len(layers):
        expected = f"one TrainingConfig, or {len(layers)}, one a layer"
        raise mismatch("training", expected=expected, received=repr(training), remedy="pass one for all layers")
    return tuple(layers), tuple(configs)


def tables_of(x: Any, validation: Any, n_inputs: int | None = None, columns: Sequence[str] = ()) -> list[Rows]:
    """The tables of rows: `x`, and the validation rows if there are any; of frames, these columns."""
    tables = [as_rows(x, "x", n_inputs, columns)]
    if validation is not None:
        tables.append(as_rows(validation, "validation", tables[0].shape[1], columns))
    return tables


def checked_tables(
    tables: Sequence[Rows], layers: Sequence[LayerSettings], dtype: torch.dtype, scaling: Scaling | str | None
) -> tuple[Scaling | None, list[Rows], bool]:
    """The tables, scaled if there is a scaling, once they are seen to be fit to train these layers on.

    A scaling that is named is learnt on the first of them, and given back. Validation rows may leave the range that
    it brings the others to. Last comes whether the first lie in [0, 1] as they came.
    """
    if isinstance(scaling, str):
        scaling = learnt_scaling(scaling, tables[0])
    scaled = [maybe_scaled(rows, scaling, dtype) for rows in tables]
    ranges = [value_range(rows, name, dtype) for rows, name in zip(scaled, ("x", "validation"), strict=False)]
    for rows, bounds in list(zip(scaled, ranges, strict=True))[: None if scaling is None else 1]:
        check_ranges(layers, rows, bounds)
    return scaling, scaled, scaling is None and within_0_and_1(ranges[0])


def check_ranges(layers: Sequence[LayerSettings], rows: Rows, bounds: tuple[float, float]) -> None:
    """Raise, or warn, where a layer's outputs cannot reproduce what it is given."""
    whole_numbers = np.dtype(rows.dtype).kind in "iu"
    remedy = "scale the rows to [0, 1], or choose linear output"
    _check_range(1, layers[0], "rows", bounds, remedy, refuse=whole_numbers)
    for number, (below, layer) in enumerate(pairwise(layers), start=2):
        remedy = f"choose linear output for layer {number}"
        if isinstance(below, DenseSettings):  # the codes of a variational layer are linear whatever its activation
            remedy += f", or sigmoid activation for layer {number - 1}"
        codes = f"the {below.code_activation} codes of layer {number - 1}"
        _check_range(number, layer, codes, (below.codes.low, below.codes.high), remedy)


def _check_range(
    number: int, layer: LayerSettings, what: str, bounds: tuple[float, float], remedy: str, *, refuse: bool = False
) -> None:
    if layer.output == "linear" or within_0_and_1(bounds):
        return
    received = f"{what} from {bounds[0]:g} to {bounds[1]:g}"
    name = f"layer {number} ({layer.loss} on sigmoid output)"
    error = mismatch(name, expected="targets in [0, 1]", received=received, remedy=remedy)
    if layer.loss == "cross_entropy" or refuse:
        raise error
    warnings.warn(str(error), StackedWarning, stacklevel=5)
