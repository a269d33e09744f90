"""Saving and loading trained stacks and classifiers."""

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from stacked.autoencoders import SETTINGS as LAYER_SETTINGS
from stacked.callbacks import History
from stacked.classifier import FeedforwardClassifier
from stacked.classifier_settings import ClassifierSettings
from stacked.devices import numpy_dtype
from stacked.errors import StackedError
from stacked.model_files import check_tensors, read_model, write_model
from stacked.randomness import Seeded
from stacked.settings import from_json, to_json
from stacked.stack import StackedAutoencoder
from stacked.training_config import SETTINGS as TRAINING_SETTINGS

_KINDS = (*LAYER_SETTINGS, *TRAINING_SETTINGS, ClassifierSettings)

PathLike = str | os.PathLike[str]


def save(model: StackedAutoencoder | FeedforwardClassifier, folder: PathLike) -> Path:
    """Write a trained stack or a classifier into a folder, in place of an earlier one, and return the folder.

    Raises
    ------
    StackedError
        When the stack is not trained, or the folder cannot be written.
    """
    described = _described_stack(model) if isinstance(model, StackedAutoencoder) else _described_classifier(model)
    seed = model.randomness.seed if isinstance(model.randomness, Seeded) else None
    common = {"dtype": str(numpy_dtype(model.dtype)), "seed": seed}
    write_model(Path(folder), described | common, nn.ModuleList(model.layers).state_dict())
    return Path(folder)


def load_stack(folder: PathLike, *, device: str = "cpu") -> StackedAutoencoder:
    """The stack that was saved in a folder; its codes are the same bits.

    Raises
    ------
    StackedError
        When the folder holds no stack, or one that is damaged or of another version.
    """
    description, tensors = read_model(Path(folder), "stack")
    with _complete(folder):
        layers, training = (from_json(description[field], _KINDS) for field in ("layers", "training"))
        seed, dtype = description["seed"] or 0, description["dtype"]
        stack = StackedAutoencoder(layers, training, seed=seed, dtype=dtype, device=device)
        stack.layers = stack.untrained_layers(description["n_inputs"])
        stack.histories = [History(records) for records in description["histories"]]
    _fill(stack.layers, tensors)
    return stack


def load_classifier(folder: PathLike, *, device: str = "cpu") -> FeedforwardClassifier:
    """The classifier that was saved in a folder; its outputs are the same bits.

    Raises
    ------
    StackedError
        When the folder holds no classifier, or one that is damaged or of another version.
    """
    description, tensors = read_model(Path(folder), "classifier")
    with _complete(folder):
        settings, seed = from_json(description["settings"], _KINDS), description["seed"] or 0
        classifier = FeedforwardClassifier(settings, seed=seed, dtype=description["dtype"], device=device)
        classifier.n_frozen = description["n_frozen"]
        classifier.history = History(description["history"])
    _fill(classifier.layers, tensors)
    return classifier


def _described_stack(stack: StackedAutoencoder) -> dict[str, Any]:
    return {
        "kind": "stack",
        "n_inputs": stack.n_inputs,
        "layers": to_json(stack.settings),
        "training": to_json(stack.training),
        "histories": [history.records for history in stack.histories],
    }


def _described_classifier(classifier: FeedforwardClassifier) -> dict[str, Any]:
    return {
        "kind": "classifier",
        "settings": to_json(classifier.settings),
        "n_frozen": classifier.n_frozen,
        "history": classifier.history.records,
    }


@contextlib.contextmanager
def _complete(folder: PathLike) -> Iterator[None]:
    try:
        yield
    except (KeyError, TypeError, AttributeError) as error:
        raise StackedError(
            f"{folder}/model.json: expected a whole description, but {error!r}; save it again"
        ) from error


def _fill(layers: Sequence[nn.Module], tensors: dict[str, Tensor]) -> None:
    """Copy stored tensors into layers that were made from the stored settings."""
    made = nn.ModuleList(layers)
    check_tensors(tensors, made.state_dict())
    made.load_state_dict(tensors)
