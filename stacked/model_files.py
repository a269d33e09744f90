"""A model as a folder: tensors in one safetensors file, everything else in `model.json`, nothing pickled.

`model.json` names the file of tensors by its SHA-256 and is renamed into place last, so that a folder holds the old
model or the new one, whole.
"""

import hashlib
import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from stacked.errors import StackedError, mismatch
from stacked.files import blaming, locked, remove_abandoned, withdrawn_on_failure, write_atomically

FORMAT = 1


def write_model(folder: Path, description: dict[str, Any], tensors: Mapping[str, Tensor]) -> None:
    """Write a model into a folder, made if need be; replace the model that is there."""
    content = save({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()})
    digest = hashlib.sha256(content).hexdigest()
    weights = f"weights-{digest[:16]}.safetensors"
    described = {"format": FORMAT, **description, "weights": weights, "sha256": digest}
    with blaming(folder, "the model"):
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder / "model"):  # or another who saves here would remove these weights as stale
            with withdrawn_on_failure(folder / weights):
                write_atomically(folder / weights, content)
                write_atomically(folder / "model.json", json.dumps(described, indent=1).encode())
            for stale in folder.glob("weights-*.safetensors"):
                if stale.name != weights:
                    stale.unlink()
        remove_abandoned(folder)


def read_model(folder: Path, kind: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The description and the tensors of a model of this kind, once both are what was written."""
    path = folder / "model.json"
    description = read_description(path, "a saved model", FORMAT, ("kind", "weights", "sha256"))
    if description["kind"] != kind:
        remedy = "use load_stack for stacks and load_classifier for classifiers"
        raise mismatch(str(path), expected=f"a {kind}", received=f"{description['kind']!r}", remedy=remedy)
    return description, _read_tensors(folder / Path(str(description["weights"])).name, description["sha256"])


def read_description(path: Path, what: str, version: int, fields: Collection[str]) -> dict[str, Any]:
    """What a JSON file of ours holds, once it is of this format and has these fields."""
    try:
        description: dict[str, Any] = json.loads(path.read_bytes())
        found = description["format"]
        missing = [field for field in fields if field not in description]
    except OSError as error:
        raise StackedError(f"{path}: expected {what}, but it cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise StackedError(f"{path}: expected {what}, but it is not whole: {error!r}") from error
    if found != version:
        remedy = "load it with the version of stacked that wrote it"
        raise mismatch(str(path), expected=f"format {version}", received=repr(found), remedy=remedy)
    if missing:
        raise StackedError(f"{path}: expected {what}, but it is not whole: it lacks {', '.join(missing)}")
    return description


def check_tensors(found: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    """Raise unless names, shapes and dtypes are those expected."""
    described = {name: (tuple(tensor.shape), tensor.dtype) for name, tensor in found.items()}
    wanted = {name: (tuple(tensor.shape), tensor.dtype) for name, tensor in expected.items()}
    for name in sorted(described.keys() | wanted.keys()):
        if described.get(name) != wanted.get(name):
            received = str(described.get(name, "nothing"))
            remedy = "the file does not belong to these settings; save the model again"
            wish = str(wanted.get(name, "nothing"))
            raise mismatch(f"tensor {name!r}", expected=wish, received=received, remedy=remedy)


def _read_tensors(path: Path, sha256: object) -> dict[str, Tensor]:
    try:
        content = path.read_bytes()
    except (OSError, ValueError) as error:
        raise StackedError(f"{path}: expected the weights of the model, but they cannot be read ({error})") from error
    if hashlib.sha256(content).hexdigest() != sha256:
        raise StackedError(
            f"{path}: its SHA-256 is not the one in model.json; the file is damaged, restore or retrain it"
        )
    try:
        return load(content)
    except SafetensorError as error:
        raise StackedError(f"{path}: expected a safetensors file, but {error}; restore or retrain it") from error
