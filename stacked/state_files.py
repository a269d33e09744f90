"""The state of something that will go on later, as one file: nested data with tensors, sealed by a checksum.

A state is a mapping of text to tensors, numbers, text, None, and lists and mappings of these. The file is an ordinary
safetensors file. Its tensor `tree` holds, as JSON, everything that is no tensor; its header the SHA-256 of the whole
file, taken with dashes where the sum itself stands, so that no byte of the file can change unnoticed.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from stacked.errors import mismatch
from stacked.files import write_atomically
from stacked.paths import open_plain

State = dict[str, Any]

_TREE = "tree"
_MARK = "<tensor>"  # a mapping with this name alone stands for the tensor it names
_BLANK = b"-" * 64
_REMEDY = "have callbacks put only such into their state and the records"


def write_state(path: Path, state: State) -> None:
    """Write a state, whole or not at all, in place of an earlier one.

    Raises
    ------
    OSError
        When it cannot be written.
    StackedError
        When it holds something that is not part of a state.
    """
    tensors: dict[str, Tensor] = {}
    text = json.dumps(_without_tensors(state, "", tensors)).encode()
    tree = torch.frombuffer(bytearray(text), dtype=torch.uint8)
    content = save({**tensors, _TREE: tree}, {"sha256": _BLANK.decode()})
    digest = hashlib.sha256(content).hexdigest().encode()
    write_atomically(path, content.replace(_BLANK, digest, 1))


def read_state(path: Path) -> State:
    """The state in a file, once every byte of it is what was written.

    Raises
    ------
    OSError
        When it cannot be read, or is no plain file.
    ValueError
        When the file is not to be trusted; it says why.
    """
    with open_plain(path) as file:
        content = file.read()
    try:
        tensors = load(content)
        size = int.from_bytes(content[:8], "little")
        digest = json.loads(content[8 : 8 + size])["__metadata__"]["sha256"].encode()
        tree = tensors.pop(_TREE).numpy().tobytes()
    except (SafetensorError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"it was not written as a state ({error!r})") from error
    if hashlib.sha256(content.replace(digest, _BLANK, 1)).hexdigest().encode() != digest:
        raise ValueError("its content does not match its checksum")
    try:
        state = _with_tensors(json.loads(tree), tensors)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"it holds no state ({error!r})") from error
    if not isinstance(state, dict):
        raise ValueError("it holds no state")
    return state


def fingerprint_of(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of names, dtypes, shapes and values, as hexadecimal digits."""
    digest = hashlib.sha256()
    for name, tensor in tensors.items():
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)} ".encode())
        digest.update(tensor.detach().cpu().numpy().tobytes())
    return digest.hexdigest()


def tensors_in(value: Any) -> Iterator[Tensor]:
    """Every tensor of a state, or of a part of one."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from tensors_in(item)


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


def _without_tensors(value: Any, path: str, tensors: dict[str, Tensor]) -> Any:
    """The value with a mark in place of each tensor, which goes into `tensors` by its path."""
    if isinstance(value, Tensor):
        while path in tensors:  # a name with a slash in it looks like the way to another tensor
            path += "+"
        # A copy, for safetensors refuses tensors that share memory.
        tensors[path] = value.detach().cpu().clone(memory_format=torch.contiguous_format)
        return {_MARK: path}
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, Mapping):
        _check_names(value, path)
        return {name: _without_tensors(item, f"{path}/{name}", tensors) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_tensors(item, f"{path}/{number}", tensors) for number, item in enumerate(value)]
    if value is not None and not isinstance(value, bool | int | float | str):
        expected = "tensors, numbers, text, None, and lists and mappings of these"
        raise mismatch(f"state{path}", expected=expected, received=type(value).__name__, remedy=_REMEDY)
    return value


def _check_names(value: Mapping[Any, Any], path: str) -> None:
    for name in value:
        if not isinstance(name, str):
            raise mismatch(f"state{path}", expected="names that are text", received=repr(name), remedy=_REMEDY)


def _with_tensors(value: Any, tensors: Mapping[str, Tensor]) -> Any:
    if isinstance(value, list):
        return [_with_tensors(item, tensors) for item in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {_MARK}:
        return tensors[value[_MARK]].clone()  # in memory that is aligned, for sums may round differently elsewhere
    return {name: _with_tensors(item, tensors) for name, item in value.items()}
