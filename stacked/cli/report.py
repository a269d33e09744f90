"""`stacked report`: one page of HTML on a comparison or a saved model."""

from typing import Annotated

import typer

from stacked.cli.guard import guarded
from stacked.cli.sizes import shown_size

Run = Annotated[
    str,
    typer.Argument(
        help="The folder of a comparison, with results.json, or of a saved model, with model.json.",
        metavar="RUN",
        show_default=False,
    ),
]
Out = Annotated[str | None, typer.Option(help="File to write.", metavar="FILE.html", show_default="RUN/report.html")]


def report(run: Run, out: Out = None) -> None:
    """Write a page that tells what came of a run: figures, curves, filters, mistakes, settings.

    It is one file for any browser, phone or printer, which needs no network
    and no other file. What a run has not left is left out.

    Example: stacked report results/denoising_comparison --out denoising.html
    """
    from stacked.report import write_report  # noqa: PLC0415 - slow to import

    path = write_report(run, out)
    typer.echo(f"written to {path} ({shown_size(path.stat().st_size)})")


command = guarded(report)
