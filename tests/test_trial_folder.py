"""Trials kept in a folder: they come back, and only to the settings they were made with."""

import json
import os
import pickle
import re
from pathlib import Path

import numpy as np
import pytest

from stacked.errors import StackedError
from stacked.trial import Outcome, Trial
from stacked.trial_folder import TrialFolder

SETTINGS = {"epochs": 3, "rate": 0.1, "layers": ("a", "b"), "nested": {"x": [1, 2]}, "none": None}
TRIALS = [
    Trial("plain", 0, {"error_rate": 0.1 + 0.2, "recalls": [0.9, 1 / 3, 1.0], "seconds": 12.345678901234567}),
    Trial("plain", 1, {}),
    Trial(
        "denoising 0.5", 10, {"nested": {"losses": [[1.5, None], []], "text": "\N{GREEK SMALL LETTER LAMDA}"}, "n": 3}
    ),
    Trial("plain", 123456789, {}, 'layer 1: the loss became nan\n"quoted"'),
    Trial("plain", 2, {"failure": 0.5}),
    Trial("a/b", 0, {"arm": "other", "seed": 7, "figures": 0.5}),
    Trial("../up", 0, {"infinite": float("inf")}),
    Trial("a%b:c*d?", 0, {"error_rate": 1e-9}),
]
FIGURES = TRIALS[0].figures
ARRAYS = {"before": np.zeros((20, 30)), "after": np.ones((20, 30))}


@pytest.fixture
def folder(tmp_path):
    """A new folder of trials."""
    return TrialFolder(tmp_path / "out", SETTINGS)


def keep(folder, trial):
    return folder.store(trial.arm, trial.seed, Outcome(trial.figures, failure=trial.failure), arrays=True)


def keep_arrays(folder, arrays):
    folder.store("plain", 0, Outcome(FIGURES, arrays), arrays=True)


def file_of(folder_path, arm="plain", seed=0, ending="json"):
    (path,) = Path(folder_path).rglob(f"{arm}-{seed}.{ending}")
    return path


def settings_file(folder_path):
    (path,) = Path(folder_path).rglob("settings.json")
    return path


def files(path):
    return sorted(found.name for found in path.rglob("*") if found.is_file())


@pytest.mark.parametrize("trial", TRIALS, ids=lambda trial: f"{trial.arm}-{trial.seed}")
def test_a_stored_trial_comes_back(tmp_path, folder, trial):
    keep(folder, trial)
    for found in (folder, TrialFolder(tmp_path / "out", SETTINGS)):
        assert found.load(trial.arm, trial.seed) == trial
    assert files(tmp_path) == files(tmp_path / "out")


def test_trials_are_kept_apart(folder):
    for trial in TRIALS[:5]:
        keep(folder, trial)
    assert [folder.load(trial.arm, trial.seed) for trial in TRIALS[:5]] == TRIALS[:5]


def test_a_trial_that_was_not_stored_is_none(folder):
    keep(folder, TRIALS[1])
    assert folder.load("plain", 0) is None
    assert folder.load("other", 1) is None
    assert folder.load("plain", 11) is None


def test_a_later_trial_takes_the_place_of_an_earlier(folder):
    keep(folder, Trial("plain", 0, {"error_rate": 0.5}))
    keep(folder, Trial("plain", 0, {"error_rate": 0.25}))
    assert folder.load("plain", 0).figures == {"error_rate": 0.25}


def test_a_stored_trial_is_plain_json(tmp_path, folder):
    keep(folder, TRIALS[0])
    assert json.loads(file_of(tmp_path).read_text()) == {**TRIALS[0]._asdict(), "warnings": []}


def test_storing_returns_what_loading_will(folder):
    stored = keep(folder, Trial("plain", 0, {"pair": (1, 2), "by_number": {3: 0.5}}))
    assert stored == folder.load("plain", 0) == Trial("plain", 0, {"pair": [1, 2], "by_number": {"3": 0.5}})


def test_figures_that_are_not_fit_for_json_leave_nothing(tmp_path, folder):
    before = files(tmp_path)
    with pytest.raises(TypeError, match="float32"):
        folder.store("plain", 0, Outcome({"loss": np.float32(0.5)}, ARRAYS), arrays=True)
    assert files(tmp_path) == before


def test_nothing_half_written_is_left(tmp_path, folder):
    keep_arrays(folder, ARRAYS)
    assert not [name for name in files(tmp_path) if name.endswith(".part")]


# Settings


@pytest.mark.parametrize(
    "settings",
    [SETTINGS, SETTINGS | {"layers": ["a", "b"]}, dict(reversed(SETTINGS.items()))],
    ids=["same", "list", "order"],
)
def test_the_same_settings_find_the_trials(tmp_path, folder, settings):
    keep(folder, TRIALS[0])
    assert TrialFolder(tmp_path / "out", settings).load("plain", 0) == TRIALS[0]


