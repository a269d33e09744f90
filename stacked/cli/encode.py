"""`stacked encode`, `reconstruct` and `predict`: what a model makes of rows, as a table in a file."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated, Any

import typer

from stacked.cli import options
from stacked.cli.data import loaded, rows_for
from stacked.cli.guard import guarded
from stacked.wording import counted

Out = Annotated[
    str,
    typer.Option(help="The file: .npy, .h5 or .csv.", metavar="FILE", show_default=False),
]


def encode(
    model: options.Model,
    rows: options.Rows,
    out: Out,
    depth: options.Depth = None,
    device: options.Device = "cpu",
    overwrite: options.Overwrite = False,
) -> None:
    """Write the codes of rows; of a classifier or regressor, the outputs of its hidden layers.

    Columns are found by the names they had in training, so that labels and
    other columns are left out. The scaling of the model is applied.

    Example: stacked encode encoder t.csv --out codes.npy
    """
    trained = loaded(model, device)
    names = [f"code {i}" for i in range(1, trained.n_codes(depth) + 1)]
    _write(trained, rows, out, names, partial(trained.encode, depth=depth), overwrite=overwrite)


def reconstruct(
    model: options.Model,
    rows: options.Rows,
    out: Out,
    depth: options.Depth = None,
    device: options.Device = "cpu",
    overwrite: options.Overwrite = False,
) -> None:
    """Write rows as a stack reconstructs them from their codes, in their own units.

    Example: stacked reconstruct encoder t.csv --out reconstructed.csv
    """
    stack = loaded(model, device, "stack")
    names = stack.provenance.columns or [f"column {i}" for i in range(1, stack.n_inputs + 1)]
    _write(stack, rows, out, names, partial(stack.reconstruct, depth=depth), overwrite=overwrite)


def _write(
    trained: Any, rows: str, out: str, columns: Sequence[str], work: Callable[..., Any], *, overwrite: bool
) -> None:
    from stacked.devices import numpy_dtype  # noqa: PLC0415 - slow to import
    from stacked.paths import named_path  # noqa: PLC0415
    from stacked.written_tables import check_free, written_table  # noqa: PLC0415

    path = named_path(out, "--out")
    check_free(path, overwrite=overwrite)
    table = rows_for(trained, rows)
    shape = (len(table), len(columns))
    with written_table(path, shape, numpy_dtype(trained.dtype), columns) as values:
        work(table, out=values)
    typer.echo(f"{counted(shape[0], 'row')} of {counted(shape[1], 'column')} written to {out}")


encode_command = guarded(encode)
reconstruct_command = guarded(reconstruct)
