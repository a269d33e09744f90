"""`stacked finetune`: put an output layer on a pretrained encoder, train all of it with labels, and save it."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stacked.cli import options
from stacked.cli.data import loaded, place_of_labels, read_labelled
from stacked.cli.guard import guarded
from stacked.cli.trainings import free_folder, given, keep, kept_run, last_epoch, training_config
from stacked.cli.watching import Log, Tensorboard, watchers

if TYPE_CHECKING:
    from stacked.checkpoint import Model
    from stacked.classifier import FeedforwardClassifier
    from stacked.regressor import FeedforwardRegressor
    from stacked.targets import Target

Encoder = Annotated[
    str,
    typer.Argument(
        help="The folder of a stack, or of a classifier or regressor, which gets a new head.",
        metavar="MODEL",
        show_default=False,
    ),
]
Out = Annotated[
    str,
    typer.Option(
        help="Folder for the result; until it is saved, DIR.run keeps the run.", metavar="DIR", show_default=False
    ),
]
Freeze = Annotated[bool, typer.Option("--freeze", help="Leave the encoder as it is; train the output layer only.")]
Dropout = Annotated[float, typer.Option(help="Probability with which a hidden output is dropped in training.")]
WeightDecay = Annotated[float, typer.Option(help="Charged for the squares of the weights.")]


def finetune(
    model: Encoder,
    rows: options.Rows,
    out: Out,
    labels: options.Labels = None,
    task: options.Task = "auto",
    freeze: Freeze = False,
    dropout: Dropout = 0.0,
    weight_decay: WeightDecay = 0.0,
    epochs: options.Epochs = None,
    batch_size: options.BatchSize = None,
    optimizer: options.Optimizer = "adam",
    learning_rate: options.LearningRate = None,
    momentum: options.Momentum = None,
    validation_fraction: options.ValidationFraction = None,
    patience: options.Patience = None,
    seed: options.Seed = 0,
    device: options.Device = "cpu",
    overwrite: options.Overwrite = False,
    log: Log = None,
    tensorboard: Tensorboard = None,
) -> None:
    """Train a classifier, or a regressor, that begins as a pretrained encoder below a fresh output layer.

    Text and few whole numbers are taken for classes, other labels for numbers
    to be predicted; --task says otherwise. Rows without a label are left out.
    The same command again goes on where an interrupted one was.

    Example: stacked finetune encoder t.csv --labels diagnosis --out classifier
    """
    from stacked.targets import labels_of  # noqa: PLC0415 - slow to import

    folder = free_folder(out, "the model", overwrite=overwrite)
    encoder = loaded(model, device)
    table = read_labelled(rows, place_of_labels(encoder, rows, labels), task, like=encoder.provenance.without_classes)
    assert table.target is not None, "labels were asked for"
    settings = {"freeze": freeze, "seed": seed, "dropout": dropout, "weight_decay": weight_decay}
    network = _network_on(encoder, table.target, settings)
    how = given(epochs=epochs, batch_size=batch_size, validation_fraction=validation_fraction, patience=patience)
    descent = given(learning_rate=learning_rate, momentum=momentum)
    training = training_config(table.target.n_labelled, optimizer, descent, how)
    watching = watchers(log, tensorboard)
    network.provenance = replace(network.provenance, classes=table.target.classes)  # for what training has to say
    with kept_run(folder, overwrite=overwrite) as run:
        network.fit(table.rows, labels_of(table.target), training, run=run, callbacks=watching)
        keep(network, table, folder, run)
    typer.echo(f"labels: {_described(table.target)}")
    typer.echo(f"{network.what} {'-'.join(map(str, network.settings.sizes))}: {last_epoch(network.history)}")
    typer.echo(f"written to {out}")


def _network_on(
    encoder: "Model", target: "Target", settings: dict[str, Any]
) -> "FeedforwardClassifier | FeedforwardRegressor":
    from stacked.classifier import FeedforwardClassifier  # noqa: PLC0415 - slow to import
    from stacked.regressor import FeedforwardRegressor  # noqa: PLC0415

    if target.is_classes:
        return FeedforwardClassifier.from_stack(encoder, len(target.classes), **settings)
    return FeedforwardRegressor.from_stack(encoder, 1, **settings)


def _described(target: "Target") -> str:
    from stacked.targets import described  # noqa: PLC0415 - slow to import

    return described(target)


command = guarded(finetune)
