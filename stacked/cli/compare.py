"""`stacked compare`: whether pretraining pays on the rows of a file."""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stacked.cli import options
from stacked.cli.guard import guarded
from stacked.errors import check_count, mismatch
from stacked.paths import named_path
from stacked.tables import Wanted, is_part_of, read_data
from stacked.wording import counted

if TYPE_CHECKING:
    from stacked.comparison import Arm
    from stacked.labelled_table import LabelledTable
    from stacked.tables import Data

Labels = Annotated[
    str,
    typer.Option(
        help="Name of a column, of a dataset in the same file, or of another file; rows without a label are "
        "pretrained on.",
        metavar="NAME",
        show_default=False,
    ),
]
Layers = Annotated[
    str | None,
    typer.Option(
        help="Bottom first, kind:units[:name=value...], or a TOML file, as for pretrain.",
        metavar="TEXT",
        show_default="two denoising layers",
    ),
]
Arms = Annotated[
    list[str] | None,
    typer.Option(
        "--arm",
        help="An arm as NAME=LAYERS, in place of --layers; may be given several times.",
        metavar="TEXT",
        show_default=False,
    ),
]
Seeds = Annotated[int, typer.Option(help="Runs of each arm.")]
Jobs = Annotated[int | None, typer.Option(help="Processes at a time.", show_default="one a core")]
Epochs = Annotated[
    int | None, typer.Option(help="Passes over the rows, for each layer.", show_default="by their number")
]
FinetuneEpochs = Annotated[
    int | None, typer.Option(help="Passes over the labelled rows.", show_default="by their number")
]
BatchSize = Annotated[int | None, typer.Option(help="Rows a step.", show_default="by their number")]
LearningRate = Annotated[float | None, typer.Option(help="Of Adam, in both phases.", show_default="0.001")]
Test = Annotated[
    str | None,
    typer.Option(
        help="Test on the rows of this file; a column of labels bears the same name.",
        metavar="FILE",
        show_default="a draw",
    ),
]
TestLabels = Annotated[
    str | None,
    typer.Option(
        help="Where their labels are, if in no column of that name.", metavar="NAME", show_default="as --labels"
    ),
]
TestFraction = Annotated[float, typer.Option(help="Share of the labelled rows that each seed draws to test on.")]
ValidationFraction = Annotated[float, typer.Option(help="Share of the others to measure on, not trained on.")]
Patience = Annotated[
    int | None,
    typer.Option(help="End a training after so many epochs without a better figure on these.", show_default="never"),
]
Out = Annotated[
    str | None, typer.Option(help="Folder for results, made if need be.", metavar="DIR", show_default="results/NAME")
]


