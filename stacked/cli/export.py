"""`stacked export`: a saved model as a file for other programs."""

from typing import TYPE_CHECKING, Annotated

import typer

from stacked.cli import options
from stacked.cli.guard import guarded
from stacked.errors import check_choice
from stacked.paths import check_free, named_path

if TYPE_CHECKING:
    from stacked.exports.checked import Exported

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


def export(
    model: options.Model,
    format: Format,
    out: Out = None,
    depth: options.Depth = None,
    overwrite: options.Overwrite = False,
) -> None:
    """Write the encoder of a stack, a classifier or a regressor into a file for other programs.

    onnx is for ONNX Runtime and the like, torchscript for torch.jit.load,
    torch-export for torch.export.load, numpy for NumPy alone: the .npz holds
    encode.py, the code that encodes. Before a file gets its name it is read back
    and compared with the model on random rows.

    Example: stacked export encoder --format onnx --out encoder.onnx
    """
    from stacked.checkpoint import load  # noqa: PLC0415 - slow to import
    from stacked.exports import FORMATS, exported  # noqa: PLC0415

    check_choice("--format", format, FORMATS)
    file = named_path(_beside(model, FORMATS[format].ending) if out is None else out, "--out")
    check_free(file, overwrite=overwrite)
    _report(exported(load(model), file, format, depth))


def _beside(model: str, ending: str) -> str:
    folder = named_path(model, "MODEL")
    named = folder if folder.name not in ("", "..") else folder.resolve()
    return f"{named}{ending}"


def _report(made: "Exported") -> None:
    subject = made.subject
    typer.echo(f"rows (n, {subject.n_inputs}) -> {subject.result} (n, {subject.width}), {subject.dtype}")
    typer.echo(f"largest deviation from the model: {made.deviation:.1e}")
    typer.echo(f"written to {made.path}, {made.n_bytes:,} bytes")


command = guarded(export)
