"""Bad input at every public entry, with the exact sentence it gets: what, expected, received, remedy.

`bad_inputs.txt` is the table, to be read as a document: an entry, below it inputs as Python writes them, below each its
message. `{folder}` stands for an empty folder of the case. No input may change or break anything else: whatever is
wrong is found before work is done.
"""

import contextlib
import gzip
import json
import os
import subprocess
import sys
import warnings
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

import stacked
from stacked import (
    FeedforwardClassifier,
    Plain,
    StackedAutoencoder,
    StackedError,
    StackedWarning,
    TrainingConfig,
    Variational,
    measures,
    plots,
)
from stacked.rows import as_rows

ROOT = Path(__file__).parents[2]
TABLE = Path(__file__).with_name("bad_inputs.txt")

X = np.random.default_rng(0).random((40, 6), dtype=np.float32)
PIXELS = (X * 255).astype(np.uint8)
LABELS = np.arange(40) % 3
ONE_EPOCH = TrainingConfig(epochs=1, batch_size=10)


def changed(value, index=(17, 3)):
    """The rows with another value in one place."""
    x = X.copy()
    x[index] = value
    return x


def stack(*layers, **options):
    """A stack that is not trained."""
    return StackedAutoencoder(layers or [Plain(4)], options.pop("training", ONE_EPOCH), **options)


def fitted(*layers):
    """A trained stack."""
    return stack(*layers).fit(X)


def variational():
    """A trained variational layer."""
    return fitted(Variational(2, hidden=3)).layers[0]


def classifier():
    """A classifier that is not trained."""
    return FeedforwardClassifier((6, 4, 3))


class Frame:
    """A table whose columns have names and types of their own, as pandas has it."""

    def __init__(self, **columns):
        self.columns = columns

    def __array__(self, dtype=None, copy=None):
        return np.array(list(self.columns.values()), object).T

    def __len__(self):
        return 2


class Sparse_:
    """A sparse matrix, as scipy has it: it does not convert."""

    shape = (40, 6)


def dataset(folder, **options):
    """An open HDF5 dataset of the rows."""
    return h5py.File(folder / "rows.h5", "w").create_dataset("x", **({"data": X} | options))


def hdf5(folder, **options):
    """An HDF5 file of the rows, in a group."""
    with h5py.File(folder / "rows.h5", "w") as file:
        file.create_dataset("images/train", **({"data": X} | options))
    return folder / "rows.h5"


def closed(folder):
    """A dataset whose file is closed."""
    with h5py.File(hdf5(folder)) as file:
        return file["images/train"]


def written(folder, content, name="file"):
    """A file of other things."""
    (folder / name).write_bytes(content)
    return folder / name


def pipe(folder, name="pipe"):
    """A pipe that nobody writes to."""
    os.mkfifo(folder / name)
    return folder / name


def saved(folder, **changes):
    """A saved stack, its description changed by hand."""
    path = stacked.save(fitted(), folder) / "model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    return folder


def images(folder, **changes):
    """Four IDX files, some replaced; None removes one."""
    whole = {}
    for name in stacked.datasets._FILES:
        shape = (3, 2, 2) if "images" in name else (3,)
        whole[name] = bytes([0, 0, 8, len(shape)]) + np.array(shape, ">u4").tobytes() + bytes(int(np.prod(shape)))
    whole |= {name.replace("_", "-"): content for name, content in changes.items()}
    for name, content in whole.items():
        if content is not None:
            (folder / name).write_bytes(content)
    return folder


NAMES = {
    **{name: getattr(stacked, name) for name in stacked.__all__},
    **{name: value for name, value in globals().items() if not name.startswith("_")},
    **{"nan": np.nan, "inf": np.inf, "Generator": lambda: (row for row in X), "TextColumns": Frame(a=[1, 2], b=["x", "y"])},
    **{"SparseMatrix": Sparse_(), "measures": measures, "plots": plots, "gzip": gzip},
}


def cases():
    """Every entry, input and message of the table."""
    entry, call = "", ""
    for line in TABLE.read_text().splitlines():
        if line.startswith(" " * 8):
            yield entry, call, line.strip()
        elif line.startswith(" " * 4):
            call = line.strip()
        elif line:
            entry = line


CASES = list(cases())


def message_of(call, folder):
    """What the input gets."""
    with pytest.raises(StackedError) as caught:
        eval(call, NAMES | {"folder": folder})
    return str(caught.value)


@pytest.mark.parametrize(("entry", "call", "message"), CASES, ids=[f"{entry}: {call}" for entry, call, _ in CASES])
def test_bad_input_gets_this_message(entry, call, message, tmp_path):
    assert message_of(call, tmp_path).replace(str(tmp_path), "{folder}") == message


@pytest.mark.parametrize(("entry", "call", "message"), CASES, ids=[f"{entry}: {call}" for entry, call, _ in CASES])
def test_the_message_is_one_sentence_with_expectation_and_remedy(entry, call, message):
    assert "; " in message
    assert "expected" in message or "cannot" in message
    assert len(message) < 700


def test_the_table_is_long_and_repeats_nothing():
    calls = [call for _, call, _ in CASES]
    assert len(set(calls)) == len(calls) >= 200
