"""`stacked inspect`: what a saved model, a run or a table is."""

from pathlib import Path
from typing import Annotated

import typer

from stacked.cli import options
from stacked.cli.data import loaded, read_labelled
from stacked.cli.guard import guarded
from stacked.tables import FORMATS
from stacked.wording import counted

What = Annotated[
    str,
    typer.Argument(
        help=f"The folder of a saved model, of a run or of a comparison, or a table: {FORMATS}.",
        metavar="WHAT",
        show_default=False,
    ),
]


def inspect(
    what: What, labels: options.Labels = None, drop: options.Drop = None, task: options.Task = "auto"
) -> None:
    """Show what a saved model is and was trained on, how far a run or a comparison is, or what a table holds.

    --labels, --drop and --task are for tables.

    Example: stacked inspect encoder
    """
    from stacked.model_files import holds_model  # noqa: PLC0415 - slow to import
    from stacked.paths import named_path  # noqa: PLC0415

    path = named_path(what, "WHAT")
    if holds_model(path):
        from stacked.model_card import model_card  # noqa: PLC0415 - slow to import

        typer.echo(model_card(loaded(what)), nl=False)
    elif (path / "run.json").is_file():
        _show_run(path)
    elif (path / "results.json").is_file():
        _show_comparison(path)
    elif (path / "runs" / "settings.json").is_file():
        _show_finished_trials(path)
    else:
        _show_table(what, labels, drop or [], task)


def _show_run(path: Path) -> None:
    from stacked.run_summary import run_summary  # noqa: PLC0415 - slow to import

    typer.echo("\n".join(run_summary(path)))


def _show_comparison(path: Path) -> None:
    from stacked.report.results import read_results  # noqa: PLC0415 - slow to import

    results = read_results(path)
    typer.echo(f"a comparison of {', '.join(results['arms'])}")
    if results.get("conclusion"):
        typer.echo(results["conclusion"])
    typer.echo(f"stacked report {path} tells all of it")


def _show_finished_trials(path: Path) -> None:
    from stacked.trial_folder import finished_trials  # noqa: PLC0415 - slow to import

    finished = [f"{arm} {counted(n, 'run')}" for arm, n in finished_trials(path).items()]
    typer.echo(f"a comparison that is not finished: {', '.join(finished) or 'no run yet'}")
    typer.echo("the command that began it goes on")


def _show_table(name: str, labels: str | None, drop: list[str], task: str) -> None:
    from stacked.rows import value_range  # noqa: PLC0415 - slow to import
    from stacked.targets import described  # noqa: PLC0415

    table = read_labelled(name, labels, task, drop=drop)
    n_rows, n_columns = table.rows.shape
    low, high = value_range(table.rows, name)
    typer.echo(f"{counted(n_rows, 'row')} of {counted(n_columns, 'column')}, values from {low:.6g} to {high:.6g}")
    if table.provenance.columns:
        typer.echo(f"columns{_named_by(name)}: {', '.join(table.provenance.columns)}")
    if table.target is not None:
        typer.echo(f"labels: {described(table.target)}")


def _named_by(name: str) -> str:
    """Where the names of columns come from, if that had to be guessed."""
    from stacked.csv_layout import layout_of  # noqa: PLC0415 - slow to import
    from stacked.table_names import place_of  # noqa: PLC0415

    place = place_of(name)
    if place is None or place.format != "text":
        return ""
    return ", named by the first line" if layout_of(place.path).has_names else ", which no line names"


command = guarded(inspect)
