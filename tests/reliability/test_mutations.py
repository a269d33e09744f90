"""Files damaged in every way: what is read from them is right, or refused in one sentence.

A file whose format has no checksum, such as a contiguous HDF5 table or a plain IDX file other than MNIST's, cannot
tell another number from the one that was written; there, reading only has to come to an end in bounded memory.
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mutants import KINDS, classifier, stack

from stacked import ClassifierSettings, StackedError, load_classifier, load_index, load_stack, save
from stacked.autoencoders import SETTINGS as LAYER_SETTINGS
from stacked.descriptions import write_description
from stacked.idx import read_idx
from stacked.retrieval import CodeIndex
from stacked.settings import from_json, to_json
from stacked.training_config import SETTINGS as TRAINING_SETTINGS

ROOT = Path(__file__).parents[2]
SHORT, LONG = 1000, 10_000

fuzzed = settings(max_examples=300, deadline=None, derandomize=True, database=None)


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_file_is_refused_or_read_right(kind, request):
    count = LONG if request.config.getoption("--long", default=False) else SHORT
    command = [sys.executable, "-m", "tests.reliability.mutants", kind, "0", str(count)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    printed = done.stdout.splitlines()
    assert done.returncode == 0, (
        f"{kind}: mutation {printed[-1:]} ended the reader ({done.returncode}): {done.stderr}"
    )
    report = json.loads(printed[-1])
    assert report["bad"] == []
    assert sum(report["found"].values()) == count
    assert report["found"]["detected"] > count / 4
    assert report["grown_kilobytes"] < 100_000


# Descriptions of wrong things, with the right checksum

FINITE = st.floats(allow_nan=False, allow_infinity=False)
NUMBERS = st.one_of(st.integers(-3, 12), st.sampled_from([10**12, 10**400]), FINITE)
LEAVES = st.one_of(st.none(), st.booleans(), NUMBERS, st.sampled_from(["", "relu", "sigmoid", "Plain", "7", "\0"]))
TREES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(["is", "n_units", "epochs", "x"]), inner)
    ),
    max_leaves=6,
)


def places(tree, path=()):
    """Every place in a tree of dicts and lists."""
    yield path
    inner = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for step, value in inner:
        yield from places(value, (*path, step))


def replaced(tree, path, value):
    """The tree with something else in one place."""
    if not path:
        return value
    made = tree.copy()
    made[path[0]] = replaced(tree[path[0]], path[1:], value)
    return made


def only_stacked_errors(read, *arguments):
    """Read it, or refuse it in one sentence."""
    try:
        return read(*arguments)
    except StackedError as error:
        message = str(error)
    assert "\n" not in message
    return None


SAVED = {
    "stack": (lambda folder: save(stack(), folder), "model.json", load_stack),
    "classifier": (lambda folder: save(classifier(), folder), "model.json", load_classifier),
    "index": (lambda folder: CodeIndex(stack()).add(np.ones((5, 6))).save(folder), "index.json", load_index),
}


@pytest.fixture(scope="module", params=SAVED)
def saved(request, tmp_path_factory):
    """A folder, its description, the values in it and what loads it."""
    write, name, load = SAVED[request.param]
    folder = tmp_path_factory.mktemp(request.param)
    write(folder)
    return folder, folder / name, json.loads((folder / name).read_text()), load


@fuzzed
@given(data=st.data())
def test_a_description_of_anything_is_read_or_refused(saved, data):
    folder, path, described, load = saved
    fields = {name: value for name, value in described.items() if name not in ("format", "checksum")}
    place = data.draw(st.sampled_from(list(places(fields))[1:]))
    write_description(path, described["format"], replaced(fields, place, data.draw(TREES)))
    only_stacked_errors(load, folder)


ALL_SETTINGS = (*LAYER_SETTINGS, *TRAINING_SETTINGS, ClassifierSettings)
GOOD = [to_json(made) for made in (*stack().settings, *stack().training, classifier().settings)]


@fuzzed
@given(data=st.data())
def test_settings_of_anything_are_made_or_refused(data):
    good = data.draw(st.sampled_from(GOOD))
    tree = replaced(good, data.draw(st.sampled_from(list(places(good)))), data.draw(TREES))
    made = only_stacked_errors(from_json, tree, ALL_SETTINGS)
    if isinstance(made, ALL_SETTINGS):
        assert from_json(to_json(made), ALL_SETTINGS) == made


# IDX headers


@fuzzed
@given(
    code=st.integers(0, 255),
    sizes=st.lists(st.one_of(st.integers(0, 9), st.integers(0, 2**32 - 1)), max_size=70),
    n_values=st.integers(0, 300),
)
def test_an_idx_header_of_anything_is_read_or_refused(tmp_path_factory, code, sizes, n_values):
    path = tmp_path_factory.getbasetemp() / "fuzzed-idx"
    path.write_bytes(bytes([0, 0, code, len(sizes)]) + np.array(sizes, ">u4").tobytes() + bytes(n_values))
    read = only_stacked_errors(read_idx, path)
    if read is not None:
        assert read[0].shape == tuple(sizes)
        assert read[0].nbytes == n_values
