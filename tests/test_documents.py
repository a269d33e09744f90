"""Every Python block of the documents runs, in a folder of its own, on the real data."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", *sorted(ROOT.glob("*/README.md"))]


def python_of(document):
    return "\n".join(re.findall(r"^```python\n(.*?)^```", document.read_text(), re.MULTILINE | re.DOTALL))


WITH_CODE = [document for document in DOCUMENTS if python_of(document)]


def test_the_readme_has_code():
    assert ROOT / "README.md" in WITH_CODE


@pytest.mark.parametrize("document", WITH_CODE, ids=lambda path: str(path.relative_to(ROOT)))
def test_code_runs(document, tmp_path):
    (tmp_path / "code.py").write_text(python_of(document))
    finished = subprocess.run(
        [sys.executable, "code.py"], cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False
    )
    assert finished.returncode == 0, finished.stderr


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document):
    for target in re.findall(r"\]\(([^)#]+)\)", document.read_text()):
        if "://" not in target:
            assert (document.parent / target).exists(), target


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_named_files_exist(document):
    for name in re.findall(r"`((?:stacked|experiments|benchmarks|tests|data)/[\w./]+\.\w+)`", document.read_text()):
        assert (ROOT / name).exists(), name


def commands_of(document):
    """Every `stacked pretrain` that a document shows, with what it prints."""
    shown = re.findall(r"^\$ \.venv/bin/stacked (pretrain .*)\n((?:[^$`].*\n)+)", document.read_text(), re.MULTILINE)
    return [(shlex.split(command), printed) for command, printed in shown]


def without_digits(text):
    return re.sub(r"[\d.]+", "0", text)


def test_the_command_prints_what_the_readme_shows_but_for_digits(tmp_path):
    """Losses may differ in their last digits from one processor to another."""
    (tmp_path / "data").symlink_to(ROOT / "data")
    ((arguments, printed),) = commands_of(ROOT / "README.md")
    command = [sys.executable, "-m", "stacked", *arguments]
    finished = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert (finished.returncode, finished.stderr) == (0, "")
    assert without_digits(finished.stdout) == without_digits(printed)
