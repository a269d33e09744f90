"""The cache of codes: computed once, never trusted when damaged, bounded, careful with what is not its own."""

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pytest

from stacked.cache import CodeCache
from stacked.cache_entry import Codes, check_space, is_entry, write_entry
from stacked.errors import StackedError, StackedWarning
from stacked.temporary_cache import temporary_cache

CODES = Codes("a" * 64, (5, 3), np.dtype("f4"))
VALUES = np.random.default_rng(6).random((5, 3), dtype=np.float32)
FOREIGN = b"not a code cache, but something that somebody needs\n" * 50


class Broken(Exception):
    """What a computation may raise."""


@pytest.fixture
def cache(tmp_path):
    """An empty cache."""
    return CodeCache(tmp_path / "codes")


def named(key, n=5):
    return Codes(key, (n, 3), np.dtype("f4"))


def put_values(out):
    out[:] = VALUES


def put_constant(value):
    return lambda out: out.fill(value)


def not_to_be_computed(out):
    raise Broken


def path_of(cache, codes=CODES):
    return cache.folder / f"{codes.key}.h5"


def files(folder):
    return sorted(path.name for path in Path(folder).rglob("*"))


def place(path):
    """Where the values lie in an entry, as h5py finds them."""
    with h5py.File(path) as file:
        return file["codes"].id.get_offset()


def flip(path, at, bit=0):
    content = bytearray(path.read_bytes())
    content[at] ^= 1 << bit
    path.write_bytes(content)


def warned(cache, codes=CODES, compute=put_values, why=""):
    """The codes, whose delivery gives exactly one warning that names the file and the reason."""
    with warnings.catch_warnings(record=True) as given:
        warnings.simplefilter("always")
        values = cache.get(codes, compute)
    assert [type(warning.message) for warning in given] == [StackedWarning]
    assert str(path_of(cache, codes)) in str(given[0].message)
    assert why in str(given[0].message)
    return values


# Computed once


def test_codes_are_computed_once_and_then_reused(cache):
    assert np.array_equal(cache.get(CODES, put_values), VALUES)
    assert (cache.computed, cache.reused) == (1, 0)
    for times in (1, 2):
        assert np.array_equal(cache.get(CODES, not_to_be_computed), VALUES)
        assert (cache.computed, cache.reused) == (1, times)


def test_another_cache_of_the_same_folder_finds_them(cache):
    cache.get(CODES, put_values)
    other = CodeCache(str(cache.folder))
    assert np.array_equal(other.get(CODES, not_to_be_computed), VALUES)
    assert (other.computed, other.reused) == (0, 1)


def test_another_key_has_other_codes(cache):
    cache.get(named("a"), put_constant(1))
    assert (cache.get(named("b"), put_constant(2)) == 2).all()
    assert (cache.get(named("a"), not_to_be_computed) == 1).all()
    assert cache.computed == 2


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("shape", [(1, 1), (7, 2), (5000, 3)])
def test_the_file_is_one_that_h5py_reads(cache, shape, dtype):
    values = np.random.default_rng(0).random(shape).astype(dtype)
    cache.get(Codes("k", shape, np.dtype(dtype)), lambda out: np.copyto(out, values))
    with h5py.File(cache.folder / "k.h5") as file:
        assert list(file) == ["codes"]
        assert file["codes"].dtype == np.dtype(dtype)
        assert np.array_equal(file["codes"][...], values)


def test_the_folder_is_made_only_when_it_is_needed(tmp_path):
    cache = CodeCache(tmp_path / "deep" / "down")
    assert cache.size() == 0
    assert files(tmp_path) == []
    cache.get(CODES, put_values)
    assert files(tmp_path) == sorted(["deep", "down", f"{CODES.key}.h5"])


@pytest.mark.parametrize("times", [1, 2], ids=["fresh", "reused"])
def test_codes_cannot_be_written_to(cache, times):
    for _ in range(times):
        codes = cache.get(CODES, put_values)
    with pytest.raises(ValueError, match="read-only"):
        codes[0] = -1
    with pytest.raises(ValueError, match="WRITEABLE"):
        codes.flags.writeable = True


