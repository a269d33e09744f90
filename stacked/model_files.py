"""A model as a folder: tensors in one safetensors file, everything else in `model.json`, nothing pickled.

`model.json` names the file of tensors by its SHA-256 and is renamed into place last, so that a folder holds the old
model or the new one, whole.
"""

import hashlib
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from stacked.descriptions import check_fields, read_description, write_description
from stacked.errors import StackedError, mismatch
from stacked.files import blaming, locked, remove_abandoned, withdrawn_on_failure, write_atomically
from stacked.paths import read_plain
from stacked.state_files import check_tensors

FORMAT = 4
CARD = "model_card.md"  # not README.md, which may be there already and somebody else's
LOADERS = {"stack": "load_stack", "classifier": "load_classifier", "regressor": "load_regressor"}
_HEADER_BYTES = 2**20
"""Room for what a safetensors file says about its tensors."""


def write_model(folder: Path, description: dict[str, Any], tensors: Mapping[str, Tensor], card: str) -> None:
    """Write a model and its card into a folder, made if need be; replace the model that is there."""
    content = save({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()})
    digest = hashlib.sha256(content).hexdigest()
    weights = f"weights-{digest[:16]}.safetensors"
    described = {**description, "weights": weights, "sha256": digest}
    with blaming(folder, "the model"):
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder / "model"):  # or another who saves here would remove these weights as stale
            with withdrawn_on_failure(folder / weights):
                write_atomically(folder / weights, content)
                write_description(folder / "model.json", FORMAT, described)
            write_atomically(folder / CARD, card.encode())
            for stale in folder.glob(f"weights-{'[0-9a-f]' * 16}.safetensors"):
                if stale.name != weights:
                    stale.unlink()
        remove_abandoned(folder)


def holds_model(folder: Path) -> bool:
    """Whether a model was saved in a folder, sound or not."""
    return (folder / "model.json").exists()


def kind_of_model(folder: Path) -> str:
    """What kind of model a folder holds, one of `LOADERS`."""
    return _read(folder)[1]


def read_model(folder: Path, kind: str, fields: Collection[str]) -> dict[str, Any]:
    """The description of a model of this kind, which has exactly these fields besides those every model has."""
    description, found = _read(folder)
    path = folder / "model.json"
    if found != kind:
        remedy = f"load it with {LOADERS[found]}"
        raise mismatch(str(path), expected=f"a {kind}", received=f"a {found}", remedy=remedy)
    check_fields(path, description, (*fields, "kind", "weights", "sha256"))
    return description


def _read(folder: Path) -> tuple[dict[str, Any], str]:
    path = folder / "model.json"
    description = read_description(path, "a saved model", FORMAT)
    kind = description.get("kind")
    if not isinstance(kind, str) or kind not in LOADERS:
        received = repr(kind)[:80]
        raise mismatch(str(path), expected=f"one of {', '.join(LOADERS)}", received=received, remedy="save it again")
    return description, kind


def read_tensors(folder: Path, description: Mapping[str, Any], expected: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of a model, once they are what was written and have the names, shapes and dtypes expected."""
    path = folder / _weights_name(folder, description["weights"])
    most = _HEADER_BYTES + sum(tensor.numel() * tensor.element_size() for tensor in expected.values())
    try:
        content = read_plain(path, most)
    except OSError as error:
        reason = f"expected the weights of the model, but they cannot be read: {error.strerror}"
        raise StackedError(f"{path}: {reason}; restore the file, or train the model again") from error
    if hashlib.sha256(content).hexdigest() != description["sha256"]:
        raise StackedError(
            f"{path}: its SHA-256 is not the one in model.json; the file is damaged, restore or retrain it"
        )
    try:
        tensors = load(content)
    except (SafetensorError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise StackedError(f"{path}: expected a safetensors file, but {error}; restore or retrain it") from error
    check_tensors(tensors, expected)
    return tensors


def _weights_name(folder: Path, name: object) -> str:
    """The name of the weights, once it can lead to no other folder."""
    if not isinstance(name, str) or not re.fullmatch(r"weights-[0-9a-f]{16}\.safetensors", name):
        expected, received = "the weights of the model under the name that save gives them", repr(name)[:80]
        raise mismatch(str(folder), expected=expected, received=received, remedy="save the model again")
    return name
