"""Bad input at every public entry, with the exact sentence it gets: what, expected, received, remedy.

`bad_inputs.txt` is the table, to be read as a document: an entry, below it inputs as Python writes them, below each
its message. `folder` is an empty folder of the case, and ... stands for an address or for words of another library.
"""

import gzip  # noqa: F401 (for the table)
import inspect
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
import torch

import stacked
import stacked.cli
from stacked import (
    FeedforwardClassifier,
    Plain,
    StackedAutoencoder,
    StackedError,
    StackedWarning,
    TrainingConfig,
    Variational,
)
from stacked.layer_text import layers_from  # noqa: F401 (for the table)
from stacked.seeds import fit_classifiers, fit_stacks  # noqa: F401 (for the table)
from stacked.tables import Wanted, read_data, read_table
from stacked.targets import as_target  # noqa: F401 (for the table)

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


class SparseMatrix:
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


def two_tables(folder):
    """An HDF5 file with two tables."""
    with h5py.File(hdf5(folder), "a") as file:
        file["test"] = X
    return folder / "rows.h5"


def numpy_file(folder, x, name="rows.npy"):
    """A file of numpy.save."""
    np.save(folder / name, x)
    return folder / name


def table(path):
    """The rows of a file that is named as for a command."""
    return read_table(str(path))


def data(path, **wanted):
    """The rows and the target of a file."""
    return read_data(str(path), Wanted(**wanted))


def text(folder, content, **wanted):
    """The rows and the target of a file of text."""
    return data(written(folder, content.encode(), "rows.csv"), **wanted)


def parquet(folder, **columns):
    """A Parquet file."""
    pa.parquet.write_table(pa.table(columns), folder / "rows.parquet")
    return folder / "rows.parquet"


def npz(folder, **arrays):
    """A file of numpy.savez."""
    np.savez(folder / "rows.npz", **arrays)
    return folder / "rows.npz"


def pretrain(folder, layers="plain:4", **options):
    """The verb of the command."""
    files = {"rows": str(numpy_file(folder, X, "x.npy")), "out": str(folder / "out")}
    inspect.unwrap(stacked.cli.pretrain.command)(
        **{**files, "layers": layers, "epochs": 1, "batch_size": 10, **options}
    )


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
    **{"nan": np.nan, "inf": np.inf, "frame": Frame(a=[1, 2], b=["x", "y"]), "sparse_matrix": SparseMatrix()},
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
    told = message_of(call, tmp_path).replace(str(tmp_path), "{folder}")
    assert re.fullmatch(".*".join(map(re.escape, message.split("..."))), told), told


@pytest.mark.parametrize(("entry", "call", "message"), CASES, ids=[f"{entry}: {call}" for entry, call, _ in CASES])
def test_the_message_is_one_sentence_with_expectation_and_remedy(entry, call, message):
    if "the loss became" not in message:
        assert "; " in message
        assert re.search("expected .*(received|found|but)|cannot|can be kept", message)
    assert len(message) < 700


def test_the_table_is_long_and_repeats_nothing():
    calls = [call for _, call, _ in CASES]
    assert len(set(calls)) == len(calls) >= 300


def test_the_error_is_a_value_error():
    with pytest.raises(ValueError, match="n_units"):
        Plain(-3)


@pytest.mark.parametrize("x", [changed(np.nan), X[0], X[:9], "rows.csv"], ids=["nan", "vector", "few", "text"])
def test_a_stack_that_was_refused_its_rows_is_as_before(x):
    untrained, trained = stack(), fitted()
    before = trained.encode(X)
    for each in (untrained, trained):
        with pytest.raises(StackedError):
            each.fit(x)
    assert untrained.layers == []
    assert np.array_equal(trained.encode(X), before)


def test_a_device_that_is_not_here_is_named():
    here = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    absent = next(name for name, there in here.items() if not there)  # no machine has both
    with pytest.raises(StackedError, match=rf"one that torch finds here \('cpu'.*received '{absent}'; use 'cpu'"):
        stack(device=absent)


# Warnings


@pytest.mark.parametrize("layers", [[Plain(4)], [Plain(4, activation="tanh"), Plain(3)]], ids=["rows", "codes"])
def test_reals_that_a_sigmoid_cannot_reach_are_warned_about(layers):
    with pytest.warns(StackedWarning, match=r"expected targets in \[0, 1\].*choose linear output") as caught:
        stack(*layers).fit(3 * X if len(layers) == 1 else X)
    assert [Path(warning.filename).name for warning in caught] == [Path(__file__).name]


