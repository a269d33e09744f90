"""The command `stacked`: one file for each verb or group of verbs.

What these files import at their top is light, so that help comes at once; what takes torch is imported where it is
needed.
"""

from typing import Annotated

import typer

from stacked.cli import (
    compare,
    encode,
    evaluate,
    export,
    finetune,
    inspect,
    plot,
    predict,
    pretrain,
    report,
    search,
)
from stacked.cli.cache import app as cache_app
from stacked.cli.guard import new_app

app = new_app("Greedy layer-wise stacked pretraining.", completion=True)
app.command("pretrain")(pretrain.command)
app.command("finetune")(finetune.command)
app.command("compare")(compare.command)
app.command("encode")(encode.encode_command)
app.command("reconstruct")(encode.reconstruct_command)
app.command("predict")(predict.command)
app.command("evaluate")(evaluate.command)
app.command("search")(search.command)
app.command("inspect")(inspect.command)
app.command("plot")(plot.command)
app.command("report")(report.command)
app.command("export")(export.command)
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