def test_codes_outlive_their_file(cache):
    codes = cache.get(CODES, put_values)
    path_of(cache).unlink()
    assert np.array_equal(codes, VALUES)


def test_codes_whose_file_was_deleted_are_computed_again(cache):
    cache.get(CODES, put_values)
    path_of(cache).unlink()
    cache.get(CODES, put_values)
    assert (cache.computed, cache.reused) == (2, 0)


# Damage


def test_a_flipped_bit_anywhere_in_the_values_is_noticed_and_repaired(cache):
    cache.get(CODES, put_values)
    start = place(path_of(cache))
    for i in range(CODES.n_bytes):
        flip(path_of(cache), start + i, bit=i % 8)
        other = CodeCache(cache.folder)
        assert np.array_equal(warned(other, why="checksum"), VALUES)
        assert np.array_equal(other.get(CODES, not_to_be_computed), VALUES)
        assert (other.computed, other.reused) == (1, 1)


def damaged(cache):
    """A cache with an entry, one bit of whose values is wrong."""
    cache.get(CODES, put_values)
    flip(path_of(cache), place(path_of(cache)))
    return CodeCache(cache.folder)


def test_the_values_are_checked_once_by_each_cache(cache):
    cache.get(CODES, put_values)
    first, second = CodeCache(cache.folder), CodeCache(cache.folder)
    first.get(CODES, not_to_be_computed)
    flip(path_of(cache), place(path_of(cache)))
    assert not np.array_equal(first.get(CODES, not_to_be_computed), VALUES)
    assert np.array_equal(warned(second, why="checksum"), VALUES)


def test_a_file_that_takes_the_place_of_a_checked_one_is_checked(cache):
    cache.get(CODES, put_values)
    cache.get(CODES, not_to_be_computed)
    content = bytearray(path_of(cache).read_bytes())
    content[-1] ^= 1
    (cache.folder / "new").write_bytes(content)
    (cache.folder / "new").replace(path_of(cache))
    assert np.array_equal(warned(cache, why="checksum"), VALUES)


def test_values_are_not_checked_when_that_is_not_wanted(cache):
    damaged(cache)
    trusting = CodeCache(cache.folder, verify=False)
    assert not np.array_equal(trusting.get(CODES, not_to_be_computed), VALUES)
    content = path_of(cache).read_bytes()
    path_of(cache).write_bytes(content[:-1])
    assert np.array_equal(warned(trusting, why="truncated"), VALUES)


@pytest.mark.parametrize("verify", [1, None, "yes"])
def test_whether_to_verify_is_true_or_false(tmp_path, verify):
    with pytest.raises(StackedError, match="verify: expected True or False"):
        CodeCache(tmp_path, verify=verify)


@pytest.mark.parametrize("verify", [True, False])
def test_a_file_with_more_at_its_end_is_computed_again(cache, verify):
    cache.get(CODES, put_values)
    with path_of(cache).open("ab") as file:
        file.write(b"0")
    assert np.array_equal(warned(CodeCache(cache.folder, verify=verify), why="too long"), VALUES)


def test_a_flipped_bit_in_the_header_never_gives_wrong_codes(cache, tmp_path):
    cache.get(CODES, put_values)
    whole = path_of(cache).read_bytes()
    for i in range(len(whole[:1024].rstrip())):
        path_of(cache).write_bytes(whole)
        flip(path_of(cache), i, bit=i % 7)
        assert np.array_equal(warned(cache), VALUES)


