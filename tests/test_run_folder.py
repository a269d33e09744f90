"""Runs kept in a folder: they come back, and only to the settings they were made with."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from stacked.comparison import Filters, Run
from stacked.errors import StackedError
from stacked.run_folder import RunFolder

SETTINGS = {"epochs": 3, "rate": 0.1, "layers": ("a", "b"), "nested": {"x": [1, 2]}, "none": None}
RUNS = [
    Run("plain", 0, 0.1 + 0.2, (0.9, 1 / 3, 1.0), 12.345678901234567),
    Run("plain", 1, 0.0, (1.0, 1.0), 0.0),
    Run("denoising 0.5", 10, 1.0, (0.0,), 1e-9),
    Run("plain", 123456789, failure='layer 1: the loss became nan\n"quoted"'),
    Run("a/b", 0, 0.5, (0.5,), 1.0),
    Run("../up", 0, 0.5, (0.5,), 1.0),
    Run("a%b:c*d?", 0, 0.5, (0.5,), 1.0),
]


@pytest.fixture
def folder(tmp_path):
    """A new folder of runs."""
    return RunFolder(tmp_path / "out", SETTINGS)


def file_of(folder_path, arm="plain", seed=0, ending="json"):
    (path,) = Path(folder_path).rglob(f"{arm}-{seed}.{ending}")
    return path


def settings_file(folder_path):
    (path,) = Path(folder_path).rglob("settings.json")
    return path


def files(path):
    return sorted(found.name for found in path.rglob("*") if found.is_file())


@pytest.mark.parametrize("run", RUNS, ids=lambda run: f"{run.arm}-{run.seed}")
def test_a_stored_run_comes_back(tmp_path, folder, run):
    folder.store(run)
    for found in (folder, RunFolder(tmp_path / "out", SETTINGS)):
        assert found.load(run.arm, run.seed) == run
    assert files(tmp_path) == files(tmp_path / "out")


def test_runs_are_kept_apart(folder):
    for run in RUNS[:4]:
        folder.store(run)
    assert [folder.load(run.arm, run.seed) for run in RUNS[:4]] == RUNS[:4]


def test_a_run_that_was_not_stored_is_none(folder):
    folder.store(Run("plain", 1, 0.5))
    assert folder.load("plain", 0) is None
    assert folder.load("other", 1) is None
    assert folder.load("plain", 11) is None


def test_a_later_run_takes_the_place_of_an_earlier(folder):
    folder.store(Run("plain", 0, 0.5))
    folder.store(Run("plain", 0, 0.25))
    assert folder.load("plain", 0).error_rate == 0.25


def test_a_stored_run_is_plain_json(tmp_path, folder):
    folder.store(RUNS[0])
    assert json.loads(file_of(tmp_path).read_text()) == {
        "arm": "plain",
        "seed": 0,
        "error_rate": 0.1 + 0.2,
        "recalls": [0.9, 1 / 3, 1.0],
        "seconds": 12.345678901234567,
        "failure": "",
    }


def test_nothing_half_written_is_left(tmp_path, folder):
    folder.store(RUNS[0], Filters(np.zeros((2, 3)), np.ones((2, 3))))
    assert not [name for name in files(tmp_path) if name.endswith(".part")]


# Settings


@pytest.mark.parametrize(
    "settings",
    [SETTINGS, SETTINGS | {"layers": ["a", "b"]}, dict(reversed(SETTINGS.items()))],
    ids=["same", "list", "order"],
)
def test_the_same_settings_find_the_runs(tmp_path, folder, settings):
    folder.store(RUNS[0])
    assert RunFolder(tmp_path / "out", settings).load("plain", 0) == RUNS[0]


@pytest.mark.parametrize(
    ("field", "value", "shown"),
    [
        ("epochs", 4, "4"),
        ("rate", 0.2, "0.2"),
        ("layers", ("a",), '["a"]'),
        ("nested", {"x": [1, 3]}, '{"x": [1, 3]}'),
    ],
)
def test_other_settings_are_refused_with_what_differs(tmp_path, folder, field, value, shown):
    folder.store(RUNS[0])
    with pytest.raises(StackedError) as caught:
        RunFolder(tmp_path / "out", SETTINGS | {field: value})
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / 'out'}: expected runs with ")
    assert f'"{field}": {shown}' in message
    assert f'"{field}": {json.dumps(SETTINGS[field])}' in message
    assert "name another folder, or delete this one" in message
    assert not [other for other in SETTINGS if other != field and f'"{other}"' in message]


@pytest.mark.parametrize("field", SETTINGS)
def test_fewer_settings_are_refused(tmp_path, folder, field):
    with pytest.raises(StackedError, match=f'"{field}"'):
        RunFolder(tmp_path / "out", {name: value for name, value in SETTINGS.items() if name != field})


@pytest.mark.parametrize("value", [1, None])
def test_more_settings_are_refused(tmp_path, folder, value):
    with pytest.raises(StackedError, match='"new"'):
        RunFolder(tmp_path / "out", SETTINGS | {"new": value})


def test_refusing_leaves_the_runs(tmp_path, folder):
    folder.store(RUNS[0])
    with pytest.raises(StackedError):
        RunFolder(tmp_path / "out", SETTINGS | {"epochs": 4})
    assert RunFolder(tmp_path / "out", SETTINGS).load("plain", 0) == RUNS[0]


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[]", b"3", b"null", b'{"epochs": 3'], ids=repr)
def test_damaged_settings_are_refused_with_the_folder(tmp_path, folder, content):
    settings_file(tmp_path).write_bytes(content)
    with pytest.raises(StackedError) as caught:
        RunFolder(tmp_path / "out", SETTINGS)
    assert str(tmp_path / "out") in str(caught.value)


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "taken").write_bytes(b"mine")
    with pytest.raises(StackedError, match="name another folder") as caught:
        RunFolder(tmp_path / "taken", SETTINGS)
    assert str(tmp_path / "taken") in str(caught.value)
    assert (tmp_path / "taken").read_bytes() == b"mine"


# Damage


def test_a_truncated_run_counts_as_not_finished(tmp_path, folder):
    folder.store(RUNS[0])
    path = file_of(tmp_path)
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        assert folder.load("plain", 0) is None


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xfe\x00",
        b"[]",
        b"3",
        b"null",
        b"{}",
        b'"text"',
        b'{"arm": "plain", "seed": 0}',
        b'{"arm": "plain", "seed": 0, "error_rate": 0.1, "recalls": 3, "seconds": 1, "failure": ""}',
        b'{"arm": "plain", "seed": 0, "error_rate": 0.1, "recalls": [], "seconds": 1, "failure": "", "more": 1}',
        b'{"seed": 0, "error_rate": 0.1, "recalls": [], "seconds": 1, "failure": ""}',
        b"[" * 100_000,
    ],
    ids=["bytes", "list", "number", "null", "nothing", "text", "little", "recalls", "more", "nameless", "nested"],
)
def test_a_damaged_run_counts_as_not_finished(tmp_path, folder, content):
    folder.store(RUNS[0])
    file_of(tmp_path).write_bytes(content)
    assert folder.load("plain", 0) is None


def test_a_damaged_run_may_be_stored_again(tmp_path, folder):
    folder.store(RUNS[0])
    file_of(tmp_path).write_bytes(b"")
    folder.store(RUNS[0])
    assert folder.load("plain", 0) == RUNS[0]


def test_a_folder_in_the_place_of_a_run_counts_as_not_finished(tmp_path, folder):
    (settings_file(tmp_path).parent / "plain-0.json").mkdir()
    assert folder.load("plain", 0) is None


# Filters


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_filters_come_back_to_the_last_bit(folder, dtype):
    random = np.random.default_rng(0)
    filters = Filters(random.normal(size=(4, 9)).astype(dtype), random.normal(size=(4, 9)).astype(dtype))
    folder.store(RUNS[0], filters)
    found = folder.filters("plain", 0)
    assert found.before.dtype == dtype
    assert np.array_equal(found.before, filters.before)
    assert np.array_equal(found.after, filters.after)


def test_filters_that_were_not_kept_are_none(folder):
    folder.store(RUNS[0])
    assert folder.filters("plain", 0) is None
    assert folder.filters("plain", 7) is None


def test_filters_are_read_by_numpy(tmp_path, folder):
    folder.store(RUNS[0], Filters(np.zeros((2, 3)), np.ones((2, 3))))
    with np.load(file_of(tmp_path, ending="npz"), allow_pickle=False) as stored:
        assert (stored["before"] == 0).all()
        assert (stored["after"] == 1).all()


@pytest.mark.parametrize("damage", ["empty", "truncated", "flipped", "foreign", "incomplete"])
def test_damaged_filters_count_as_not_kept(tmp_path, folder, damage):
    folder.store(RUNS[0], Filters(np.zeros((20, 30)), np.ones((20, 30))))
    path = file_of(tmp_path, ending="npz")
    content = bytearray(path.read_bytes())
    content[len(content) // 4] ^= 1
    damaged = {"empty": b"", "truncated": path.read_bytes()[:-30], "flipped": content, "foreign": b"something else"}
    if damage == "incomplete":
        np.savez(path, before=np.zeros((2, 3)))
    else:
        path.write_bytes(damaged[damage])
    assert folder.filters("plain", 0) is None


class Payload:
    """Makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_filters_are_never_unpickled(tmp_path, folder):
    marker = tmp_path / "marker"
    folder.store(RUNS[0], Filters(np.zeros((2, 3)), np.ones((2, 3))))
    path = file_of(tmp_path, ending="npz")
    harmful = np.array([Payload(marker)], object)
    np.savez(path, before=harmful, after=harmful)
    assert folder.filters("plain", 0) is None
    assert not marker.exists()
    pickle.loads(pickle.dumps(Payload(marker)))
    assert marker.exists()  # the payload would have worked
