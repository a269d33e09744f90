"""The experiments as commands: smoke runs, results, bad flags, Ctrl-C and going on, and the replay of the toolbox."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
COMPARISON = ROOT / "experiments" / "denoising_comparison.py"


def run(*arguments, cwd):
    return subprocess.run(
        [sys.executable, COMPARISON, *arguments], cwd=cwd, capture_output=True, text=True, timeout=300, check=False
    )


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    folder = tmp_path_factory.mktemp("smoke")
    return run("--smoke", "--out", str(folder / "out"), cwd=folder), folder / "out"


def test_smoke_run_writes_results_and_pictures(smoke):
    finished, out = smoke
    assert finished.returncode == 0, finished.stderr
    results = json.loads((out / "results.json").read_text())
    assert set(results) == {"settings", "versions", "arms", "summary"}
    assert set(results["arms"]) == {"plain", "denoising", "random"}
    for figures in results["arms"].values():
        assert len(figures["error_rate"]) == 2
        assert all(0 <= rate <= 1 for rate in figures["error_rate"])
    for picture in ("errors.png", "filters.png"):
        assert (out / picture).read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    for part in ("denoising", "mean [95 % interval]", "collapsed", "p (Holm)", "plain - random"):
        assert part in finished.stdout


def test_nothing_but_results_is_left(smoke):
    _, out = smoke
    assert sorted(path.name for path in out.iterdir()) == ["errors.png", "filters.png", "results.json", "runs"]
    assert sum(path.stat().st_size for path in out.rglob("*")) < 5_000_000


def test_running_again_computes_nothing_and_says_the_same(smoke):
    finished, out = smoke
    before = {path: path.stat().st_mtime_ns for path in (out / "runs").iterdir()}
    again = run("--smoke", "--out", str(out), cwd=out.parent)
    assert again.stdout == finished.stdout
    assert {path: path.stat().st_mtime_ns for path in (out / "runs").iterdir()} == before


def test_seeds_that_train_together_have_the_same_figures(smoke, tmp_path):
    together = run("--smoke", "--together", "2", "--jobs", "1", "--out", str(tmp_path / "out"), cwd=tmp_path)
    assert together.returncode == 0, together.stderr
    one, other = (json.loads((out / "results.json").read_text())["arms"] for out in (smoke[1], tmp_path / "out"))
    assert {arm: figures["error_rate"] for arm, figures in one.items()} == {
        arm: figures["error_rate"] for arm, figures in other.items()
    }


def test_other_settings_into_the_same_folder_are_refused_in_one_line(smoke):
    _, out = smoke
    refused = run("--smoke", "--epochs", "2", "--out", str(out), cwd=out.parent)
    assert refused.returncode == 2
    assert refused.stderr.startswith("error: ")
    assert refused.stderr.count("\n") == 1
    assert "name another folder" in refused.stderr


@pytest.mark.parametrize(
    "flags", [["--seeds", "0"], ["--epochs", "x"], ["--unknown"], ["--smoke", "--device", "gpu"]]
)
def test_bad_flags_end_with_2_and_no_traceback(flags, tmp_path):
    refused = run(*flags, cwd=tmp_path)
    assert refused.returncode == 2
    assert "Traceback" not in refused.stderr


def test_ctrl_c_keeps_finished_runs_and_the_same_command_goes_on(tmp_path):
    command = [sys.executable, str(COMPARISON), "--out", "out", "--seeds", "2", "--jobs", "1"]
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background inherits that it is ignored
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, start_new_session=True)
    runs = tmp_path / "out" / "runs"
    deadline = time.monotonic() + 120
    while not list(runs.glob("*-0.json")) and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    _, complaints = process.communicate(timeout=60)
    assert process.returncode == 130
    assert complaints == "interrupted; finished runs are kept: the same command goes on from there\n"
    kept = {path: path.stat().st_mtime_ns for path in runs.glob("*.json")}
    assert 1 < len(kept) < 7
    finished = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=True)
    assert "written to out" in finished.stdout
    assert len(list(runs.glob("*.json"))) == 7
    assert {path: path.stat().st_mtime_ns for path in kept} == kept


def test_the_replay_has_the_toolbox_s_counts(tmp_path):
    finished = run("--replay", "--out", str(tmp_path / "out"), cwd=tmp_path)
    assert finished.returncode == 0, finished.stderr
    assert json.loads((tmp_path / "out" / "results.json").read_text())["wrong"] == {"0.0": 932, "0.5": 835}
