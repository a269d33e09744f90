"""Saving and loading trained stacks, classifiers and regressors."""

import hashlib
import json
import math
from numbers import Integral, Real
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from stacked.autoencoders import SETTINGS as LAYER_SETTINGS
from stacked.cache import CodeCache
from stacked.callbacks import History, Record
from stacked.classifier import FeedforwardClassifier
from stacked.devices import device_named, dtype_named, numpy_dtype
from stacked.errors import check_count, check_number, making_use_of, mismatch
from stacked.feedforward_settings import ClassifierSettings, RegressorSettings
from stacked.model_card import model_card
from stacked.model_files import kind_of_model, read_model, read_tensors, write_model
from stacked.network import bare_layers
from stacked.paths import PathLike, named_path
from stacked.provenance import Provenance
from stacked.randomness import Seeded
from stacked.regressor import FeedforwardRegressor
from stacked.scaling import from_description, planned_scaling, to_description
from stacked.settings import from_json, to_json
from stacked.stack import StackedAutoencoder
from stacked.training_config import SETTINGS as TRAINING_SETTINGS

_KINDS = (*LAYER_SETTINGS, *TRAINING_SETTINGS, ClassifierSettings, RegressorSettings, Provenance)
_COMMON_FIELDS = ("dtype", "seed", "scaling", "provenance")
_STACK_FIELDS = (*_COMMON_FIELDS, "n_inputs", "layers", "training", "histories", "fine_tuning")
_NETWORK_FIELDS = (*_COMMON_FIELDS, "settings", "n_frozen", "history", "target_scaling")
_NETWORKS: dict[str, type[FeedforwardClassifier] | type[FeedforwardRegressor]] = {
    "classifier": FeedforwardClassifier,
    "regressor": FeedforwardRegressor,
}

Model = StackedAutoencoder | FeedforwardClassifier | FeedforwardRegressor


def save(model: Model, folder: PathLike) -> Path:
    """Write a trained stack or network into a folder, in place of an earlier one, and return the folder.

    Besides the model the folder holds `model_card.md`: what it is, what it was trained on, its figures, and
    how it is loaded.

    Raises
    ------
    StackedError
        When the stack is not trained, or the folder cannot be written.
    """
    if not isinstance(model, Model):
        expected, remedy = "a stack, a classifier or a regressor", "pass the trained model itself"
        raise mismatch("model", expected=expected, received=type(model).__name__, remedy=remedy)
    path = named_path(folder, "folder")
    description, tensors = _parts(model)
    write_model(path, description, tensors, model_card(model))
    return path


def model_key(model: Model) -> str:
    """SHA-256 of all that `save` keeps of a model, as hexadecimal digits."""
    description, tensors = _parts(model)
    digest = hashlib.sha256(json.dumps(description).encode())
    for tensor in tensors.values():
        digest.update(tensor.cpu().numpy().tobytes())
    return digest.hexdigest()


def load(folder: PathLike, *, device: str = "cpu") -> Model:
    """The model that was saved in a folder, of whatever kind.

    Raises
    ------
    StackedError
        When the folder holds no model, or one that is damaged or of another version.
    """
    kind = kind_of_model(named_path(folder, "folder"))
    return load_stack(folder, device=device) if kind == "stack" else _load_network(folder, kind, device)


def load_stack(
    folder: PathLike, *, device: str = "cpu", cache: CodeCache | PathLike | None = None
) -> StackedAutoencoder:
    """The stack that was saved in a folder; its codes are the same bits.

    `device` and `cache` are those of `StackedAutoencoder`.

    Raises
    ------
    StackedError
        When the folder holds no stack, or one that is damaged or of another version.
    """
    place = device_named(device)
    kept = cache if cache is None or isinstance(cache, CodeCache) else CodeCache(cache)
    path = named_path(folder, "folder")
    description = read_model(path, "stack", _STACK_FIELDS)
    with making_use_of(f"{folder}: the model in model.json"):
        layers, training = (_settings(description, field) for field in ("layers", "training"))
        check_count("n_inputs", description["n_inputs"])
        common = {"seed": _seed(description), "dtype": description["dtype"], "device": place, "cache": kept}
        stack = StackedAutoencoder(layers, training, **common)
        with torch.device("meta"):  # shapes without the memory, for the settings may promise anything
            expected = stack.bare_layers(description["n_inputs"])
        tensors = read_tensors(path, description, nn.ModuleList(expected).state_dict())
        stack.layers = stack.bare_layers(description["n_inputs"])
        nn.ModuleList(stack.layers).load_state_dict(tensors)
        stack.histories = _histories(description["histories"], len(layers))
        stack.fine_tuning = _history(description["fine_tuning"])
        _restore_common(stack, description, stack.n_inputs)
    return stack


def load_classifier(folder: PathLike, *, device: str = "cpu") -> FeedforwardClassifier:
    """The classifier that was saved in a folder; its outputs are the same bits.

    Raises
    ------
    StackedError
        When the folder holds no classifier, or one that is damaged or of another version.
    """
    return cast(FeedforwardClassifier, _load_network(folder, "classifier", device))


