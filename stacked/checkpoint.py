"""Saving and loading trained stacks and classifiers."""

import hashlib
import json
import math
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from stacked.autoencoders import SETTINGS as LAYER_SETTINGS
from stacked.cache import CodeCache
from stacked.callbacks import History, Record
from stacked.classifier import FeedforwardClassifier, bare_layers
from stacked.classifier_settings import ClassifierSettings
from stacked.devices import device_named, dtype_named, numpy_dtype
from stacked.errors import check_count, check_number, making_use_of, mismatch
from stacked.model_files import kind_in, read_model, read_tensors, write_model
from stacked.paths import PathLike, named_path
from stacked.randomness import Seeded
from stacked.settings import from_json, to_json
from stacked.stack import StackedAutoencoder
from stacked.training_config import SETTINGS as TRAINING_SETTINGS

_KINDS = (*LAYER_SETTINGS, *TRAINING_SETTINGS, ClassifierSettings)
_STACK_FIELDS = ("n_inputs", "layers", "training", "histories", "fine_tuning", "dtype", "seed")
_CLASSIFIER_FIELDS = ("settings", "n_frozen", "history", "dtype", "seed")


def save(model: StackedAutoencoder | FeedforwardClassifier, folder: PathLike) -> Path:
    """Write a trained stack or a classifier into a folder, in place of an earlier one, and return the folder.

    Raises
    ------
    StackedError
        When the stack is not trained, or the folder cannot be written.
    """
    if not isinstance(model, StackedAutoencoder | FeedforwardClassifier):
        expected, remedy = "a StackedAutoencoder or FeedforwardClassifier", "pass the trained model itself"
        raise mismatch("model", expected=expected, received=type(model).__name__, remedy=remedy)
    path = named_path(folder, "folder")
    write_model(path, *_parts(model))
    return path


def model_key(model: StackedAutoencoder | FeedforwardClassifier) -> str:
    """SHA-256 of all that `save` keeps of a model, as hexadecimal digits."""
    description, tensors = _parts(model)
    digest = hashlib.sha256(json.dumps(description).encode())
    for tensor in tensors.values():
        digest.update(tensor.cpu().numpy().tobytes())
    return digest.hexdigest()


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
    return stack


def load_classifier(folder: PathLike, *, device: str = "cpu") -> FeedforwardClassifier:
    """The classifier that was saved in a folder; its outputs are the same bits.

    Raises
    ------
    StackedError
        When the folder holds no classifier, or one that is damaged or of another version.
    """
    place = device_named(device)
    path = named_path(folder, "folder")
    description = read_model(path, "classifier", _CLASSIFIER_FIELDS)
    with making_use_of(f"{folder}: the model in model.json"):
        settings = from_json(description["settings"], (ClassifierSettings,))
        dtype = dtype_named(description["dtype"])
        with torch.device("meta"):
            expected = bare_layers(settings, dtype)
        tensors = read_tensors(path, description, nn.ModuleList(expected).state_dict())
        seed = _seed(description)
        classifier = FeedforwardClassifier(settings, seed=seed, dtype=description["dtype"], device=place)
        nn.ModuleList(classifier.layers).load_state_dict(tensors)
        check_count("n_frozen", description["n_frozen"], least=0)
        check_number("n_frozen", description["n_frozen"], 0, len(settings.sizes) - 2)
        classifier.n_frozen = description["n_frozen"]
        classifier.history = _history(description["history"])
    return classifier


def load(folder: PathLike, *, device: str = "cpu") -> StackedAutoencoder | FeedforwardClassifier:
    """The stack or classifier, whichever was saved in a folder; what it computes is the same bits.

    Raises
    ------
    StackedError
        When the folder holds no model, or one that is damaged or of another version.
    """
    kind = kind_in(named_path(folder, "folder"))
    return load_classifier(folder, device=device) if kind == "classifier" else load_stack(folder, device=device)


def _parts(model: StackedAutoencoder | FeedforwardClassifier) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The description of a model and its tensors."""
    described = _described_stack(model) if isinstance(model, StackedAutoencoder) else _described_classifier(model)
    seed = model.randomness.seed if isinstance(model.randomness, Seeded) else None
    common = {"dtype": str(numpy_dtype(model.dtype)), "seed": seed}
    return described | common, nn.ModuleList(model.layers).state_dict()


def _described_stack(stack: StackedAutoencoder) -> dict[str, Any]:
    return {
        "kind": "stack",
        "n_inputs": stack.n_inputs,
        "layers": to_json(stack.settings),
        "training": to_json(stack.training),
        "histories": [_records(history) for history in stack.histories],
        "fine_tuning": _records(stack.fine_tuning),
    }


def _described_classifier(classifier: FeedforwardClassifier) -> dict[str, Any]:
    return {
        "kind": "classifier",
        "settings": to_json(classifier.settings),
        "n_frozen": classifier.n_frozen,
        "history": _records(classifier.history),
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