@pytest.mark.parametrize(
    ("field", "value", "asked", "held"),
    [
        ("epochs", 4, "epochs = 4", f"epochs = {SETTINGS['epochs']}"),
        ("rate", 0.2, "rate = 0.2", f"rate = {SETTINGS['rate']}"),
        ("layers", ("a",), "no layers 2", "layers 2 = b"),
        ("nested", {"x": [1, 3]}, "nested x 2 = 3", "nested x 2 = 2"),
        ("new", 1, "new = 1", "no new"),
        ("new", None, "new = None", "no new"),
    ],
)
def test_other_settings_are_refused_with_what_differs(tmp_path, folder, field, value, asked, held):
    keep(folder, TRIALS[0])
    message = (
        f"{tmp_path / 'out'}: expected runs with {asked}, or none, received runs with {held}; "
        "name another folder, or delete this one"
    )
    with pytest.raises(StackedError, match=f"^{re.escape(message)}$"):
        TrialFolder(tmp_path / "out", SETTINGS | {field: value})


@pytest.mark.parametrize("field", SETTINGS)
def test_fewer_settings_are_refused(tmp_path, folder, field):
    with pytest.raises(StackedError, match=f"expected runs with no {field}"):
        TrialFolder(tmp_path / "out", {name: value for name, value in SETTINGS.items() if name != field})


def test_many_differences_are_counted(tmp_path):
    TrialFolder(tmp_path, {f"s{k}": 0 for k in range(9)})
    with pytest.raises(StackedError, match=r"with s0 = 1, s1 = 1, s2 = 1, s3 = 1 and 5 more, or none"):
        TrialFolder(tmp_path, {f"s{k}": 1 for k in range(9)})


def test_what_an_unfinished_trial_left_is_there_until_it_is_stored(folder):
    for seed in (0, 1):
        folder.scratch("a/b", seed).mkdir(parents=True)
        (folder.scratch("a/b", seed) / "checkpoint").write_text("so far")
    folder.store("a/b", 0, Outcome({"x": 1}), arrays=False)
    assert not folder.scratch("a/b", 0).exists()
    assert (folder.scratch("a/b", 1) / "checkpoint").read_text() == "so far"
    folder.store("a/b", 1, Outcome({}, failure="it diverged; the last state is kept"), arrays=False)
    assert (folder.scratch("a/b", 1) / "checkpoint").exists(), "what a failure names must be there"
    folder.store("a/b", 1, Outcome({"x": 2}), arrays=False)
    assert not folder.scratch("a/b", 1).parent.exists()


def test_what_a_storing_that_was_cut_short_left_is_removed_by_loading(folder):
    folder.store("plain", 0, Outcome({"x": 1}), arrays=False)
    folder.scratch("plain", 0).mkdir(parents=True)
    folder.load("plain", 0)
    assert not folder.scratch("plain", 0).parent.exists()


def test_trials_whose_settings_are_lost_are_refused(tmp_path, folder):
    keep(folder, TRIALS[0])
    settings_file(tmp_path).unlink()
    with pytest.raises(StackedError, match=r"runs: expected settings\.json beside the runs, received"):
        TrialFolder(tmp_path / "out", SETTINGS | {"epochs": 4})
    assert not list(tmp_path.rglob("settings.json"))


def test_refusing_leaves_the_trials(tmp_path, folder):
    keep(folder, TRIALS[0])
    with pytest.raises(StackedError):
        TrialFolder(tmp_path / "out", SETTINGS | {"epochs": 4})
    assert TrialFolder(tmp_path / "out", SETTINGS).load("plain", 0) == TRIALS[0]


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[]", b"3", b"null", b'{"epochs": 3'], ids=repr)
def test_damaged_settings_are_refused_with_the_folder(tmp_path, folder, content):
    settings_file(tmp_path).write_bytes(content)
    with pytest.raises(StackedError) as caught:
        TrialFolder(tmp_path / "out", SETTINGS)
    assert str(tmp_path / "out") in str(caught.value)


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "taken").write_bytes(b"mine")
    with pytest.raises(StackedError, match="name another folder") as caught:
        TrialFolder(tmp_path / "taken", SETTINGS)
    assert str(tmp_path / "taken") in str(caught.value)
    assert (tmp_path / "taken").read_bytes() == b"mine"


# Damage


def test_a_truncated_trial_counts_as_not_finished(tmp_path, folder):
    keep(folder, TRIALS[0])
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
        b'{"arm": "plain", "seed": 0, "figures": 3}',
        b'{"arm": "plain", "seed": 0, "figures": {}, "more": 1}',
        b'{"arm": "plain", "seed": 0, "figures": {}, "failure": 1}',
        b'{"seed": 0, "figures": {}}',
        b'{"arm": "plain", "seed": 1, "figures": {}}',
        b"[" * 100_000,
    ],
    ids=[
        "bytes",
        "list",
        "number",
        "null",
        "nothing",
        "text",
        "little",
        "figures",
        "more",
        "failure",
        "nameless",
        "other",
        "nested",
    ],
)
def test_a_damaged_trial_counts_as_not_finished(tmp_path, folder, content):
    keep(folder, TRIALS[0])
    file_of(tmp_path).write_bytes(content)
    assert folder.load("plain", 0) is None