def test_a_truncated_file_is_computed_again(cache):
    cache.get(CODES, put_values)
    whole = path_of(cache).read_bytes()
    for length in [0, 1, 18, 19, 20, 100, 512, 1023, 1024, 1025, len(whole) - CODES.n_bytes, len(whole) - 1]:
        path_of(cache).write_bytes(whole[:length])
        assert np.array_equal(warned(cache, why="truncated" if length >= 1024 else ""), VALUES)


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"{",
        b"[]",
        b"3",
        b"null",
        b'"text"',
        b"\xff\xfe",
        b"{}",
        b'{"format": 1}',
        b"[" * 1005,
        b'{"a":' * 200,
    ],
    ids=["empty", "open", "list", "number", "null", "text", "no-text", "nothing", "little", "nested", "nested-dicts"],
)
def test_a_header_of_another_form_is_computed_again(cache, header):
    cache.get(CODES, put_values)
    content = path_of(cache).read_bytes()
    path_of(cache).write_bytes((b"stacked code cache\n" + header).ljust(1024)[:1024] + content[1024:])
    assert np.array_equal(warned(cache), VALUES)
    assert np.array_equal(cache.get(CODES, not_to_be_computed), VALUES)


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        (b'"format": 1', b'"format": 2', "format is 2, not 1"),
        (b'"format": 1', b'"format": 0', "format is 0, not 1"),
        (b'"shape": [5, 3]', b'"shape": [3, 5]', "other codes"),
        (b'"dtype": "<f4"', b'"dtype": "<i4"', "other codes"),
        (b'"key": "aa', b'"key": "ab', "other codes"),
    ],
)
def test_an_entry_of_another_format_or_of_other_codes_is_computed_again(cache, field, value, why):
    cache.get(CODES, put_values)
    content = path_of(cache).read_bytes()
    assert content.count(field) == 1
    path_of(cache).write_bytes(content.replace(field, value))
    assert np.array_equal(warned(cache, why=why), VALUES)
    assert np.array_equal(cache.get(CODES, not_to_be_computed), VALUES)


@pytest.mark.parametrize("other", [Codes(CODES.key, (3, 5), CODES.dtype), Codes(CODES.key, (5, 3), np.dtype("i4"))])
def test_an_entry_of_another_shape_or_dtype_is_not_taken(cache, other):
    cache.get(CODES, put_values)
    values = warned(cache, other, put_constant(4))
    assert (values.shape, values.dtype) == (other.shape, other.dtype)
    assert (values == 4).all()


def test_a_damaged_entry_is_replaced_by_a_whole_one(cache):
    cache.get(CODES, put_values)
    whole = path_of(cache).read_bytes()
    flip(path_of(cache), place(path_of(cache)))
    warned(cache)
    assert path_of(cache).read_bytes() == whole


# Files of others


@pytest.mark.parametrize("content", [FOREIGN, b"", b"s", b"stacked code cache", b"\x89HDF\r\n\x1a\n"], ids=repr)
def test_a_file_of_another_kind_is_never_overwritten(cache, content):
    cache.folder.mkdir()
    path_of(cache).write_bytes(content)
    for _ in range(2):
        assert np.array_equal(warned(cache), VALUES)
        assert path_of(cache).read_bytes() == content
    assert (cache.computed, cache.reused) == (2, 0)
    assert files(cache.folder) == [path_of(cache).name]


def test_an_hdf5_file_of_another_kind_is_never_overwritten(cache):
    cache.folder.mkdir()
    with h5py.File(path_of(cache), "w") as file:
        file["codes"] = VALUES + 1
    before = path_of(cache).read_bytes()
    assert np.array_equal(warned(cache), VALUES)
    assert path_of(cache).read_bytes() == before


@pytest.mark.parametrize("name", ["mine.h5", "codes.txt", "a.part", ".hidden.h5"])
def test_a_file_of_another_kind_is_never_removed_nor_counted(tmp_path, name):
    cache = CodeCache(tmp_path, max_bytes=1)
    (tmp_path / name).write_bytes(FOREIGN)
    for key in "abc":
        cache.get(named(key), put_constant(1))
    assert (tmp_path / name).read_bytes() == FOREIGN
    assert cache.size() == (tmp_path / "c.h5").stat().st_size


@pytest.mark.parametrize("kind", ["folder", "dangling-link"])
def test_other_things_with_the_ending_of_an_entry_are_left_alone(cache, kind):
    cache.folder.mkdir()
    other = cache.folder / "mine.h5"
    other.mkdir() if kind == "folder" else other.symlink_to("nowhere")
    assert np.array_equal(cache.get(CODES, put_values), VALUES)
    assert cache.size() == path_of(cache).stat().st_size
    assert files(cache.folder) == sorted([other.name, path_of(cache).name])


