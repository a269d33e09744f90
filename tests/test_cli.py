"""The command `stacked`: what it prints, how it ends, and that its flags say what they take."""

import importlib.metadata
import os
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Annotated

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from stacked import CodeCache, StackedError, StackedWarning
from stacked.cache_entry import Codes
from stacked.cli import app
from stacked.cli.guard import guarded, new_app
from stacked.cli.sizes import parse_size, shown_size

ROOT = Path(__file__).parents[1]
KEYS = [letter * 64 for letter in "abc"]


@pytest.fixture
def folder(tmp_path):
    """A cache with three entries of 400 kB, last used one after the other."""
    cache = CodeCache(tmp_path / "codes")
    for number, key in enumerate(KEYS):
        cache.get(Codes(key, (1000, 100), np.dtype("f4")), lambda out, number=number: out.fill(number))
        os.utime(path_of(cache.folder, key), (1_000_000 + number, 1_000_000 + number))
    return cache.folder


def path_of(folder, key):
    return folder / f"{key}.h5"


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def process(*arguments):
    command = [sys.executable, "-m", "stacked", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)


def flip(path, at):
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


# stacked cache


def test_the_list_names_every_entry_the_last_used_at_first(folder):
    shown = run("cache", "list", folder)
    lines = shown.output.splitlines()
    assert shown.exit_code == 0
    assert lines[0].split() == ["key", "rows", "units", "dtype", "size", "last", "used"]
    assert [line[0] for line in lines[1:4]] == ["c", "b", "a"]
    assert lines[1].split()[1:6] == ["1,000", "100", "float32", "0.4", "MB"]
    assert lines[4:] == ["3 entries, 1.2 MB"]


def test_the_list_of_an_empty_folder(tmp_path):
    assert run("cache", "list", tmp_path).output == "0 entries, 0.0 MB\n"


def test_the_list_says_which_headers_are_damaged(folder):
    flip(path_of(folder, KEYS[1]), 100)
    lines = run("cache", "list", folder).output.splitlines()
    assert [line[0] for line in lines if "damaged" in line] == ["b"]


def test_an_undamaged_cache_is_said_to_be_so(folder):
    shown = run("cache", "verify", folder)
    assert (shown.exit_code, shown.output) == (0, "3 entries, 1.2 MB, 0 damaged\n")


def test_what_is_damaged_is_named_and_the_exit_code_says_so(folder):
    flip(path_of(folder, KEYS[0]), -1)
    content = path_of(folder, KEYS[2]).read_bytes()
    path_of(folder, KEYS[2]).write_bytes(content[:-1])
    shown = run("cache", "verify", folder)
    assert shown.exit_code == 1
    assert shown.output.splitlines() == [
        f"{path_of(folder, KEYS[0])}: its values do not match their checksum",
        f"{path_of(folder, KEYS[2])}: it is truncated",
        "3 entries, 1.2 MB, 2 damaged",
    ]


def test_pruning_removes_what_was_not_used_for_longest(folder):
    shown = run("cache", "prune", folder, "--max-size", "0.9MB")
    assert (shown.exit_code, shown.output) == (0, "removed 1 entry; 2 entries, 0.8 MB\n")
    assert not path_of(folder, KEYS[0]).exists()
    assert run("cache", "prune", folder, "--max-size", "0").output == "removed 2 entries; 0 entries, 0.0 MB\n"


def test_pruning_leaves_files_of_others(folder):
    (folder / "mine.h5").write_text("mine")
    run("cache", "prune", folder, "--max-size", "0")
    assert [path.name for path in folder.iterdir()] == ["mine.h5"]


@pytest.mark.parametrize("verb", ["list", "verify", "prune"])
@pytest.mark.parametrize("kind", ["nothing", "a file"])
def test_what_is_no_folder_ends_with_one_line(tmp_path, verb, kind):
    path = tmp_path / "codes"
    if kind == "a file":
        path.write_text("mine")
    shown = run("cache", verb, path, *(["--max-size", "1MB"] if verb == "prune" else []))
    assert shown.exit_code == 2
    assert shown.stderr == f"error: {path}: expected a folder of codes, received {kind}; check the path\n"


# Sizes


@pytest.mark.parametrize(
    ("text", "n_bytes"),
    [
        ("0", 0),
        ("17", 17),
        ("17B", 17),
        ("1kB", 1000),
        ("200MB", 200_000_000),
        ("2GiB", 2**31),
        ("1.5 gib", 3 * 2**29),
        ("0.1MB", 100_000),
        ("3tb", 3 * 10**12),
        (" 4KiB ", 4096),
    ],
)
def test_sizes_are_read_as_people_write_them(text, n_bytes):
    assert parse_size(text, "--max-size") == n_bytes


@pytest.mark.parametrize("text", ["", "MB", "-1", "1 apple", "1e9", "1.MB", ".5MB", "1,5MB", "0x10", "5MM"])
def test_nonsense_is_no_size(text):
    with pytest.raises(StackedError, match="--max-size: expected a size such as 512MB or 2GiB, received"):
        parse_size(text, "--max-size")


def test_a_size_is_shown_in_megabytes():
    assert [shown_size(n) for n in (0, 49_999, 50_001, 1_234_567_890)] == ["0.0 MB", "0.0 MB", "0.1 MB", "1,234.6 MB"]


