"""`stacked plot`: pictures of a trained model."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from stacked.cli.guard import guarded
from stacked.errors import check_choice, mismatch
from stacked.paths import named_path
from stacked.tables import FORMATS, read_table

if TYPE_CHECKING:
    from stacked.classifier import FeedforwardClassifier
    from stacked.model_plots import View
    from stacked.rows import Array, Rows
    from stacked.stack import StackedAutoencoder

KINDS = ("losses", "filters", "codes", "reconstructions", "embedding", "confusion")
_OF_ROWS = ("codes", "reconstructions", "embedding", "confusion")
_OF_LABELS = ("embedding", "confusion")

Model = Annotated[
    str, typer.Argument(help="Folder of a saved stack or classifier.", metavar="MODEL", show_default=False)
]
Kind = Annotated[str, typer.Argument(help=f"{', '.join(KINDS[:-1])} or {KINDS[-1]}.", metavar="KIND")]
TableName = Annotated[str | None, typer.Argument(help=f"{FORMATS}.", metavar="[ROWS]", show_default=False)]
LabelsName = Annotated[
    str | None,
    typer.Option(help="An .npy or IDX file: classes as whole numbers from 0, or any numbers.", metavar="FILE"),
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
    model: Model,
    kind: Kind,
    rows: TableName = None,
    labels: LabelsName = None,
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
    --labels. confusion: which of the --labels a classifier takes for which.

    Examples:

    stacked plot encoder losses

    stacked plot encoder filters --shape 28x28

    stacked plot encoder embedding rows.npy --labels classes.npy --method tsne
    """
    from stacked.files import blaming, locked  # noqa: PLC0415 - slow to import
    from stacked.model_plots import View  # noqa: PLC0415

    check_choice("KIND", kind, KINDS)
    _check_given(kind, rows, labels)
    path = _picture(model, kind, out)
    with blaming(path.parent, "the picture"), locked(path):  # which is seen before any work is done
        pass
    loaded, data = _loaded(model), _rows_and_labels(rows, labels)
    view = View(layer, _image_shape(shape), data.columns, most, method)
    with blaming(path.parent, "the picture"):
        _draw(kind, loaded, data, path, view)
    typer.echo(f"written to {path}")


class _Data(NamedTuple):
    """Rows, the names of their columns, and what is known of each; classes have names, and other numbers none."""

    rows: "Rows | None"
    columns: tuple[str, ...]
    target: "Array | None"
    classes: tuple[str, ...]


def _rows_and_labels(rows: str | None, labels: str | None) -> _Data:
    import numpy as np  # noqa: PLC0415 - slow to import

    table = None if rows is None else read_table(rows)
    if labels is None or table is None:
        return _Data(table, (), None, ())
    target = _one_column(labels)
    if len(target) != len(table):
        expected, received = f"{len(table)}, one a row", str(len(target))
        raise mismatch(labels, expected=expected, received=received, remedy="pass those of these rows")
    if not np.issubdtype(target.dtype, np.integer):
        return _Data(table, (), target, ())
    return _Data(table, (), target.astype(np.int64), tuple(map(str, range(int(target.max()) + 1))))


def _one_column(name: str) -> "Array":
    """The numbers in a file, one a row; bytes of an IDX file as they are."""
    import numpy as np  # noqa: PLC0415 - slow to import

    from stacked.idx import read_idx  # noqa: PLC0415

    path = named_path(name, "--labels")
    if path.suffix != ".npy":
        return read_idx(path)[0].reshape(-1)
    try:
        held: Array = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        remedy = "check the name of the file"
        raise mismatch(name, expected="labels in an .npy file", received=str(error), remedy=remedy) from error
    return held.reshape(-1)


def _loaded(folder: str) -> "StackedAutoencoder | FeedforwardClassifier":
    from stacked.checkpoint import load_classifier, load_stack  # noqa: PLC0415 - slow to import
    from stacked.descriptions import read_description  # noqa: PLC0415
    from stacked.model_files import FORMAT  # noqa: PLC0415

    description = read_description(named_path(folder, "MODEL") / "model.json", "a saved model", FORMAT)
    return load_classifier(folder) if description.get("kind") == "classifier" else load_stack(folder)


def _draw(
    kind: str, model: "StackedAutoencoder | FeedforwardClassifier", data: _Data, path: Path, view: "View"
) -> None:
    from stacked import model_plots as plots  # noqa: PLC0415 - slow to import

    if kind == "losses":
        plots.plot_losses(model, path)
    elif kind == "filters":
        plots.plot_filters(model, path, view)
    elif kind == "codes":
        plots.plot_codes(model, data.rows, path, view)
    elif kind == "reconstructions":
        plots.plot_reconstructions(model, data.rows, path, view)
    elif kind == "embedding":
        plots.plot_embedding(model, data.rows, path, view, data.target, data.classes)
    elif data.target is not None:
        plots.plot_confusion(model, data.rows, data.target, data.classes, path)


def _check_given(kind: str, rows: str | None, labels: str | None) -> None:
    """Raise unless the picture has the files it needs, and no others."""
    if (rows is None) == (kind in _OF_ROWS) and not (kind == "filters" and rows is None):
        expected, received = ("a table", "none") if rows is None else ("none", rows)
        remedy = "name the rows after it" if rows is None else "leave it out"
        raise mismatch(f"ROWS of {kind}", expected=expected, received=received, remedy=remedy)
    if (labels is None and kind == "confusion") or (labels is not None and kind not in _OF_LABELS):
        expected, received = ("a file", "none") if labels is None else ("none", labels)
        remedy = "pass the classes of the rows" if labels is None else "leave it out"
        raise mismatch(f"--labels of {kind}", expected=expected, received=received, remedy=remedy)


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
