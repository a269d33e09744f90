"""`stacked search`: the rows whose codes are nearest to those of others."""

import csv
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stacked.cli import options
from stacked.cli.data import loaded, rows_for
from stacked.cli.guard import guarded

if TYPE_CHECKING:
    from stacked.neighbours import Neighbours

Queries = Annotated[
    str, typer.Option(help="The table of rows to find others like.", metavar="TABLE", show_default=False)
]
Many = Annotated[int, typer.Option("-k", "--neighbours", help="How many are found for each.")]
Out = Annotated[
    str | None,
    typer.Option(help="The file, a .csv; standard output by default.", metavar="FILE", show_default=False),
]


def search(
    model: options.Model,
    rows: options.Rows,
    queries: Queries,
    k: Many = 10,
    depth: options.Depth = None,
    out: Out = None,
    device: options.Device = "cpu",
    overwrite: options.Overwrite = False,
) -> None:
    """Find, for each row of one table, the rows of another with the nearest codes, exactly.

    Writes a line for each pair: the numbers of both rows, from 0, the rank
    from 1, and the Euclidean distance of their codes.

    Example: stacked search encoder library.csv --queries new.csv -k 5
    """
    path = _checked(out, (rows, queries), overwrite=overwrite)
    found = _found(model, rows, queries, k, depth, device)
    if path is None:
        csv.writer(sys.stdout, lineterminator="\n").writerows(_lines(found))
    else:
        from stacked.written_tables import write_lines  # noqa: PLC0415 - slow to import

        write_lines(path, _lines(found))
        typer.echo(f"{found.numbers.size:,} pairs written to {out}")


def _checked(out: str | None, tables: Sequence[str], *, overwrite: bool) -> Path | None:
    from stacked.paths import named_path  # noqa: PLC0415 - slow to import
    from stacked.written_tables import check_name  # noqa: PLC0415

    if out is None:
        return None
    path = named_path(out, "--out")
    for table in tables:
        check_name(path, table, (".csv",), overwrite=overwrite)
    return path


def _found(model: str, rows: str, queries: str, k: int, depth: int | None, device: str) -> "Neighbours":
    """With codes in a temporary file, for there may be more of them than memory holds."""
    from stacked.retrieval import CodeIndex  # noqa: PLC0415 - slow to import
    from stacked.temporary_cache import cache_for_run  # noqa: PLC0415

    stack = loaded(model, device, "stack")
    library, asked = rows_for(stack, rows), rows_for(stack, queries)
    with cache_for_run(None, None) as cache:
        stack.cache = cache
        return CodeIndex(stack, depth).add(library).search(asked, k)


def _lines(found: "Neighbours") -> Iterator[Sequence[object]]:
    yield "query", "rank", "row", "distance"
    for query, (distances, numbers) in enumerate(zip(found.distances, found.numbers, strict=True)):
        for rank, (distance, number) in enumerate(zip(distances, numbers, strict=True), start=1):
            yield query, rank, int(number), f"{distance:.6g}"


command = guarded(search)
