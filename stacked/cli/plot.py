"""`stacked plot`: pictures of a trained model."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from stacked.cli import options
from stacked.cli.data import known_of, loaded, place_of_labels, read_grouped, read_labelled
from stacked.cli.guard import guarded
from stacked.errors import check_choice, mismatch
from stacked.paths import named_path
from stacked.tables import FORMATS

if TYPE_CHECKING:
    from stacked.checkpoint import Model as Trained
    from stacked.model_plots import View
    from stacked.rows import Rows
    from stacked.targets import Target

KINDS = ("losses", "filters", "codes", "reconstructions", "embedding", "confusion")
_OF_ROWS = ("codes", "reconstructions", "embedding", "confusion")
_OF_LABELS = ("embedding", "confusion")

Kind = Annotated[str, typer.Argument(help=f"{', '.join(KINDS[:-1])} or {KINDS[-1]}.", metavar="KIND")]
TableName = Annotated[str | None, typer.Argument(help=f"{FORMATS}.", metavar="[ROWS]", show_default=False)]
Labels = Annotated[
    str | None,
    typer.Option(
        help="Colours of an embedding, or classes to be confused: a column of the table, a dataset of the same file, "
        "or another file.",
        metavar="NAME",
        show_default=False,
    ),
]
Out = Annotated[
    str | None, typer.Option(help="The picture.", metavar="FILE.png", show_default="MODEL-KIND.png, in this folder")
]
Layer = Annotated[
    int | None,
    typer.Option(
        help="Its number, from the bottom.", metavar="K", show_default="the last hidden one; for filters the first"
    ),
]
Shape = Annotated[
    str | None,
    typer.Option(help="Height and width, where rows are pictures, such as 28x28.", metavar="HxW"),
]
Method = Annotated[str, typer.Option(help="How codes are placed in a plane: pca, tsne or umap.")]
Most = Annotated[int, typer.Option("--rows", help="Look at so many rows, drawn at random.", metavar="N")]


def plot(
    model: options.Model,
    kind: Kind,
    rows: TableName = None,
    labels: Labels = None,
    out: Out = None,
    layer: Layer = None,
    shape: Shape = None,
    method: Method = "pca",
    most: Most = 5000,
) -> None:
    """Draw a picture of a trained model.

    losses: by epoch, for each layer. filters: the weights of a layer, as
    pictures with --shape. codes: what each unit says of the rows.
    reconstructions: beside the rows as pictures with --shape, otherwise the
    error of each column. embedding: the codes in a plane, in the colours of
    --labels, which may be any classes, dates or numbers. confusion: which of
    the --labels a classifier takes for which.

    Example: stacked plot encoder embedding t.csv --labels diagnosis --method tsne
    """
    from stacked.files import blaming, locked  # noqa: PLC0415 - slow to import
    from stacked.model_plots import View  # noqa: PLC0415

    check_choice("KIND", kind, KINDS)
    _check_given(kind, rows, labels)
    path = _picture(model, kind, out)
    with blaming(path.parent, "the picture"), locked(path):  # which is seen before any work is done
        pass
    trained = loaded(model)
    data = _data(kind, trained, rows, labels)
    view = View(layer, _image_shape(shape), data.columns, most, method)
    with blaming(path.parent, "the picture"):
        _draw(kind, trained, data, path, view)
    typer.echo(f"written to {path}")


class _Data(NamedTuple):
    """Rows, the names of their columns, and what is known of each."""

    rows: "Rows | None"
    columns: tuple[str, ...]
    target: "Target | None" = None
    labels: str = ""


def _data(kind: str, model: "Trained", rows: str | None, labels: str | None) -> _Data:
    """What a picture shows, as the model takes it; only those of right and wrong need classes that it knows."""
    known = known_of(model)
    if rows is None:
        return _Data(None, known.columns)
    if kind == "confusion":
        table = read_labelled(rows, place_of_labels(model, rows, labels), like=known)
    else:
        table = read_grouped(rows, labels, known)
    return _Data(table.rows, known.columns or table.provenance.columns, table.target, table.provenance.target)


def _draw(kind: str, model: "Trained", data: _Data, path: Path, view: "View") -> None:
    from stacked import model_plots as plots  # noqa: PLC0415 - slow to import
    from stacked.plots import Colours  # noqa: PLC0415

    if kind == "losses":
        plots.plot_losses(model, path)
    elif kind == "filters":
        plots.plot_filters(model, path, view)
    elif kind == "codes":
        plots.plot_codes(model, data.rows, path, view)
    elif kind == "reconstructions":
        plots.plot_reconstructions(model, data.rows, path, view)
    elif kind == "embedding":
        target = data.target
        colours = None if target is None else Colours(target.values, target.classes, data.labels)
        plots.plot_embedding(model, data.rows, path, view, colours)
    elif data.target is not None:
        plots.plot_confusion(model, data.rows, data.target.values, data.target.classes, path)


def _check_given(kind: str, rows: str | None, labels: str | None) -> None:
    """Raise unless the picture has the files it needs, and no others."""
    if (rows is None) == (kind in _OF_ROWS):
        expected, received = ("a table", "none") if rows is None else ("none", rows)
        remedy = "name the rows after it" if rows is None else "leave it out"
        raise mismatch(f"ROWS of {kind}", expected=expected, received=received, remedy=remedy)
    if labels is not None and kind not in _OF_LABELS:
        raise mismatch(f"--labels of {kind}", expected="none", received=labels, remedy="leave it out")


def _picture(model: str, kind: str, out: str | None) -> Path:
    path = (
        Path(f"{named_path(model, 'MODEL').resolve().name}-{kind}.png") if out is None else named_path(out, "--out")
    )
    if path.suffix != ".png":
        raise mismatch("--out", expected="a name that ends in .png", received=str(path), remedy="add .png to it")
    return path


def _image_shape(shape: str | None) -> tuple[int, int] | None:
    if shape is None:
        return None
    parts = re.fullmatch(r"([1-9]\d{0,4})x([1-9]\d{0,4})", shape)
    if parts is None:
        raise mismatch("--shape", expected="height x width", received=shape, remedy="pass for instance 28x28")
    return int(parts[1]), int(parts[2])


command = guarded(plot)
