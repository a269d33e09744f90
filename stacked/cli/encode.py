"""`stacked encode` and `reconstruct`: what a model makes of rows, as a table in a file."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated, Any, NamedTuple

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
    from stacked.devices import numpy_dtype  # noqa: PLC0415 - slow to import

    trained = loaded(model, device)
    names = [f"code {i}" for i in range(1, trained.n_codes(depth) + 1)]
    made = Made("codes", names, numpy_dtype(trained.dtype), partial(trained.encode, depth=depth))
    _write(trained, rows, out, made, overwrite=overwrite)


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
    made = Made("reconstructions", names, stack.row_dtype, partial(stack.reconstruct, depth=depth))
    _write(stack, rows, out, made, overwrite=overwrite)


class Made(NamedTuple):
    """What is made of rows: its name, those of its columns, its dtype, and how it is made."""

    name: str
    columns: Sequence[str]
    dtype: Any
    work: Callable[..., Any]


def _write(trained: Any, rows: str, out: str, made: Made, *, overwrite: bool) -> None:
    from stacked.paths import named_path  # noqa: PLC0415
    from stacked.written_tables import check_name, written_table  # noqa: PLC0415

    path = named_path(out, "--out")
    check_name(path, rows, overwrite=overwrite)
    table = rows_for(trained, rows)
    shape = (len(table), len(made.columns))
    with written_table(path, shape, made.dtype, made.columns, made.name) as values:
        made.work(table, out=values)
    typer.echo(f"{counted(shape[0], 'row')} of {counted(shape[1], 'column')} written to {out}")


encode_command = guarded(encode)
reconstruct_command = guarded(reconstruct)