def test_a_damaged_trial_may_be_stored_again(tmp_path, folder):
    keep(folder, TRIALS[0])
    file_of(tmp_path).write_bytes(b"")
    keep(folder, TRIALS[0])
    assert folder.load("plain", 0) == TRIALS[0]


def test_a_folder_in_the_place_of_a_trial_counts_as_not_finished(tmp_path, folder):
    (settings_file(tmp_path).parent / "plain-0.json").mkdir()
    assert folder.load("plain", 0) is None


# Arrays


@pytest.mark.parametrize("dtype", ["f4", "f8", "u1", "?"])
def test_arrays_come_back_to_the_last_bit(folder, dtype):
    random = np.random.default_rng(0)
    arrays = {"before": random.normal(size=(4, 9)).astype(dtype), "a 3-d/one": random.normal(size=(1, 2, 3))}
    keep_arrays(folder, arrays)
    found = folder.arrays("plain", 0)
    assert list(found) == list(arrays)
    assert found["before"].dtype == dtype
    assert all(np.array_equal(found[name], arrays[name]) for name in arrays)


@pytest.mark.parametrize("name", ["file", "allow_pickle", "arr_0", "self"])
def test_an_array_may_have_any_name(folder, name):
    keep_arrays(folder, {name: np.arange(3)})
    assert folder.arrays("plain", 0)[name].tolist() == [0, 1, 2]


def test_arrays_that_were_not_kept_are_none(folder):
    folder.store("plain", 0, Outcome(FIGURES, ARRAYS), arrays=False)
    folder.store("plain", 1, Outcome(FIGURES), arrays=True)
    assert folder.load("plain", 0).figures == folder.load("plain", 1).figures == FIGURES
    assert [folder.arrays("plain", seed) for seed in (0, 1, 7)] == [None] * 3


def test_arrays_are_read_by_numpy(tmp_path, folder):
    keep_arrays(folder, ARRAYS)
    with np.load(file_of(tmp_path, ending="npz"), allow_pickle=False) as stored:
        assert (stored["before"] == 0).all()
        assert (stored["after"] == 1).all()


@pytest.mark.parametrize("damage", ["empty", "truncated", "flipped", "compressed", "foreign", "one array"])
def test_damaged_arrays_count_as_not_kept(tmp_path, folder, damage):
    keep_arrays(folder, ARRAYS)
    path = file_of(tmp_path, ending="npz")
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 4] ^= 1
    method = whole.index(b"PK\x01\x02") + 10
    compressed = whole[:method] + b"\x63" + whole[method + 1 :]  # by a method that nobody knows
    damaged = {"empty": b"", "truncated": whole[:-30], "flipped": flipped, "compressed": compressed}
    if damage == "one array":
        with path.open("wb") as file:
            np.save(file, ARRAYS["before"])
    else:
        path.write_bytes(damaged.get(damage, b"something else"))
    assert folder.arrays("plain", 0) is None


class Payload:
    """Makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_arrays_are_never_pickled_nor_unpickled(tmp_path, folder):
    marker = tmp_path / "marker"
    harmful = np.array([Payload(marker)], object)
    with pytest.raises(ValueError, match="allow_pickle"):
        keep_arrays(folder, {"before": harmful})
    keep_arrays(folder, ARRAYS)
    np.savez(file_of(tmp_path, ending="npz"), before=harmful, after=harmful)
    assert folder.arrays("plain", 0) is None
    assert not marker.exists()
    pickle.loads(pickle.dumps(Payload(marker)))
    assert marker.exists()  # the payload would have worked


# Files from others


@pytest.mark.parametrize("ending", ["json", "npz"])
@pytest.mark.parametrize("what", ["pipe", "device"])
def test_a_trial_that_is_no_plain_file_has_not_been_finished(tmp_path, folder, ending, what):
    keep_arrays(folder, ARRAYS)
    path = file_of(tmp_path / "out", ending=ending)
    path.unlink()
    os.mkfifo(path) if what == "pipe" else path.symlink_to("/dev/zero")
    assert (folder.load("plain", 0) if ending == "json" else folder.arrays("plain", 0)) is None


def test_settings_that_are_no_plain_file_are_refused(tmp_path, folder):
    settings_file(tmp_path / "out").unlink()
    os.mkfifo(tmp_path / "out" / "runs" / "settings.json")
    with pytest.raises(StackedError, match="Not a plain file"):
        TrialFolder(tmp_path / "out", SETTINGS)


def test_an_archive_that_unpacks_to_more_than_it_stores_is_not_read(tmp_path, folder):
    keep_arrays(folder, ARRAYS)
    np.savez_compressed(file_of(tmp_path / "out", ending="npz"), before=np.zeros(10**6))
    assert folder.arrays("plain", 0) is None