# How commands end


def command(fail):
    guard_app = new_app()
    guard_app.command()(guarded(fail, "interrupted here"))
    return guard_app


def ending(error, *flags):
    def fail(number: int = 3) -> None:
        raise error

    return CliRunner().invoke(command(fail), ["--number", "4", *flags])


def test_bad_input_ends_with_one_line_and_2():
    ended = ending(StackedError("x: expected [bold]rows[/bold], received none"))
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert ended.stderr == "error: x: expected [bold]rows[/bold], received none\n"


def test_an_interruption_ends_with_one_line_and_130():
    ended = ending(KeyboardInterrupt())
    assert (ended.exit_code, ended.stdout, ended.stderr) == (130, "", "interrupted here\n")


def test_a_command_may_say_what_it_keeps_when_it_is_interrupted():
    assert ending(KeyboardInterrupt("interrupted; all is kept")).stderr == "interrupted; all is kept\n"


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("patience: expected 3, received 2; set batch_size", "--patience: expected 3, received 2; set --batch-size"),
        ("layer 1: patience: expected 'batch_size'", "layer 1: patience: expected 'batch_size'"),
        ("t.csv, column 'batch_size': expected a number", "t.csv, column 'batch_size': expected a number"),
        ("/data/batch_size.csv: expected a file", "/data/batch_size.csv: expected a file"),
        ("rows: expected a table", "rows: expected a table"),
        ("--batch-size: expected 3", "--batch-size: expected 3"),
    ],
)
def test_parameters_are_named_as_flags(message, shown):
    def fail(
        rows: str, batch_size: Annotated[int, typer.Option()] = 1, patience: Annotated[int, typer.Option()] = 1
    ) -> None:
        raise StackedError(message)

    assert CliRunner().invoke(command(fail), ["t.csv"]).stderr == f"error: {shown}\n"


def test_debug_shows_the_traceback_before_the_line():
    ended = ending(StackedError("x"), "--debug")
    assert ended.exit_code == 2
    assert ended.stderr.startswith("Traceback")
    assert ended.stderr.endswith("error: x\n")


def test_an_error_that_is_no_input_error_is_passed_on():
    error = ZeroDivisionError()
    assert ending(error).exception is error


def test_exit_codes_of_the_command_itself_are_kept():
    assert ending(typer.Exit(7)).exit_code == 7


def test_a_guarded_command_keeps_its_own_parameters_and_help():
    def verb(path: Path, twice: bool = False) -> None:
        """Do something."""
        typer.echo((path, twice))

    run_verb = command(verb)
    assert CliRunner().invoke(run_verb, ["a", "--twice"]).output == f"{(Path('a'), True)}\n"
    assert "Do something." in CliRunner().invoke(run_verb, ["--help"]).output
    assert "--debug" in CliRunner().invoke(run_verb, ["--help"]).output


# As a process


def test_the_module_is_the_command(folder):
    shown = process("cache", "list", folder)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout.endswith("3 entries, 1.2 MB\n")


def test_an_error_is_one_line_and_with_debug_a_traceback(tmp_path):
    short, long = (process("cache", "list", tmp_path / "none", *flags) for flags in ([], ["--debug"]))
    assert (short.returncode, short.stdout, short.stderr.count("\n")) == (2, "", 1)
    assert long.returncode == 2
    assert "Traceback" in long.stderr
    assert long.stderr.endswith(short.stderr)


def test_the_version_is_that_of_the_package():
    assert run("--version").output == f"stacked {importlib.metadata.version('stacked')}\n"


@pytest.mark.parametrize(
    "verb",
    [
        [],
        *([name] for name in sorted(typer.main.get_command(app).commands)),
        *(["cache", do] for do in ("list", "verify", "prune")),
    ],
)
def test_every_verb_has_help(verb):
    shown = run(*verb, "--help")
    assert shown.exit_code == 0
    assert verb in ([], ["cache"]) or f"Example: stacked {' '.join(verb)} " in shown.output


INTERRUPTED = """
import sys, time
from stacked.cli.guard import guarded, new_app
def wait() -> None:
    print("ready", flush=True)
    time.sleep(100)
class Collected:
    def __del__(self) -> None:  # Python drops what is raised here
        print("ready", flush=True)
        time.sleep(5)
def collect() -> None:
    Collected()
    time.sleep(100)
app = new_app()
app.command()(guarded(wait))
app.command()(guarded(collect))
app()
"""


@pytest.mark.parametrize("command", ["wait", "collect"])
def test_ctrl_c_ends_a_process_with_one_line(command):
    with subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, command],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stdout.readline() == "ready\n"
        time.sleep(0.2)
        running.send_signal(signal.SIGINT)
        _, told = running.communicate(timeout=60)
    assert (running.returncode, told) == (130, "interrupted\n")


def test_a_warning_is_one_line_and_work_goes_on():
    """And what shows warnings elsewhere is as it was."""

    def command():
        """Warn."""
        warnings.warn("a unit is dead", StackedWarning, stacklevel=1)
        typer.echo("done")

    before = warnings.showwarning
    main = new_app()
    main.command()(guarded(command))
    ended = CliRunner().invoke(main, [])
    assert (ended.exit_code, ended.stdout, ended.stderr) == (0, "done\n", "warning: a unit is dead\n")
    assert warnings.showwarning is before
