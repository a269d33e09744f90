"""Every block of the documents is run, in order and in a folder of its own, on the real data.

Python blocks of a document are one program. In `console` blocks the lines that begin with `$` are commands, which
must print what stands below them, but for digits: losses may differ in the last ones from processor to processor.
"""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import stacked

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", *sorted(ROOT.glob("*/README.md")), *sorted(ROOT.glob("docs/*.md"))]
BLOCK = re.compile(r"^```(python|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", re.MULTILINE)

PROGRAM = """
import subprocess

def shell(command, expected):
    done = subprocess.run(command, shell=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    printed = without_digits(done.stdout)
    if printed != without_digits(expected):
        raise SystemExit(f"{command}\\nprinted\\n{done.stdout}\\nrather than\\n{expected}")

def without_digits(text):
    for pattern, instead in [(r"e[-+]\\d+", ""), (r"\\b[0-9a-f]{16}\\b", "0"), (r"-?[\\d.,]+", "0"), (r"[ -]+", " ")]:
        text = re.sub(pattern, instead, text)
    return [line.strip() for line in text.splitlines()]
"""


def program_of(document):
    """All blocks of a document as one program."""
    parts = []
    for kind, block in BLOCK.findall(document.read_text()):
        if kind == "python":
            parts.append(block)
        else:
            parts += [f"shell({_command(told)!r}, {printed!r})" for told, printed in COMMAND.findall(block)]
    return "\n".join(parts)


def _command(told):
    """With the interpreter of the tests in place of the environment that a document speaks of."""
    first, *others = shlex.split(told)
    program = {"stacked": [sys.executable, "-m", "stacked"]}[Path(first).name]
    return shlex.join([*program, *others])


WITH_CODE = [document for document in DOCUMENTS if program_of(document)]


def test_the_readme_and_the_session_have_code():
    assert ROOT / "README.md" in WITH_CODE
    assert ROOT / "docs" / "own-data.md" in WITH_CODE


@pytest.mark.parametrize("document", WITH_CODE, ids=lambda path: str(path.relative_to(ROOT)))
def test_blocks_run_and_print_what_they_show(document, tmp_path):
    (tmp_path / "data").symlink_to(ROOT / "data")
    (tmp_path / "code.py").write_text("import re\n" + PROGRAM + program_of(document))
    environment = {**os.environ, "COLUMNS": "110", "OMP_NUM_THREADS": "1"}
    finished = subprocess.run(
        [sys.executable, "code.py"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document):
    for target in re.findall(r"\]\(([^)#]+)\)", document.read_text()):
        if "://" not in target:
            assert (document.parent / target).exists(), target


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_named_files_exist(document):
    for name in re.findall(
        r"`((?:stacked|experiments|benchmarks|tests|data|docs)/[\w./]+\.\w+)`", document.read_text()
    ):
        assert (ROOT / name).exists(), name


def test_the_reference_has_every_public_name(tmp_path):
    command = [sys.executable, "-m", "pdoc", "--docformat", "numpy", "--output-directory", str(tmp_path), "stacked"]
    finished = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert finished.returncode == 0, finished.stderr
    page = (tmp_path / "stacked.html").read_text()
    assert [name for name in stacked.__all__ if f'id="{name}"' not in page] == []
