"""A file for `numpy.load`: plain arrays, and beside them `encode.py`, which encodes with them and NumPy alone."""

import io
import zipfile
from pathlib import Path
from typing import BinaryIO

import numpy as np

from stacked.exports.checked import Format, Runner
from stacked.exports.encode import encode
from stacked.exports.subject import Subject
from stacked.rows import Array


def _content_of(subject: Subject) -> bytes:
    """The file."""
    content = io.BytesIO()
    np.savez(content, **_arrays(subject))  # type: ignore[arg-type]  # for which `allow_pickle` might be among them
    with zipfile.ZipFile(content, "a") as archive:
        archive.writestr("encode.py", Path(__file__).with_name("encode.py").read_text())
    return content.getvalue()


def _opened(file: BinaryIO) -> Runner:
    """What the file computes."""
    with np.load(file) as archive:
        arrays = dict(archive)
    return lambda rows: encode(arrays, rows)


def _arrays(subject: Subject) -> dict[str, Array]:
    arrays: dict[str, Array] = {"functions": np.array([layer.function for layer in subject.layers])}
    for number, layer in enumerate(subject.layers, start=1):
        arrays |= {f"layer_{number}_weight": layer.weight, f"layer_{number}_bias": layer.bias}
    if subject.scaling is not None:
        arrays |= {"shift": subject.scaling.shift, "scale": subject.scaling.scale}
    if subject.target_scaling is not None:
        arrays |= {"target_shift": subject.target_scaling.shift, "target_scale": subject.target_scaling.scale}
    return arrays


NUMPY = Format(".npz", _content_of, _opened)