def compare(
    rows: options.Rows,
    labels: Labels,
    layers: Layers = None,
    arm: Arms = None,
    seeds: Seeds = 10,
    jobs: Jobs = None,
    epochs: Epochs = None,
    finetune_epochs: FinetuneEpochs = None,
    batch_size: BatchSize = None,
    learning_rate: LearningRate = None,
    scaling: options.ScalingKind = "auto",
    task: options.Task = "auto",
    test: Test = None,
    test_labels: TestLabels = None,
    test_fraction: TestFraction = 0.2,
    validation_fraction: ValidationFraction = 0.0,
    patience: Patience = None,
    drop: options.Drop = None,
    device: options.Device = "cpu",
    out: Out = None,
) -> None:
    """Say whether pretraining pays on the rows of a file: train networks with
    it and without, on many seeds, and compare their test errors.

    Each arm is trained for every seed: the layers as described, the same
    without corruption and penalty, and random initialisation. Every seed
    draws its own test rows, the same for all arms. Writes results.json and
    errors.png. Finished runs are kept: the same command goes on where it was
    interrupted, and with more --seeds adds to those there are.

    Example: stacked compare table.csv --labels diagnosis --seeds 20
    """
    from stacked.campaign import default_jobs  # noqa: PLC0415 - slow to import
    from stacked.own_comparison import compare_on  # noqa: PLC0415
    from stacked.printed import print_comparison  # noqa: PLC0415
    from stacked.recipes import Given, recipe_for  # noqa: PLC0415

    check_count("--seeds", seeds)
    if jobs is not None:
        check_count("--jobs", jobs)
    folder = _folder(out, rows)
    arms = _arms(layers, arm or [])
    of_test = None if test is None else _of_test(test, labels, test_labels)
    data = read_data(rows, Wanted(labels, drop=tuple(drop or ())))
    beside = None if test is None else read_data(test, Wanted(of_test, data.columns))
    fractions = {"test_fraction": test_fraction, "validation_fraction": validation_fraction}
    table = _table(data, beside, task, labels, fractions)
    given = Given(epochs, finetune_epochs, batch_size, learning_rate, patience, scaling, device)
    recipe = recipe_for(table, arms, given)
    known = {"source": rows, "target": labels, "columns": list(data.columns), "test": test or ""}
    described = {"data": known, "command": shlex.join(["stacked", *sys.argv[1:]])}
    _announce(table, arms, seeds)
    spread = {"seeds": seeds, "jobs": default_jobs(jobs, device)}
    results = compare_on(table, arms, recipe, folder, described=described, **spread)
    print_comparison(results)
    typer.echo(f"written to {folder}")


def _of_test(test: str, labels: str, test_labels: str | None) -> str:
    """The name of the labels of the test file; only a column, or folders, are there under the same name."""
    if test_labels is None and not is_part_of(labels, test):
        remedy = f"pass --test-labels NAME ({labels} has those of the other rows)"
        raise mismatch("--test-labels", expected="where the labels are", received="nothing", remedy=remedy)
    return test_labels or labels


def _folder(out: str | None, rows: str) -> Path:
    from stacked.table_names import place_of  # noqa: PLC0415 - beside read_data

    if out is not None:
        return named_path(out, "--out")
    place = place_of(rows)
    path = named_path(rows, "the name of a table") if place is None else place.path
    return Path("results") / (path.name.partition(".")[0] or path.name)


def _arms(layers: str | None, texts: list[str]) -> "list[Arm]":
    from stacked.arms import arms_from, arms_of  # noqa: PLC0415 - slow to import
    from stacked.layer_files import layers_named  # noqa: PLC0415
    from stacked.recipes import LAYERS  # noqa: PLC0415

    if texts and layers is not None:
        received, remedy = "both", "describe all arms by --arm, or one by --layers"
        raise mismatch("--layers", expected="it or --arm", received=received, remedy=remedy)
    return arms_from(texts) if texts else arms_of(layers_named(LAYERS if layers is None else layers))


def _table(data: "Data", test: "Data | None", task: str, name: str, fractions: dict[str, float]) -> "LabelledTable":
    from stacked.labelled_table import LabelledTable  # noqa: PLC0415 - slow to import
    from stacked.targets import as_target  # noqa: PLC0415

    target = as_target(data.target, task, name=name)
    beside = None
    if test is not None:
        kind = "classification" if target.is_classes else "regression"
        beside = test.rows, as_target(test.target, kind, target.classes, f"{name} of the test file")
    return LabelledTable(data.rows, target, beside, **fractions)


def _announce(table: "LabelledTable", arms: "list[Arm]", seeds: int) -> None:
    from stacked.targets import described  # noqa: PLC0415 - slow to import

    own = f"each seed tests on {counted(table.n_tested, 'row')} of its own"
    drawn = own if table.test is None else "one test file for all"
    typer.echo(f"{counted(len(table.rows), 'row')}, {described(table.target)}")
    typer.echo(f"{len(arms)} arms x {seeds} seeds; {drawn}")


command = guarded(compare, "interrupted; finished runs are kept: the same command goes on from there")
