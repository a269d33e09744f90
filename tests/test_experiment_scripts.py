"""Every experiment as a command: a smoke run, its results and pictures, and running it again."""

import ast
import json
import math
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPTS = {
    "beyond_pretraining": ["depth.png"],
    "contractive_features": ["errors.png", "filters.png", "singular_values.png"],
    "denoising_filters": ["filters.png", "losses.png"],
    "image_retrieval": ["nearest.png"],
    "reconstruction": ["losses.png", "reconstructions.png"],
    "sparse_codes": ["codes.png"],
    "sparse_stack_ufldl": ["errors.png", "filters.png"],
    "undercomplete_embedding": ["embeddings.png"],
    "variational_digits": ["codes.png", "map.png", "reconstructions.png", "samples.png"],
}


def run(script, *arguments, cwd):
    command = [sys.executable, ROOT / "experiments" / f"{script}.py", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture(scope="module", params=SCRIPTS)
def smoke(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    finished = run(request.param, "--smoke", "--out", "out", cwd=folder)
    assert finished.returncode == 0, finished.stderr
    return request.param, finished, folder / "out"


def numbers(value):
    """Every number in a JSON value."""
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from numbers(inner)
    elif isinstance(value, int | float):
        yield value


def test_every_script_is_listed():
    shared = {"common", "deep_networks", "published_penalty", "report_table", "toolbox_replay", "trials"}
    found = {path.stem for path in (ROOT / "experiments").glob("*.py")}
    assert found == set(SCRIPTS) | shared | {"denoising_comparison"}


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_header_says_where_from_how_how_long_and_what_came_out(script):
    tree = ast.parse((ROOT / "experiments" / f"{script}.py").read_text())
    header = ast.get_docstring(tree)
    for part in ("Source", "Command", "Time", "Expected", "Obtained"):
        assert re.search(rf"^{part} +\S+ \S", header, re.MULTILINE), part
    assert f"python experiments/{script}.py" in header


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_table_has_a_row_for_every_script(script):
    assert f"`{script}.py" in (ROOT / "experiments" / "README.md").read_text()


def test_results_hold_settings_versions_and_the_figures_of_every_arm(smoke):
    _, _, out = smoke
    results = json.loads((out / "results.json").read_text())
    assert {"settings", "versions", "arms", "summary"} <= set(results)
    assert results["settings"]["smoke"] is True
    for arm, trials in results["arms"].items():
        assert trials["failed"] == {}
        assert list(trials["figures"]) == ["0"]
        assert results["summary"][arm]
    assert all(math.isfinite(number) for number in numbers(results["arms"]))


def test_the_pictures_are_there_and_nothing_else(smoke):
    script, finished, out = smoke
    assert sorted(path.name for path in out.iterdir()) == sorted([*SCRIPTS[script], "results.json", "runs"])
    for picture in SCRIPTS[script]:
        assert (out / picture).read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert finished.stderr == ""
    assert finished.stdout.endswith("written to out\n")


def test_the_help_names_what_is_written(smoke):
    script, _, out = smoke
    shown = run(script, "--help", cwd=out.parent).stdout
    for written in (*SCRIPTS[script], "results.json"):
        assert written in shown


def test_running_again_computes_nothing_and_says_the_same(smoke):
    script, finished, out = smoke
    before = {path: path.stat().st_mtime_ns for path in (out / "runs").iterdir()}
    again = run(script, "--smoke", "--out", "out", cwd=out.parent)
    assert again.stdout == finished.stdout
    assert {path: path.stat().st_mtime_ns for path in (out / "runs").iterdir()} == before
