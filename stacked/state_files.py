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

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from stacked.errors import mismatch
from stacked.files import write_atomically

State = dict[str, Any]

_TREE = "tree"
_MARK = "<tensor>"  # a mapping with this name alone stands for the tensor it names
_BLANK = b"-" * 64


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
    FileNotFoundError
        When there is no such file.
    ValueError
        When the file is not to be trusted; it says why.
    """
    if path.exists() and not path.is_file():
        raise ValueError("it is no plain file")
    content = path.read_bytes()
    try:
        tensors = load(content)
        size = int.from_bytes(content[:8], "little")
        digest = json.loads(content[8 : 8 + size])["__metadata__"]["sha256"].encode()
        tree = tensors.pop(_TREE).numpy().tobytes()
    except (SafetensorError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"it was not written as a state ({error!r})") from error
    if hashlib.sha256(content.replace(digest, _BLANK, 1)).hexdigest().encode() != digest:
        raise ValueError("its content does not match its checksum")
    state: State = _with_tensors(json.loads(tree), tensors)
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
        # A copy, for safetensors refuses tensors that share memory.
        tensors[path] = value.detach().cpu().clone(memory_format=torch.contiguous_format)
        return {_MARK: path}
    if isinstance(value, Mapping):
        return {str(name): _without_tensors(item, f"{path}/{name}", tensors) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_tensors(item, f"{path}/{number}", tensors) for number, item in enumerate(value)]
    if value is not None and not isinstance(value, bool | int | float | str):
        expected = "tensors, numbers, text, None, and lists and mappings of these"
        remedy = "have the callback's state() return such"
        raise mismatch(f"state{path}", expected=expected, received=type(value).__name__, remedy=remedy)
    return value


def _with_tensors(value: Any, tensors: Mapping[str, Tensor]) -> Any:
    if isinstance(value, list):
        return [_with_tensors(item, tensors) for item in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {_MARK}:
        return tensors[value[_MARK]]
    return {name: _with_tensors(item, tensors) for name, item in value.items()}
