"""`stacked cache`: look at a folder of codes, check it, make it smaller."""

import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from stacked.cli.guard import guarded, new_app
from stacked.cli.sizes import parse_size, shown_size
from stacked.errors import mismatch
from stacked.paths import named_path

if TYPE_CHECKING:
    from stacked.cache import CodeCache, Kept

Folder = Annotated[
    str, typer.Argument(help="The folder that was named as cache.", metavar="FOLDER", show_default=False)
]
MaxSize = Annotated[
    str, typer.Option(help="What may stay: 200MB, 1.5GiB, or a number of bytes.", metavar="SIZE", show_default=False)
]

app = new_app("Look at a folder of codes, check it, make it smaller.")


def list_entries(folder: Folder) -> None:
    """List the entries of a cache, the one used last at first.

    Example: stacked cache list codes
    """
    entries = _cache_in(folder).entries()
    if entries:
        typer.echo(f"{'key':16}  {'rows':>10}  {'units':>6}  {'dtype':8}  {'size':>12}  last used")
    for entry in entries:
        typer.echo(_line(entry))
    typer.echo(_total(entries))


def verify(folder: Folder) -> None:
    """Read every value of a cache: one line for each damaged entry, and exit code 1 when there is any.

    Damaged entries need no repair: they are computed again when they are asked for.

    Example: stacked cache verify codes
    """
    cache = _cache_in(folder)
    damaged = cache.verify_all()
    for path, why in damaged.items():
        typer.echo(f"{path}: {why}")
    typer.echo(f"{_total(cache.entries())}, {len(damaged)} damaged")
    raise typer.Exit(1 if damaged else 0)


def prune(folder: Folder, max_size: MaxSize) -> None:
    """Remove the entries not used for longest until the rest fit into a size, and what killed processes left.

    Example: stacked cache prune codes --max-size 200MB
    """
    bound = parse_size(max_size, "--max-size")
    cache = _cache_in(folder)
    removed = cache.prune(bound)
    typer.echo(f"removed {_count(len(removed))}; {_total(cache.entries())}")


def _cache_in(name: str) -> "CodeCache":
    from stacked.cache import CodeCache  # noqa: PLC0415 - slow to import

    folder = named_path(name, "FOLDER")
    if not folder.is_dir():
        received = "a file" if folder.exists() else "nothing"
        raise mismatch(str(folder), expected="a folder of codes", received=received, remedy="check the path")
    return CodeCache(folder)


def _line(entry: "Kept") -> str:
    used = datetime.datetime.fromtimestamp(entry.last_used).strftime("%Y-%m-%d %H:%M:%S")
    start, end = f"{entry.path.stem[:16]:16}", f"{shown_size(entry.n_bytes):>12}  {used}"
    if entry.codes is None:
        return f"{start}  {'damaged':28}  {end}"
    (n_rows, n_units), dtype = entry.codes.shape, entry.codes.dtype
    return f"{start}  {n_rows:>10,}  {n_units:>6}  {dtype.name:8}  {end}"


def _total(entries: list["Kept"]) -> str:
    return f"{_count(len(entries))}, {shown_size(sum(entry.n_bytes for entry in entries))}"


def _count(number: int) -> str:
    return f"{number} {'entry' if number == 1 else 'entries'}"


app.command("list")(guarded(list_entries))
app.command("verify")(guarded(verify))
app.command("prune")(guarded(prune))
