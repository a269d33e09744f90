"""`stacked predict`: classes with their probabilities, or numbers, for every row."""

import csv
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stacked.cli import options
from stacked.cli.data import known_of, loaded, rows_for
from stacked.cli.guard import guarded

if TYPE_CHECKING:
    from stacked.rows import Rows

Out = Annotated[
    str | None,
    typer.Option(help="The file, a .csv; standard output by default.", metavar="FILE", show_default=False),
]


def predict(
    model: options.Model,
    rows: options.Rows,
    out: Out = None,
    device: options.Device = "cpu",
    overwrite: options.Overwrite = False,
) -> None:
    """Write the class of every row with the probability of each class, or the predicted number.

    Example: stacked predict classifier new.csv --out predicted.csv
    """
    network = loaded(model, device, "classifier", "regressor")
    if out is None:
        table = _finite_rows(network, rows)
        csv.writer(sys.stdout, lineterminator="\n").writerows(_lines(network, table))
        return
    _write(network, rows, out, overwrite=overwrite)


def _write(network: Any, rows: str, out: str, *, overwrite: bool) -> None:
    from stacked.paths import named_path  # noqa: PLC0415 - slow to import
    from stacked.written_tables import check_name, write_lines  # noqa: PLC0415

    path = named_path(out, "--out")
    check_name(path, rows, (".csv",), overwrite=overwrite)
    table = _finite_rows(network, rows)
    write_lines(path, _lines(network, table))
    typer.echo(f"{len(table):,} predictions written to {out}")


def _finite_rows(network: Any, name: str) -> "Rows":
    """The rows, all of them looked at before the first is predicted."""
    table = rows_for(network, name)
    network.rows_of(table, name)
    return table


def _lines(network: Any, table: "Rows") -> Iterator[Sequence[object]]:
    """The heading, and a line a row, block by block."""
    from stacked.rows import blocks  # noqa: PLC0415 - slow to import

    if network.what == "regressor":
        yield ["predicted"] if network.settings.sizes[-1] == 1 else _numbered("predicted", network)
        for _, block in blocks(table):
            predicted = network.predict(block).reshape(len(block), -1)
            yield from ([str(number) for number in row] for row in predicted)
        return
    names = known_of(network).classes
    yield ["predicted", *(f"p({name})" for name in names)]
    for _, block in blocks(table):
        shares = network.predict_proba(block)
        yield from ([names[row.argmax()], *(f"{share:.6g}" for share in row)] for row in shares)


def _numbered(name: str, network: Any) -> list[str]:
    return [f"{name} {k}" for k in range(1, network.settings.sizes[-1] + 1)]


command = guarded(predict)
