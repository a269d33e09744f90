"""The command `stacked`: one file for each group of verbs.

What these files import at their top is light, so that help comes at once; what takes torch is imported where it is
needed.
"""

from typing import Annotated

import typer

from stacked.cli.cache import app as cache_app
from stacked.cli.guard import new_app
from stacked.cli.pretrain import command as pretrain
from stacked.cli.report import command as report

app = new_app("Greedy layer-wise stacked pretraining.")
app.command("pretrain")(pretrain)
app.command("report")(report)
app.add_typer(cache_app, name="cache")


def main() -> None:
    """Run the command with the arguments of this process."""
    app()


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version  # noqa: PLC0415 - slow to import

        typer.echo(f"stacked {version('stacked')}")
        raise typer.Exit


@app.callback()
def _flags(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None: ...
