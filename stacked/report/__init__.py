"""A report that one can read: one page of HTML on a comparison or on a saved model.

what a run left -> contents -> page
"""

from pathlib import Path

from stacked.errors import mismatch
from stacked.files import blaming, write_atomically
from stacked.model_files import holds_model
from stacked.paths import PathLike, named_path
from stacked.report.contents import Contents
from stacked.report.of_comparison import contents_of_comparison
from stacked.report.of_model import contents_of_model
from stacked.report.page import page
from stacked.report.results import NAME

__all__ = ["write_report"]


def write_report(run: PathLike, out: PathLike | None = None) -> Path:
    """Write one page of HTML about a run, and return its path.

    The page needs no other file, no network and no script.

    Parameters
    ----------
    run : path
        The folder of a comparison, with `results.json`, or of a saved model, with `model.json`.
    out : path, optional
        The file to write, whose name ends in `.html`, in place of an earlier report; by default `report.html` in that
        folder.

    Raises
    ------
    StackedError
        When the folder holds neither, what it holds is damaged, or the page cannot be written.
    """
    folder = named_path(run, "run")
    path = folder / "report.html" if out is None else named_path(out, "out")
    if path.suffix != ".html":  # so that no table of somebody's is taken for an earlier report
        raise mismatch("out", expected="a name that ends in .html", received=str(path), remedy="add .html to it")
    content = page(_contents(folder)).encode()
    with blaming(path.parent, f"the report {path.name}"):
        write_atomically(path, content)
    return path


def _contents(folder: Path) -> Contents:
    if (folder / NAME).exists():
        return contents_of_comparison(folder)
    if holds_model(folder):
        return contents_of_model(folder)
    expected = f"a folder with {NAME} of a comparison or model.json of a model"
    received = "a folder with neither" if folder.is_dir() else "a file" if folder.exists() else "nothing"
    raise mismatch(str(folder), expected=expected, received=received, remedy="name the folder that a run wrote")
