"""Rows that come block by block: the same numbers from memory or from a temporary file, which goes with them."""

import contextlib
import gc
import os
import resource
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import joblib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from joblib.externals.loky import get_reusable_executor

from stacked import StackedError, orders
from stacked.collected import collected

BLOCKS = [np.random.default_rng(seed).random((n, 3), np.float32) for seed, n in enumerate((4, 0, 1, 7))]
WHOLE = np.concatenate(BLOCKS)


@pytest.fixture
def temporary_files(tmp_path, monkeypatch):
    """The folder in which this process makes temporary ones; no table is held in memory."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(orders, "MIXING_BYTES", 100)
    return tmp_path


def test_what_fits_is_held_in_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(orders, "MIXING_BYTES", WHOLE.nbytes)
    found = collected(iter(BLOCKS))
    assert type(found) is np.ndarray
    assert np.array_equal(found, WHOLE)
    assert list(tmp_path.iterdir()) == []


def test_what_does_not_fit_is_a_map_that_cannot_be_changed(temporary_files):
    found = collected(iter(BLOCKS))
    assert isinstance(found, np.memmap)
    assert not found.flags.writeable
    assert np.array_equal(found, WHOLE)


def test_the_file_goes_with_the_last_view_of_the_map(temporary_files):
    found = collected(iter(BLOCKS))
    view = np.asarray(found)[2:5, 1:]
    (folder,) = temporary_files.iterdir()
    del found
    gc.collect()
    assert sorted(path.name for path in folder.iterdir()) == [".owner.stacked.lock", "rows"]
    assert np.array_equal(view, WHOLE[2:5, 1:])
    del view
    gc.collect()
    assert list(temporary_files.iterdir()) == []


def test_the_map_may_be_let_go_in_another_thread(temporary_files):
    kept = [collected(iter(BLOCKS))]
    with ThreadPoolExecutor(1) as pool:
        pool.submit(kept.clear).result()
        pool.submit(gc.collect).result()
    assert list(temporary_files.iterdir()) == []


def test_other_processes_map_the_same_file(temporary_files):
    found = collected(iter(BLOCKS))
    jobs = [joblib.delayed(getattr)(found, "filename"), joblib.delayed(np.sum)(found, dtype=np.float64)]
    assert joblib.Parallel(2)(jobs) == [found.filename, WHOLE.sum(dtype=np.float64)]
    # joblib takes torch, which a later task imports there, for a leak of these small processes, and warns.
    get_reusable_executor().shutdown(wait=True)


def broken():
    yield from BLOCKS
    raise ZeroDivisionError


def test_nothing_stays_when_the_blocks_end_in_an_error(temporary_files):
    with pytest.raises(ZeroDivisionError):
        collected(broken())
    assert list(temporary_files.iterdir()) == []


@contextlib.contextmanager
def files_of_at_most(n_bytes):
    """No file may grow beyond so many bytes, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_disk_that_takes_no_more_is_one_sentence(temporary_files):
    told = f"{temporary_files}: a copy of a table .* cannot be written there .*; .*name another folder"
    with files_of_at_most(110), pytest.raises(StackedError, match=told):
        collected(iter(BLOCKS))
    assert list(temporary_files.iterdir()) == []


HELD = """
import sys
import numpy as np
from stacked import orders
from stacked.collected import collected
orders.MIXING_BYTES = 100
rows = collected(iter([np.ones((50, 3))]))
print(rows.filename, flush=True)
if sys.argv[1] == "wait":
    sys.stdin.read()
"""


def held(temporary_files, what, **options):
    where = {**os.environ, "TMPDIR": str(temporary_files)}
    return subprocess.Popen(
        [sys.executable, "-c", HELD, what], env=where, stdout=subprocess.PIPE, text=True, **options
    )


def test_the_file_of_a_killed_process_is_removed_by_the_next(temporary_files):
    with held(temporary_files, "wait", stdin=subprocess.PIPE) as process:
        path = Path(process.stdout.readline().strip())
        ours = collected(iter(BLOCKS))
        assert path.exists()  # its process lives
        process.kill()
    del ours
    ours = collected(iter(BLOCKS))
    assert list(temporary_files.iterdir()) == [Path(ours.filename).parent]


def test_the_file_is_gone_when_its_process_ends(temporary_files):
    with held(temporary_files, "end") as process:
        path = Path(process.stdout.readline().strip())
    assert process.returncode == 0
    assert path.parent.parent == temporary_files
    assert list(temporary_files.iterdir()) == []


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lengths=st.lists(st.integers(0, 9), min_size=1), dtype=st.sampled_from(["u1", "f4", ">i8"]))
def test_any_blocks_are_those_of_numpy(temporary_files, lengths, dtype):
    lengths[0] += 1
    blocks = [np.arange(n * 5).reshape(5, n).T.astype(dtype) for n in lengths]  # in no order of memory
    found = collected(iter(blocks))
    assert found.dtype == dtype
    assert np.array_equal(found, np.concatenate(blocks))
