"""`stacked pretrain`: train a stack on the rows of a file, and save it."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stacked.cli.guard import guarded
from stacked.cli.one_voice import one_voice
from stacked.cli.watching import Log, Tensorboard, watchers
from stacked.errors import check_choice, mismatch
from stacked.paths import named_path
from stacked.tables import FORMATS, read_table

if TYPE_CHECKING:
    from stacked.run_directory import RunDirectory
    from stacked.stack import StackedAutoencoder
    from stacked.training_config import TrainingConfig

Rows = Annotated[
    str,
    typer.Argument(
        help=f"{FORMATS}. Of an HDF5 file that has but one table the name will do; bytes of an IDX file are scaled "
        "to [0, 1].",
        metavar="ROWS",
        show_default=False,
    ),
]
Layers = Annotated[
    str,
    typer.Option(
        help="Bottom first, kind:units[:name=value...]; plain, denoising, sparse, contractive or variational.",
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
Epochs = Annotated[int | None, typer.Option(help="Passes over the rows, for each layer.", show_default="10")]
BatchSize = Annotated[int | None, typer.Option(help="Rows a step.", show_default="100")]
Optimizer = Annotated[str, typer.Option(help="sgd or adam.")]
LearningRate = Annotated[float | None, typer.Option(help="Length of a step.", show_default="0.001, of sgd 0.1")]
Momentum = Annotated[float | None, typer.Option(help="Of sgd, from 0 to below 1.", show_default="0")]
ValidationFraction = Annotated[
    float | None, typer.Option(help="Share of the rows to measure on, not trained on.", show_default="0")
]
Patience = Annotated[
    int | None,
    typer.Option(help="End a layer after so many epochs without a better validation loss.", show_default="never"),
]
Seed = Annotated[int, typer.Option(help="Determines weights, orders and noise.")]
Dtype = Annotated[str, typer.Option(help="float32 or float64.")]
Precision = Annotated[
    str | None, typer.Option(help="Of matrix products in training: float32, tf32 or bf16.", show_default="float32")
]
Device = Annotated[str, typer.Option(help="cpu, cuda or mps.")]
Cache = Annotated[str | None, typer.Option(help="Folder where codes are kept for other runs.", metavar="DIR")]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace the model in DIR, once the new one is complete.")
]


def pretrain(
    rows: Rows,
    layers: Layers,
    out: Out,
    epochs: Epochs = None,
    batch_size: BatchSize = None,
    optimizer: Optimizer = "adam",
    learning_rate: LearningRate = None,
    momentum: Momentum = None,
    validation_fraction: ValidationFraction = None,
    patience: Patience = None,
    seed: Seed = 0,
    dtype: Dtype = "float32",
    precision: Precision = None,
    device: Device = "cpu",
    cache: Cache = None,
    overwrite: Overwrite = False,
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

    Example: stacked pretrain rows.h5:/images/train --out encoder --layers
    "denoising:500:mask=0.3, sparse:200:target=0.05"
    """
    from stacked.layer_text import layers_from  # noqa: PLC0415 - slow to import
    from stacked.ranks import joined_ranks  # noqa: PLC0415
    from stacked.run_directory import RunDirectory  # noqa: PLC0415
    from stacked.stack import StackedAutoencoder  # noqa: PLC0415

    with joined_ranks(device) as ranks, one_voice(ranks):
        with ranks.one_warning(), ranks.agreeing():
            folder = _free_folder(out, overwrite=overwrite)
            how = _given(
                epochs=epochs,
                batch_size=batch_size,
                validation_fraction=validation_fraction,
                patience=patience,
                precision=precision,
            )
            training = _training(optimizer, _given(learning_rate=learning_rate, momentum=momentum), how)
            built = layers_from(layers)
            stack = StackedAutoencoder(built, training, seed=seed, dtype=dtype, device=device, cache=cache)
            table, run = read_table(rows, dtype), RunDirectory(f"{folder}.run")
            watching = watchers(log, tensorboard)
        stack.fit(table, run=run, ranks=ranks, callbacks=watching)
        if ranks.leads:
            _keep(stack, folder, run)
            _report(stack, out)


def _free_folder(out: str, *, overwrite: bool) -> Path:
    """The folder for the stack, once it is seen that it can be written and whose model may be replaced."""
    from stacked.files import blaming, locked  # noqa: PLC0415 - slow to import
    from stacked.model_files import holds_model  # noqa: PLC0415

    folder = Path(os.path.realpath(named_path(out, "--out")))
    with blaming(folder, "the stack"):
        if holds_model(folder) and not overwrite:
            remedy = "name another folder, or pass --overwrite"
            expected, received = "a folder without a model", "one with a model"
            raise mismatch(str(folder), expected=expected, received=received, remedy=remedy)
        if os.path.lexists(folder):
            with locked(folder / "model"):
                pass
    return folder


def _training(optimizer: str, descent: dict[str, float], how: dict[str, Any]) -> "TrainingConfig":
    from stacked.optimizers import SGD, Adam  # noqa: PLC0415 - slow to import
    from stacked.training_config import TrainingConfig  # noqa: PLC0415

    check_choice("--optimizer", optimizer, ("sgd", "adam"))
    if optimizer == "adam" and "momentum" in descent:
        remedy = "pass --optimizer sgd, or leave it out"
        raise mismatch("--momentum", expected="it with sgd only", received="it with adam", remedy=remedy)
    kind = SGD if optimizer == "sgd" else Adam
    return TrainingConfig(optimizer=kind(**descent), **how)


def _given(**options: Any) -> dict[str, Any]:
    """The options that were given; the library has defaults for the others."""
    return {name: value for name, value in options.items() if value is not None}


def _keep(stack: "StackedAutoencoder", folder: Path, run: "RunDirectory") -> None:
    """Save what came of a run, which is then not needed any more."""
    from stacked.checkpoint import save  # noqa: PLC0415 - slow to import

    save(stack, folder)
    run.remove()


def _report(stack: "StackedAutoencoder", out: str) -> None:
    for layer, history in zip(stack.layers, stack.histories, strict=True):
        kind = type(layer.settings).__name__.lower()
        last = f"loss {history['loss'][-1]:.4g} in epoch {len(history)}" if len(history) > 0 else "not trained"
        typer.echo(f"{kind} {layer.n_inputs}-{layer.settings.n_units}: {last}")
    typer.echo(f"written to {out}")


command = guarded(
    pretrain,
    "interrupted; DIR.run keeps all but the last half minute at most: the same command goes on from there",
)
