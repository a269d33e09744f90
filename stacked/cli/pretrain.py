"""`stacked pretrain`: train a stack on the rows of a file, and save it."""

from typing import TYPE_CHECKING, Annotated

import typer

from stacked.cli import options
from stacked.cli.data import read_unlabelled
from stacked.cli.guard import guarded
from stacked.cli.one_voice import one_voice
from stacked.cli.trainings import free_folder, given, keep, kept_run, last_epoch, training_config
from stacked.cli.watching import Log, Tensorboard, watchers

if TYPE_CHECKING:
    from stacked.stack import StackedAutoencoder

Layers = Annotated[
    str,
    typer.Option(
        help="Bottom first, kind:units[:name=value...], or a TOML file of tables named layers; plain, denoising, "
        "sparse, contractive or variational.",
        metavar="TEXT",
        show_default=False,
    ),
]
Out = Annotated[
    str,
    typer.Option(
        help="Folder for the stack; until it is saved, DIR.run keeps the run.", metavar="DIR", show_default=False
    ),
]
Labels = Annotated[
    str | None,
    typer.Option(
        help="The column of the labels, which is left out, here and where the stack is used.",
        metavar="COLUMN",
        show_default=False,
    ),
]
Cache = Annotated[str | None, typer.Option(help="Folder where codes are kept for other runs.", metavar="DIR")]


def pretrain(
    rows: options.Rows,
    layers: Layers,
    out: Out,
    labels: Labels = None,
    drop: options.Drop = None,
    scaling: options.ScalingKind = "auto",
    epochs: options.Epochs = None,
    batch_size: options.BatchSize = None,
    optimizer: options.Optimizer = "adam",
    learning_rate: options.LearningRate = None,
    momentum: options.Momentum = None,
    validation_fraction: options.ValidationFraction = None,
    patience: options.Patience = None,
    seed: options.Seed = 0,
    dtype: options.Dtype = "float32",
    precision: options.Precision = None,
    device: options.Device = "cpu",
    cache: Cache = None,
    overwrite: options.Overwrite = False,
    log: Log = None,
    tensorboard: Tensorboard = None,
) -> None:
    """Train a stack of layers on the rows of a file, each on the codes of the one below, and save it.

    The same command again goes on where an interrupted one was, and ends with
    the same stack. Started by torchrun, several processes train together.

    Names in --layers are the settings of a layer: activation, output, loss,
    tied, weight_decay and random_bias; of denoising mask, gaussian or
    salt_and_pepper; of sparse weight, target and memory, or l1, or top_k; of
    contractive weight; of variational hidden, kl_weight and warm_up.

    Example: stacked pretrain t.csv --labels diagnosis --out encoder --layers
    "denoising:16:mask=0.2, sparse:8:target=0.05"
    """
    from stacked.layer_files import layers_named  # noqa: PLC0415 - slow to import
    from stacked.ranks import joined_ranks  # noqa: PLC0415
    from stacked.scaling import scaling_for  # noqa: PLC0415
    from stacked.stack import StackedAutoencoder  # noqa: PLC0415

    with joined_ranks(device) as ranks, one_voice(ranks):
        with ranks.one_warning(), ranks.agreeing():
            folder = free_folder(out, "the stack", overwrite=overwrite)
            how = given(
                epochs=epochs,
                batch_size=batch_size,
                validation_fraction=validation_fraction,
                patience=patience,
                precision=precision,
            )
            descent = given(learning_rate=learning_rate, momentum=momentum)
            built = layers_named(layers)
            training_config(1, optimizer, descent, how)  # wrong flags are told before a large table is read
            table = read_unlabelled(rows, labels, drop or ())
            training = training_config(len(table.rows), optimizer, descent, how)
            kind = scaling_for(scaling, table.rows)
            stack = StackedAutoencoder(
                built, training, seed=seed, dtype=dtype, device=device, scaling=kind, cache=cache
            )
            watching = watchers(log, tensorboard)
        with kept_run(folder, overwrite=overwrite) as run:
            stack.fit(table.rows, run=run, ranks=ranks, callbacks=watching)
            if ranks.leads:
                keep(stack, table, folder, run)
        if ranks.leads:
            _report(stack, out)


def _report(stack: "StackedAutoencoder", out: str) -> None:
    if stack.scaling_kind != "none":
        typer.echo(f"scaling: {stack.scaling_kind}")
    for layer, history in zip(stack.layers, stack.histories, strict=True):
        kind = type(layer.settings).__name__.lower()
        typer.echo(f"{kind} {layer.n_inputs}-{layer.settings.n_units}: {last_epoch(history)}")
    typer.echo(f"written to {out}")


command = guarded(pretrain)