def load_regressor(folder: PathLike, *, device: str = "cpu") -> FeedforwardRegressor:
    """The regressor that was saved in a folder; its outputs are the same bits. Raises as `load_classifier`."""
    return cast(FeedforwardRegressor, _load_network(folder, "regressor", device))


def _load_network(folder: PathLike, kind: str, device: str) -> FeedforwardClassifier | FeedforwardRegressor:
    place = device_named(device)
    path = named_path(folder, "folder")
    description = read_model(path, kind, _NETWORK_FIELDS)
    with making_use_of(f"{folder}: the model in model.json"):
        made = _NETWORKS[kind]
        settings = from_json(description["settings"], (made.made_of,))
        dtype = dtype_named(description["dtype"])
        with torch.device("meta"):
            expected = bare_layers(settings, dtype)
        tensors = read_tensors(path, description, nn.ModuleList(expected).state_dict())
        network = made(settings, seed=_seed(description), dtype=description["dtype"], device=place)
        nn.ModuleList(network.layers).load_state_dict(tensors)
        check_count("n_frozen", description["n_frozen"], least=0)
        check_number("n_frozen", description["n_frozen"], 0, len(settings.sizes) - 2)
        network.n_frozen = description["n_frozen"]
        network.history = _history(description["history"])
        if isinstance(network, FeedforwardRegressor):
            network.target_scaling = from_description(description["target_scaling"], settings.sizes[-1])
        _restore_common(network, description, settings.sizes[0])
    return network


def _restore_common(model: Any, description: dict[str, Any], n_inputs: int) -> None:
    """Scaling and provenance."""
    scaling = description["scaling"]
    learnt_or_planned = scaling if isinstance(scaling, str) else from_description(scaling, n_inputs)
    model.scaling, model.scaling_kind = planned_scaling(learnt_or_planned)
    provenance = from_json(description["provenance"], _KINDS)
    if not isinstance(provenance, Provenance):
        received, remedy = repr(provenance)[:80], "save the model again"
        raise mismatch("provenance", expected="a Provenance", received=received, remedy=remedy)
    model.provenance = provenance


def _parts(model: Model) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The description of a model and its tensors."""
    described = _described_stack(model) if isinstance(model, StackedAutoencoder) else _described_network(model)
    seed = model.randomness.seed if isinstance(model.randomness, Seeded) else None
    scaling = model.scaling_kind if model.scaling is None else to_description(model.scaling)
    common = {"dtype": str(numpy_dtype(model.dtype)), "seed": seed, "scaling": scaling}
    tensors = nn.ModuleList(model.layers).state_dict()
    return {**described, **common, "provenance": to_json(model.provenance)}, tensors


def _described_stack(stack: StackedAutoencoder) -> dict[str, Any]:
    return {
        "kind": "stack",
        "n_inputs": stack.n_inputs,
        "layers": to_json(stack.settings),
        "training": to_json(stack.training),
        "histories": [_records(history) for history in stack.histories],
        "fine_tuning": _records(stack.fine_tuning),
    }


def _described_network(network: FeedforwardClassifier | FeedforwardRegressor) -> dict[str, Any]:
    of_targets = network.target_scaling if isinstance(network, FeedforwardRegressor) else None
    return {
        "kind": network.what,
        "settings": to_json(network.settings),
        "n_frozen": network.n_frozen,
        "history": _records(network.history),
        "target_scaling": to_description(of_targets),
    }


def _seed(description: dict[str, Any]) -> int:
    """The stored seed; 0 where the randomness was none of ours."""
    seed: int = 0 if description["seed"] is None else description["seed"]
    return seed


def _records(history: History) -> list[Record]:
    """The records as JSON has them, which knows no NaN and no infinity: these become null."""
    return [{name: _stored(name, value) for name, value in record.items()} for record in history]


def _stored(figure: str, value: Any) -> int | float | None:
    if not isinstance(value, Real):
        remedy = "keep other things out of the records"
        raise mismatch(f"history, figure {figure!r}", expected="a number", received=repr(value)[:80], remedy=remedy)
    number = int(value) if isinstance(value, Integral) else float(value)
    return number if math.isfinite(number) else None


def _histories(stored: Any, n_layers: int) -> list[History]:
    """The stored histories, one a layer."""
    if not isinstance(stored, list) or len(stored) != n_layers:
        expected, remedy = f"a list of {n_layers}, one a layer", "save the model again"
        raise mismatch("histories", expected=expected, received=repr(stored)[:80], remedy=remedy)
    return [_history(records) for records in stored]


def _history(records: Any) -> History:
    """A stored history; its nulls are NaN."""
    if not isinstance(records, list) or not all(_is_record(record) for record in records):
        received, remedy = repr(records)[:80], "save the model again"
        raise mismatch("history", expected="a list of records of numbers", received=received, remedy=remedy)
    return History([{k: math.nan if v is None else v for k, v in record.items()} for record in records])


def _is_record(record: Any) -> bool:
    return isinstance(record, dict) and all(value is None or type(value) in (int, float) for value in record.values())


def _settings(description: dict[str, Any], field: str) -> Any:
    """A stored list of settings."""
    if not isinstance(description[field], list):
        received, remedy = repr(description[field])[:80], "save the model again"
        raise mismatch(field, expected="a list of settings", received=received, remedy=remedy)
    return from_json(description[field], _KINDS)
