"""`stacked evaluate`: how good a model is on rows, in figures."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import typer

from stacked.cli import options
from stacked.cli.data import known_of, labelled_for, loaded, rows_for
from stacked.cli.guard import guarded
from stacked.wording import counted

if TYPE_CHECKING:
    from stacked.classifier import FeedforwardClassifier
    from stacked.regressor import FeedforwardRegressor
    from stacked.scores import ClassScores
    from stacked.stack import StackedAutoencoder

MOST_COLUMNS = 10


def evaluate(
    model: options.Model,
    rows: options.Rows,
    labels: options.Labels = None,
    device: options.Device = "cpu",
) -> None:
    """Measure a model on the rows of a file, which it should not have been trained on.

    Of a classifier the error rate with its 95 % interval (Wilson), recalls and
    precisions; of a regressor the errors in units of the target; of a stack
    how much of the rows its reconstructions leave unexplained.

    Example: stacked evaluate classifier held_out.csv
    """
    trained = loaded(model, device)
    what = getattr(trained, "what", "stack")
    if what == "classifier":
        _evaluate_classifier(trained, rows, labels)
    elif what == "regressor":
        _evaluate_regressor(trained, rows, labels)
    else:
        _evaluate_stack(trained, rows)


def _evaluate_classifier(classifier: "FeedforwardClassifier", rows: str, labels: str | None) -> None:
    from stacked.scores import class_scores, wilson_interval  # noqa: PLC0415 - slow to import

    table = labelled_for(classifier, rows, labels)
    assert table.target is not None, "labels were asked for"
    known = table.target.labelled
    n_classes = classifier.settings.sizes[-1]
    scores = class_scores(classifier.predict(table.rows)[known], table.target.values[known], n_classes)
    low, high = wilson_interval(scores.n_wrong, scores.n_rows)
    typer.echo(
        f"error rate {scores.error_rate:.2%} [{low:.2%}, {high:.2%}]: "
        f"{scores.n_wrong:,} of {counted(scores.n_rows, 'row')} wrong"
    )
    names = known_of(classifier).classes
    _table(["class", "rows", "recall", "precision", "taken most often for"], _by_class(scores, names))


def _by_class(scores: "ClassScores", names: Sequence[str]) -> list[list[str]]:
    lines = []
    for k, name in enumerate(names):
        others = scores.confusion[k].copy()
        others[k] = 0
        most = f"{names[int(others.argmax())]} ({others.max():,})" if others.any() else ""
        recall, precision = (_percent(shares[k]) for shares in (scores.recalls, scores.precisions))
        lines.append([name, f"{scores.confusion[k].sum():,}", recall, precision, most])
    return lines


def _evaluate_regressor(regressor: "FeedforwardRegressor", rows: str, labels: str | None) -> None:
    table = labelled_for(regressor, rows, labels)
    assert table.target is not None, "labels were asked for"
    errors = regressor.errors(table.rows, table.target.values)
    typer.echo(
        f"RMSE {errors.rmse:.4g}, mean absolute error {errors.mae:.4g}, R2 {errors.r2:.3f}, "
        f"on {counted(table.target.n_labelled, 'row')}"
    )


def _evaluate_stack(stack: "StackedAutoencoder", rows: str) -> None:
    from stacked.rows import value_range  # noqa: PLC0415 - slow to import
    from stacked.scores import reconstruction_scores  # noqa: PLC0415

    table = rows_for(stack, rows)
    value_range(table, rows)  # so that an error names the row of the table, not that of a block
    scores = reconstruction_scores(table, stack.reconstruct, 1.0 if stack.scaling is None else stack.scaling.scale)
    units = "" if stack.scaling is None else f", columns scaled by {stack.scaling_kind}"
    typer.echo(
        f"unexplained by the reconstructions: {_percent(scores.unexplained)} of the variance of "
        f"{counted(len(table), 'row')}{units}"
    )
    names = stack.provenance.columns
    if names:
        shares = scores.unexplained_by_column
        worst = sorted(range(len(names)), key=lambda k: 1.0 if math.isnan(shares[k]) else -shares[k])[:MOST_COLUMNS]
        _table(["column", "unexplained"], [[names[k], _percent(shares[k])] for k in worst])


def _percent(share: float) -> str:
    return "-" if math.isnan(share) else f"{share:.1%}"


def _table(heads: Sequence[str], lines: Sequence[Sequence[Any]]) -> None:
    """Columns as wide as what stands in them; the first to the left, the others to the right."""
    widths = [max(len(str(line[i])) for line in (heads, *lines)) for i in range(len(heads))]
    for line in (heads, *lines):
        cells = [
            f"{line[0]:<{widths[0]}}",
            *(f"{cell:>{width}}" for cell, width in zip(line[1:], widths[1:], strict=True)),
        ]
        typer.echo("  ".join(cells).rstrip())


command = guarded(evaluate)