def test_a_folder_in_the_place_of_an_entry_is_left_alone(cache):
    path_of(cache).mkdir(parents=True)
    assert np.array_equal(warned(cache), VALUES)
    assert path_of(cache).is_dir()


def test_an_entry_is_known_by_its_first_bytes(tmp_path):
    write_entry(tmp_path / "a", CODES, put_values)
    (tmp_path / "b").write_bytes(FOREIGN)
    (tmp_path / "c").write_bytes(b"")
    assert [is_entry(tmp_path / name) for name in "abc"] == [True, False, False]


# Failures


@pytest.mark.parametrize("error", [Broken, KeyboardInterrupt, MemoryError, StackedError])
def test_a_failing_computation_leaves_no_file(cache, error):
    def fail(out):
        out[:2] = 1
        raise error("in the middle")

    with pytest.raises(error, match="in the middle"):
        cache.get(CODES, fail)
    assert files(cache.folder) == []
    assert np.array_equal(cache.get(CODES, put_values), VALUES)


def test_a_failing_computation_leaves_the_other_entries(cache):
    cache.get(named("a"), put_constant(1))
    with pytest.raises(Broken):
        cache.get(named("b"), not_to_be_computed)
    assert files(cache.folder) == ["a.h5"]
    assert (cache.get(named("a"), not_to_be_computed) == 1).all()


def test_rows_that_cannot_be_read_are_not_blamed_on_the_cache(cache):
    def fail(out):
        raise OSError("the rows are damaged")

    with pytest.raises((OSError, StackedError), match="the rows are damaged") as caught:
        cache.get(CODES, fail)
    assert str(cache.folder) not in str(caught.value)


def test_writing_leaves_nothing_but_the_entry(cache):
    cache.get(CODES, put_values)
    assert files(cache.folder) == [path_of(cache).name]


def test_a_folder_that_cannot_be_made_is_named_with_a_remedy(tmp_path):
    (tmp_path / "taken").write_bytes(FOREIGN)
    for folder in (tmp_path / "taken", tmp_path / "taken" / "below"):
        with pytest.raises(StackedError, match="name another folder") as caught:
            CodeCache(folder).get(CODES, put_values)
        assert str(folder) in str(caught.value)
    assert (tmp_path / "taken").read_bytes() == FOREIGN


def test_codes_that_no_disk_holds_are_refused_before_they_are_computed(cache):
    with pytest.raises(StackedError, match=r"1,000,000,000,000 MB left on the disk"):
        cache.get(Codes("k", (10**9, 125_000_000), np.dtype("f8")), not_to_be_computed)
    assert files(cache.folder) == []


def test_too_little_space_is_named_with_folder_and_remedy(tmp_path):
    with pytest.raises(StackedError) as caught:
        check_space(tmp_path, 10**18)
    message = str(caught.value)
    assert message.startswith(f"{tmp_path}: expected 1,000,000,000,000 MB left on the disk for codes, received ")
    assert message.endswith("; make room, or name a cache folder on another disk")


def test_enough_space_passes(tmp_path):
    check_space(tmp_path, 1)


@pytest.mark.parametrize("max_bytes", [0, -1, 1.5, "1", None])
def test_a_size_limit_is_a_whole_number_from_one(tmp_path, max_bytes):
    with pytest.raises(StackedError, match="max_bytes: expected a whole number of at least 1"):
        CodeCache(tmp_path, max_bytes)


# Size


def entry_bytes(tmp_path):
    """Bytes of an entry of five rows."""
    write_entry(tmp_path / "measure", named("a"), put_constant(0))
    return (tmp_path / "measure").stat().st_size


def test_the_size_is_that_of_the_files(cache):
    for key, n in (("a", 5), ("b", 500)):
        cache.get(named(key, n), put_constant(1))
    assert cache.size() == sum(path.stat().st_size for path in cache.folder.iterdir())
    assert cache.size() >= (5 + 500) * 3 * 4


