"""Locks that die with their holder, files that are whole or not there, and what killed processes leave."""

import errno
from pathlib import Path

import pytest

from stacked.errors import StackedError
from stacked.files import blaming, lock_of, locked, remove_abandoned, replacing, withdrawn_on_failure


class Broken(Exception):
    """What may go wrong."""


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_lock_is_a_file_while_it_is_held(tmp_path):
    with locked(tmp_path / "a"):
        assert names(tmp_path) == [".a.stacked.lock"] == [lock_of(tmp_path / "a").name]
        with pytest.raises(TimeoutError), locked(tmp_path / "a", wait=False):
            pass
        with locked(tmp_path / "b"):
            pass
    assert names(tmp_path) == []


def test_what_is_held_is_not_abandoned(tmp_path):
    with locked(tmp_path / "a"), replacing(tmp_path / "a") as part:
        part.write_text("whole")
        remove_abandoned(tmp_path)
        assert names(tmp_path) == [".a.stacked.lock", ".a.stacked.part"]
    assert names(tmp_path) == ["a"]


@pytest.mark.parametrize("endings", [["lock"], ["part"], ["lock", "part"]], ids="-".join)
def test_what_nobody_holds_is_removed(tmp_path, endings):
    for ending in endings:
        (tmp_path / f".a.stacked.{ending}").write_text("left")
    (tmp_path / "a").write_text("whole")
    remove_abandoned(tmp_path)
    assert names(tmp_path) == ["a"]


def test_removing_what_is_abandoned_leaves_the_lock_of_who_comes_next(tmp_path, monkeypatch):
    lock_of(tmp_path / "a").write_text("left")
    unlink, others = Path.unlink, "of another process, which found no lock"

    def unlink_and_let_another_in(path, missing_ok=False):
        unlink(path, missing_ok)
        if path == lock_of(tmp_path / "a"):
            monkeypatch.setattr(Path, "unlink", unlink)
            path.write_text(others)

    monkeypatch.setattr(Path, "unlink", unlink_and_let_another_in)
    remove_abandoned(tmp_path)
    assert lock_of(tmp_path / "a").read_text() == others


def write_three(folder):
    with withdrawn_on_failure(*(folder / name for name in ("old", "new", "folder"))):
        (folder / "old").write_text("changed")
        (folder / "new").write_text("new")
        (folder / "folder").mkdir()
        (folder / "folder" / "inner").write_text("new")
        raise Broken


def test_new_files_and_folders_are_withdrawn_after_a_failure(tmp_path):
    (tmp_path / "old").write_text("old")
    with pytest.raises(Broken):
        write_three(tmp_path)
    assert names(tmp_path) == ["old"]


def test_they_stay_when_all_goes_well(tmp_path):
    with withdrawn_on_failure(tmp_path / "new"):
        (tmp_path / "new").write_text("new")
    assert names(tmp_path) == ["new"]


@pytest.mark.parametrize(
    ("number", "remedy"), [(errno.ENOSPC, "make room, or name another folder"), (errno.EACCES, "name another folder")]
)
def test_a_refusal_names_the_folder_and_the_remedy(tmp_path, number, remedy):
    with pytest.raises(StackedError) as caught, blaming(tmp_path, "the model"):
        raise OSError(number, "in several\nlines")
    message = str(caught.value)
    assert message.startswith(f"{tmp_path}: the model cannot be written there (")
    assert message.endswith(f"); {remedy}")
    assert "\n" not in message