def test_no_other_activation_is_advised_for_codes_that_are_always_linear():
    with pytest.warns(StackedWarning, match="choose linear output for layer 2$"):
        stack(Variational(4, activation="relu"), Plain(3)).fit(X)


def test_linear_output_takes_any_range():
    stack(Plain(4, output="linear")).fit(100 * X)
    stack(Plain(4, output="linear")).fit(PIXELS)


# Unusual input that is as good as any

EXACT = (X * 64).round() / 64  # numbers that every floating-point type below holds
READ_ONLY = EXACT.copy()
READ_ONLY.flags.writeable = False
GOOD_ROWS = {
    "float16": EXACT.astype("f2"),
    "float64": EXACT.astype("f8"),
    "long double": EXACT.astype("g"),
    "big-endian": EXACT.astype(">f4"),
    "read-only": READ_ONLY,
    "fortran order": np.asfortranarray(EXACT),
    "negative strides": np.ascontiguousarray(EXACT[::-1, ::-1])[::-1, ::-1],
    "every other row": np.repeat(EXACT, 2, axis=0)[::2],
    "list": EXACT.tolist(),
    "tuple of arrays": tuple(EXACT),
    "tensor": torch.from_numpy(EXACT),
    "tensor that requires gradients": torch.from_numpy(EXACT.copy()).requires_grad_(),
    "transposed tensor": torch.from_numpy(np.ascontiguousarray(EXACT.T)).T,
    "half tensor": torch.from_numpy(EXACT).half(),
    "masked array without masked values": np.ma.masked_array(EXACT),
}


@pytest.mark.parametrize("name", GOOD_ROWS)
def test_unusual_rows_train_as_any(name):
    codes = stack().fit(GOOD_ROWS[name]).encode(GOOD_ROWS[name])
    assert np.array_equal(codes, stack().fit(EXACT).encode(EXACT))


@pytest.mark.parametrize("dtype", ["?", "u1", "i1", ">i2", "u2", "i4", "u8", "i8"])
def test_whole_numbers_train_as_reals(dtype):
    x = (X > 0.5).astype(dtype)
    assert np.array_equal(stack().fit(x).encode(x), stack().fit(x.astype("f4")).encode(x.astype("f4")))


@pytest.mark.parametrize(
    "labels",
    [
        LABELS.tolist(),
        LABELS.astype("u1"),
        LABELS.astype(">i8"),
        LABELS.astype("f4"),
        torch.from_numpy(LABELS),
        list(map(np.int64, LABELS)),
    ],
    ids=["list", "bytes", "big-endian", "whole floats", "tensor", "numpy numbers"],
)
def test_unusual_labels_train_as_any(labels):
    trained = [classifier().fit(X, each, ONE_EPOCH).outputs(X) for each in (labels, LABELS)]
    assert np.array_equal(*trained)


def test_numbers_of_numpy_are_numbers():
    made = stack(Plain(np.int32(4), weight_decay=np.float32(0.25)), seed=np.uint8(3), training=ONE_EPOCH)
    same = stack(Plain(4, weight_decay=0.25), seed=3, training=TrainingConfig(np.int64(1), np.int16(10)))
    assert np.array_equal(made.fit(X).encode(X, np.int64(1)), same.fit(X).encode(X))


@pytest.mark.parametrize("seed", [0, 2**64, 10**40])
def test_any_whole_number_from_0_is_a_seed(seed):
    assert np.array_equal(stack(seed=seed).fit(X).encode(X), stack(seed=seed).fit(X).encode(X))


# Commands


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--seeds", "0"], "--seeds"),
        (["--epochs", "many"], "--epochs"),
        (["--sedes", "3"], "--sedes"),
        (["--smoke", "--device", "gpu"], "device: expected 'cpu', 'cuda' or 'mps', received 'gpu'; use 'cpu'"),
        (["--smoke", "--out", "/dev/null/x"], "/dev/null/x"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_bad_flag_of_an_experiment_gets_a_message_and_no_traceback(flags, message):
    command = [sys.executable, ROOT / "experiments" / "denoising_comparison.py", *flags]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert message in " ".join(done.stderr.replace("\u2502", " ").split())
