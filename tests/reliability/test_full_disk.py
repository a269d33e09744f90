"""Disks and folders that take no more: one sentence with the remedy, what was there intact, nothing half-written."""

import functools
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("hindered_writes.py")
OWN_MOUNTS = [["unshare", "--mount"], ["unshare", "--user", "--map-root-user", "--mount"]]
FOLDERS = {
    "cache": "cache",
    "model": "model",
    "new model": "new-model",
    "index": "index",
    "index of another stack": "index",
    "fit": "fit",
    "fit, filled meanwhile": "fit",
    "trial": "runs",
    "new trials": "new-runs",
    "run": "new-run",
    "cache, filled meanwhile": "cache",
    "cache, filled by the codes": "cache",
}


@functools.cache
def with_mounts() -> list[str]:
    """The start of a command that may mount disks, which go with its process."""
    tried = {}
    for start in OWN_MOUNTS:
        probe = subprocess.run(
            [*start, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True, text=True, check=False
        )
        if probe.returncode == 0:
            return start
        tried[" ".join(start)] = probe.stderr
    pytest.fail(f"no small disk can be mounted here, by root or in a namespace of the user: {tried}")


@pytest.fixture(scope="module", params=["full", "read-only", "forbidden"])
def outcomes(request):
    """The kind of hindrance, the folder, and what came of every attempt to write."""
    start = [] if request.param == "forbidden" else with_mounts()
    with tempfile.TemporaryDirectory() as folder:  # not one of pytest's, to which another user has no way
        command = [*start, sys.executable, "-W", "error", PROGRAM, request.param, folder]
        finished = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert finished.returncode == 0, finished.stderr
    return request.param, Path(folder) / "work", json.loads(finished.stdout)


@pytest.mark.parametrize("what", FOLDERS)
def test_an_error_names_the_folder_and_the_remedy_in_one_sentence(outcomes, what):
    kind, folder, found = outcomes
    message = found[what]["message"]
    assert str(folder / FOLDERS[what]) in message
    assert message.endswith(("name another folder", "name a cache folder on another disk"))
    assert message.count("\n") == 0
    if kind == "full":
        assert "make room" in message


@pytest.mark.parametrize("what", FOLDERS)
def test_what_was_there_is_intact_and_nothing_half_written_is_left(outcomes, what):
    _, _, found = outcomes
    assert found[what]["intact"]
    assert found[what]["changed"] == []


def test_everything_that_writes_was_tried(outcomes):
    assert set(outcomes[2]) == set(FOLDERS)
