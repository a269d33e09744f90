"""A file for `torch.jit.load`, in Python or C++.

Without scaling the rows have the dtype of the model, as everywhere in torch.
"""

import contextlib
import io
import warnings
from collections.abc import Iterator
from typing import BinaryIO

import torch

from stacked.exports.checked import Format, Runner
from stacked.exports.subject import Subject
from stacked.rows import Array


def _content_of(subject: Subject) -> bytes:
    """The file."""
    content = io.BytesIO()
    with _no_word_of_its_age():
        torch.jit.save(torch.jit.script(subject.network), content)
    return content.getvalue()


def _opened(file: BinaryIO) -> Runner:
    """What the file computes."""
    with _no_word_of_its_age():
        network = torch.jit.load(file, map_location="cpu")  # type: ignore[no-untyped-call]

    @torch.no_grad()
    def run(rows: Array) -> Array:
        codes: Array = network(torch.from_numpy(rows)).numpy()
        return codes

    return run


@contextlib.contextmanager
def _no_word_of_its_age() -> Iterator[None]:
    """Without torch's advice, in a DeprecationWarning, to take torch.export, which is for who chooses the format."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"`torch\.jit\.\w+` is ", DeprecationWarning)
        yield


TORCHSCRIPT = Format(".pt", _content_of, _opened)