def age(cache, *keys):
    """Make entries look as if they had been used long ago, the first at first."""
    for seconds, key in enumerate(keys, start=1):
        path, when = cache.folder / f"{key}.h5", 1_000_000 + seconds
        os.utime(path, (when, when))


def test_what_was_not_used_for_longest_is_removed_first(tmp_path):
    cache = CodeCache(tmp_path / "codes", max_bytes=3 * entry_bytes(tmp_path))
    for key in "abc":
        cache.get(named(key), put_constant(1))
    age(cache, "b", "a", "c")
    cache.get(named("d"), put_constant(1))
    assert files(cache.folder) == ["a.h5", "c.h5", "d.h5"]


def test_use_counts_not_only_making(tmp_path):
    cache = CodeCache(tmp_path / "codes", max_bytes=3 * entry_bytes(tmp_path))
    for key in "abc":
        cache.get(named(key), put_constant(1))
    age(cache, "a", "b", "c")
    cache.get(named("a"), not_to_be_computed)
    cache.get(named("d"), put_constant(1))
    assert files(cache.folder) == ["a.h5", "c.h5", "d.h5"]


def test_the_size_stays_within_its_bound(tmp_path):
    bound = 3 * entry_bytes(tmp_path)
    cache = CodeCache(tmp_path / "codes", max_bytes=bound)
    for i in range(10):
        key = f"k{i}"
        cache.get(named(key), put_constant(i))
        assert sum(path.stat().st_size for path in cache.folder.iterdir()) <= bound
        assert f"{key}.h5" in files(cache.folder)


