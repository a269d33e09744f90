"""`stacked export`: a saved model as a file for other programs."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stacked.cli.guard import guarded
from stacked.errors import check_choice, mismatch
from stacked.paths import named_path

if TYPE_CHECKING:
    from stacked.exports.checked import Exported

Model = Annotated[
    str, typer.Argument(help="Folder of a stack or classifier that was saved.", metavar="MODEL", show_default=False)
]
Format = Annotated[
    str,
    typer.Option("--format", help="onnx, torchscript, torch-export or numpy.", metavar="NAME", show_default=False),
]
Out = Annotated[
    str | None,
    typer.Option(
        help="The file.", metavar="FILE", show_default="beside MODEL: MODEL.onnx, MODEL.pt, MODEL.pt2 or MODEL.npz"
    ),
]
Depth = Annotated[int | None, typer.Option(help="How many layers of a stack to go up.", show_default="all")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace FILE, once the new one is complete.")]


def export(model: Model, format: Format, out: Out = None, depth: Depth = None, overwrite: Overwrite = False) -> None:
    """Write the encoder of a stack, or a classifier, into a file for other programs.

    onnx is for ONNX Runtime and the like, torchscript for torch.jit.load,
    torch-export for torch.export.load, numpy for NumPy alone: the .npz holds
    encode.py, the code that encodes. Before a file gets its name it is read back
    and compared with the model on random rows.

    Example: stacked export encoder --format onnx --out encoder.onnx
    """
    from stacked.checkpoint import load  # noqa: PLC0415 - slow to import
    from stacked.exports import FORMATS, exported  # noqa: PLC0415

    check_choice("--format", format, FORMATS)
    file = _free_file(_beside(model, FORMATS[format].ending) if out is None else out, overwrite=overwrite)
    _report(exported(load(model), file, format, depth))


def _beside(model: str, ending: str) -> str:
    folder = named_path(model, "MODEL")
    named = folder if folder.name not in ("", "..") else folder.resolve()
    return f"{named}{ending}"


def _free_file(out: str, *, overwrite: bool) -> Path:
    """The name of the file, once it is seen that there is none which must not be replaced."""
    file = named_path(out, "--out")
    if os.path.lexists(file) and not overwrite:
        remedy = "name another file, or pass --overwrite"
        raise mismatch(str(file), expected="a name that is free", received="one of a file", remedy=remedy)
    return file


def _report(made: "Exported") -> None:
    subject = made.subject
    typer.echo(f"rows (n, {subject.n_inputs}) -> {subject.result} (n, {subject.width}), {subject.dtype}")
    typer.echo(f"largest deviation from the model: {made.deviation:.1e}")
    typer.echo(f"written to {made.path}, {made.n_bytes:,} bytes")


command = guarded(export)