def test_several_are_removed_for_a_large_one(tmp_path):
    cache = CodeCache(tmp_path / "codes", max_bytes=4 * entry_bytes(tmp_path))
    for key in "abcd":
        cache.get(named(key), put_constant(1))
    age(cache, "a", "b", "c", "d")
    cache.get(named("large", 5 + entry_bytes(tmp_path) // 12), put_constant(1))
    assert files(cache.folder) == ["c.h5", "d.h5", "large.h5"]


def test_the_newest_stays_whatever_its_size(tmp_path):
    cache = CodeCache(tmp_path / "codes", max_bytes=1)
    for key in "ab":
        assert (cache.get(named(key), put_constant(7)) == 7).all()
        assert files(cache.folder) == [f"{key}.h5"]
    assert (cache.get(named("b"), not_to_be_computed) == 7).all()


def test_codes_stay_readable_after_their_entry_was_removed(tmp_path):
    cache = CodeCache(tmp_path / "codes", max_bytes=1)
    first = cache.get(named("a"), put_constant(1))
    cache.get(named("b"), put_constant(2))
    assert files(cache.folder) == ["b.h5"]
    assert (first == 1).all()


def test_several_caches_may_share_a_folder(tmp_path):
    def use(number):
        cache = CodeCache(tmp_path / "codes", max_bytes=1)
        return [cache.get(named(f"{number}-{i}"), put_constant(i)).tolist() for i in range(60)]

    with ThreadPoolExecutor(4) as pool:
        for codes in pool.map(use, range(4)):
            assert codes == [np.full((5, 3), i).tolist() for i in range(60)]
    assert not [name for name in files(tmp_path / "codes") if not name.endswith(".h5")]


def test_a_temporary_cache_works_and_is_gone_at_the_end():
    with temporary_cache() as cache:
        for _ in range(2):
            assert np.array_equal(cache.get(CODES, put_values), VALUES)
        assert (cache.computed, cache.reused) == (1, 1)
        assert cache.folder.is_dir()
    assert not cache.folder.exists()


def leave_early(cache_folder):
    with temporary_cache() as cache:
        cache_folder.append(cache.folder)
        cache.get(CODES, put_values)
        raise Broken


def test_a_temporary_cache_is_gone_after_a_failure():
    folder = []
    with pytest.raises(Broken):
        leave_early(folder)
    assert not folder[0].exists()


# Killed processes

HELD = """
import sys, time
from stacked.temporary_cache import temporary_cache
import numpy as np
from stacked.cache_entry import Codes
with temporary_cache() as cache:
    cache.get(Codes("k", (5, 3), np.dtype("f4")), lambda out: out.fill(1))
    print(cache.folder, flush=True)
    time.sleep(100)
"""


@contextlib.contextmanager
def holder_of_a_temporary_cache(tmp_path):
    """The folder of the temporary cache of a process that is killed at the end."""
    where = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen([sys.executable, "-c", HELD], env=where, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Path(process.stdout.readline().strip())
        finally:
            process.kill()


@pytest.fixture
def temporary_files(tmp_path, monkeypatch):
    """The folder in which this process makes temporary ones."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_the_temporary_cache_of_a_killed_process_is_removed_by_the_next(temporary_files):
    with holder_of_a_temporary_cache(temporary_files) as folder:
        with temporary_cache() as cache:
            assert cache.folder != folder
        assert files(folder) == [".owner.stacked.lock", "k.h5"]  # its process lives
    assert folder.is_dir()
    with temporary_cache() as cache:
        assert list(temporary_files.iterdir()) == [cache.folder]
    assert files(temporary_files) == []


@pytest.mark.parametrize(
    "content", [[], ["k.h5"], ["owner"], [".owner.lock"], ["k.h5", ".k.h5.stacked.lock"]], ids=str
)
def test_folders_that_may_be_of_others_are_left_alone(temporary_files, content):
    (temporary_files / "stacked-mine").mkdir()
    (temporary_files / "stacked-file").write_bytes(FOREIGN)
    for name in content:
        (temporary_files / "stacked-mine" / name).write_bytes(FOREIGN)
    before = files(temporary_files)
    with temporary_cache():
        pass
    assert files(temporary_files) == before


def test_a_link_to_an_abandoned_folder_is_left_alone(temporary_files):
    mine = temporary_files / "mine"
    mine.mkdir()
    (mine / ".owner.stacked.lock").write_bytes(b"")
    (mine / "needed").write_bytes(FOREIGN)
    (temporary_files / "stacked-link").symlink_to(mine)
    with temporary_cache():
        pass
    assert (mine / "needed").read_bytes() == FOREIGN


def test_temporary_caches_may_be_made_all_at_once(temporary_files):
    def use(number):
        with temporary_cache() as cache:
            return [cache.get(named(str(i)), put_constant(number)).max() for i in range(3)]

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(use, range(60))) == [[number] * 3 for number in range(60)]
    assert files(temporary_files) == []


def test_no_room_for_temporary_files_is_named(temporary_files, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(temporary_files / "none"))
    with pytest.raises(StackedError, match="none: temporary codes cannot be written there"), temporary_cache():
        pass


KILLED = """
import os, sys
import numpy as np
from stacked import CodeCache
from stacked.cache_entry import Codes
CodeCache(sys.argv[1]).get(Codes("a" * 64, (5, 3), np.dtype("f4")), lambda out: os.kill(os.getpid(), 9))
"""


def test_what_a_killed_writer_left_is_no_hindrance_and_is_removed_by_the_next(cache):
    killed = subprocess.run([sys.executable, "-c", KILLED, cache.folder], check=False)
    assert killed.returncode == -9
    left = [f".{path_of(cache).name}.stacked.{what}" for what in ("lock", "part")]
    assert files(cache.folder) == left
    cache.get(named("b"), put_constant(1))
    assert files(cache.folder) == ["b.h5"]
    assert np.array_equal(cache.get(CODES, put_values), VALUES)


def test_pruning_removes_what_a_killed_writer_left(cache):
    subprocess.run([sys.executable, "-c", KILLED, cache.folder], check=False)
    assert cache.prune(10**6) == []
    assert files(cache.folder) == []


# At once


def test_one_computes_and_the_others_wait(cache):
    begun, release, calls = threading.Event(), threading.Event(), []

    def compute(out):
        calls.append(1)
        begun.set()
        assert release.wait(60)
        out[:] = VALUES

    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(CodeCache(cache.folder).get, CODES, compute) for _ in range(4)]
        assert begun.wait(60)
        other = cache.get(named("b"), put_constant(1))  # nobody waits for what nobody else computes
        release.set()
        assert all(np.array_equal(codes.result(), VALUES) for codes in asked)
    assert (len(calls), other.max()) == (1, 1)


def test_when_the_one_who_computes_fails_the_next_takes_over(cache):
    begun, release = threading.Event(), threading.Event()

    def fail(out):
        begun.set()
        assert release.wait(60)
        raise Broken

    with ThreadPoolExecutor(2) as pool:
        failing = pool.submit(cache.get, CODES, fail)
        assert begun.wait(60)
        waiting = pool.submit(CodeCache(cache.folder).get, CODES, put_values)
        release.set()
        with pytest.raises(Broken):
            failing.result()
        assert np.array_equal(waiting.result(), VALUES)


def test_a_damaged_entry_is_repaired_and_reported_once(cache):
    damaged(cache)
    with warnings.catch_warnings(record=True) as given, ThreadPoolExecutor(4) as pool:
        warnings.simplefilter("always")
        asked = [pool.submit(CodeCache(cache.folder).get, CODES, put_values) for _ in range(4)]
        assert all(np.array_equal(codes.result(), VALUES) for codes in asked)
    assert len(given) == 1


# Looking


def test_entries_say_what_they_hold_the_one_used_last_at_first(cache):
    for key in "abc":
        cache.get(named(key, n=ord(key)), put_constant(1))
    age(cache, "b", "c", "a")
    cache.get(named("c", n=99), not_to_be_computed)
    kept = cache.entries()
    assert [entry.codes for entry in kept] == [named(key, n=ord(key)) for key in "cab"]
    assert [entry.path for entry in kept] == [cache.folder / f"{key}.h5" for key in "cab"]
    assert sum(entry.n_bytes for entry in kept) == cache.size()
    assert kept[2].last_used == 1_000_001


def test_a_folder_that_is_not_there_has_no_entries(cache):
    assert (cache.entries(), cache.verify_all(), cache.prune(1)) == ([], {}, [])
    assert not cache.folder.exists()


def test_verifying_names_an_entry_whose_first_bytes_are_damaged(tmp_path):
    cache = CodeCache(tmp_path)
    codes = Codes("a" * 64, (3, 2), np.dtype("f4"))
    cache.get(codes, lambda out: out.fill(1))
    path = tmp_path / f"{codes.key}.h5"
    path.write_bytes(b"x" + path.read_bytes()[1:])
    (tmp_path / "mine.h5").write_text("mine")
    assert cache.verify_all() == {path: "it does not begin as an entry does"}
    with pytest.warns(StackedWarning, match="is computed again, for it cannot be used: it does not begin"):
        CodeCache(tmp_path).get(codes, lambda out: out.fill(1))
    assert cache.verify_all() == {}


@pytest.mark.parametrize(
    "field", ['"shape": ["a", "b"]', '"shape": [null, 2]', '"shape": [[1], [2]]', '"dtype": "|O"']
)
def test_a_header_that_was_made_up_is_damage_and_no_more(tmp_path, field):
    cache = CodeCache(tmp_path)
    cache.get(Codes("a" * 64, (3, 2), np.dtype("f4")), lambda out: out.fill(1))
    (path,) = tmp_path.glob("*.h5")
    head = path.read_bytes()[:1024].rstrip(b" ").decode()
    name = field.split(":", maxsplit=1)[0]
    made_up = re.sub(rf'{name}: (\[[^]]*\]|"[^"]*")', field.replace("\\", "\\\\"), head)
    assert made_up != head
    path.write_bytes(made_up.encode().ljust(1024, b" ") + path.read_bytes()[1024:])
    assert [entry.codes for entry in cache.entries()] == [None]
    assert list(cache.verify_all()) == [path]


def test_verifying_names_what_is_damaged_and_why(cache):
    for key in "abcde":
        cache.get(named(key), put_constant(1))
    (cache.folder / "mine.h5").write_bytes(FOREIGN)
    flip(cache.folder / "b.h5", -1)
    (cache.folder / "c.h5").write_bytes((cache.folder / "c.h5").read_bytes()[:-1])
    (cache.folder / "d.h5").rename(cache.folder / "f.h5")
    flip(cache.folder / "e.h5", 30)
    found = {path.name: why for path, why in cache.verify_all().items()}
    assert list(found) == ["b.h5", "c.h5", "e.h5", "f.h5"]
    assert found["b.h5"] == "its values do not match their checksum"
    assert found["c.h5"] == "it is truncated"
    assert found["f.h5"] == "its header describes other codes"
    assert {entry.path.name for entry in cache.entries() if entry.codes is None} == {"e.h5", "f.h5"}


def test_pruning_removes_until_the_rest_fit(cache):
    for key in "abc":
        cache.get(named(key), put_constant(1))
    age(cache, "b", "a", "c")
    assert [path.name for path in cache.prune(cache.size() - 1)] == ["b.h5"]
    assert cache.prune(cache.size()) == []
    assert [path.name for path in cache.prune(0)] == ["a.h5", "c.h5"]


# Full disks and folders of others


def test_too_little_room_for_codes_without_a_name_is_an_error(cache, monkeypatch):
    path_of(cache).mkdir(parents=True)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=CODES.n_bytes - 1))
    with (
        pytest.warns(StackedWarning, match="left as it is"),
        pytest.raises(StackedError, match=f"{tempfile.gettempdir()}: expected .* left on the disk"),
    ):
        cache.get(CODES, not_to_be_computed)


@pytest.mark.parametrize(
    "name", [".mine.part", ".mine.lock", ".mine.h5.part", ".stacked.lock.mine", "mine.stacked.lock"]
)
def test_files_of_other_programs_are_not_taken_for_abandoned_ones(tmp_path, name):
    (tmp_path / name).write_bytes(FOREIGN)
    CodeCache(tmp_path).get(CODES, put_values)
    assert (tmp_path / name).read_bytes() == FOREIGN


@pytest.mark.parametrize("offset", [-1, 0, 1023, 2048.0, True, None, "2048", [2048], 2**70, 10**200], ids=repr)
def test_an_entry_whose_values_cannot_lie_where_it_says_is_computed_again(cache, offset):
    cache.get(CODES, put_values)
    path = path_of(cache)
    content = path.read_bytes()
    magic, described = content[:1024].split(b"\n", 1)
    head = json.dumps(json.loads(described) | {"offset": offset}).encode()
    path.write_bytes((magic + b"\n" + head).ljust(1024) + content[1024:])
    with pytest.warns(StackedWarning, match="is computed again, for it cannot be used"):
        assert np.array_equal(cache.get(CODES, put_values), VALUES)


def test_a_pipe_in_the_place_of_an_entry_is_left_as_it_is(cache):
    cache.folder.mkdir()
    os.mkfifo(path_of(cache))
    with pytest.warns(StackedWarning, match="left as it is, .* it cannot be read .Not a plain file."):
        assert np.array_equal(cache.get(CODES, put_values), VALUES)
    assert path_of(cache).is_fifo()


def test_a_pipe_among_the_entries_stops_nobody(tmp_path):
    os.mkfifo(tmp_path / "rows.h5")
    os.mkfifo(tmp_path / f"{'a' * 64}.h5")
    cache = CodeCache(tmp_path)
    cache.get(Codes("b" * 64, (3, 2), np.dtype("f4")), lambda out: out.fill(1))
    assert [entry.path.name[0] for entry in cache.entries()] == ["b"]
    assert (cache.verify_all(), len(cache.prune(0))) == ({}, 1)


def test_a_relative_folder_stays_where_it_was(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cache = CodeCache("codes")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    cache.get(Codes("b" * 64, (3, 2), np.dtype("f4")), lambda out: out.fill(1))
    assert len(list((tmp_path / "codes").glob("*.h5"))) == 1
