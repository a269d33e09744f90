"""What verbs that train have in common: the folder of the result, the settings of a training, the report."""

import contextlib
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stacked.errors import check_choice, mismatch
from stacked.paths import named_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stacked.callbacks import History
    from stacked.checkpoint import Model
    from stacked.cli.data import Labelled
    from stacked.run_directory import RunDirectory
    from stacked.training_config import TrainingConfig


@contextlib.contextmanager
def kept_run(folder: Path, *, overwrite: bool) -> "Iterator[RunDirectory]":
    """The run whose result the folder is to hold, beside it; Ctrl-C tells what that keeps."""
    from stacked.run_directory import RunDirectory  # noqa: PLC0415 - slow to import

    run = RunDirectory(f"{folder}.run", replace=overwrite)
    try:
        yield run
    except KeyboardInterrupt as interrupt:
        kept = f"{run.folder} keeps all but the last half minute at most: the same command goes on from there"
        nothing = "nothing was kept yet: the same command begins anew"
        raise KeyboardInterrupt(f"interrupted; {kept if run.states else nothing}") from interrupt


def free_folder(out: str, what: str, *, overwrite: bool) -> Path:
    """The folder for a model, once it is seen that it can be written and whose model may be replaced."""
    from stacked.files import blaming, locked  # noqa: PLC0415 - slow to import
    from stacked.model_files import holds_model  # noqa: PLC0415

    folder = Path(os.path.realpath(named_path(out, "--out")))
    with blaming(folder, what):
        if holds_model(folder) and not overwrite:
            remedy = "name another folder, or pass --overwrite"
            expected, received = "a folder without a model", "one with a model"
            raise mismatch(str(folder), expected=expected, received=received, remedy=remedy)
        if os.path.lexists(folder):
            with locked(folder / "model"):
                pass
    return folder


def keep(model: "Model", table: "Labelled", folder: Path, run: "RunDirectory") -> None:
    """Save what came of a run on a table; the run is then not needed any more."""
    from stacked.checkpoint import save  # noqa: PLC0415 - slow to import

    model.provenance = replace(table.provenance, in_unit_range=model.provenance.in_unit_range)
    save(model, folder)
    run.remove()


def given(**options: Any) -> dict[str, Any]:
    """The options that were given; the library has defaults for the others."""
    return {name: value for name, value in options.items() if value is not None}


def training_config(n_rows: int, optimizer: str, descent: dict[str, float], how: dict[str, Any]) -> "TrainingConfig":
    """The settings of a training on so many rows; small tables have small minibatches."""
    from stacked.optimizers import SGD, Adam  # noqa: PLC0415 - slow to import
    from stacked.training_config import TrainingConfig, batch_size_for  # noqa: PLC0415

    check_choice("--optimizer", optimizer, ("sgd", "adam"))
    if optimizer == "adam" and "momentum" in descent:
        remedy = "pass --optimizer sgd, or leave it out"
        raise mismatch("--momentum", expected="it with sgd only", received="it with adam", remedy=remedy)
    kind = SGD if optimizer == "sgd" else Adam
    size = batch_size_for(n_rows, how.get("validation_fraction", 0.0))
    return TrainingConfig(optimizer=kind(**descent), **({"batch_size": size} | how))


def last_epoch(history: "History") -> str:
    """The figures of the last epoch of a training, in words."""
    if len(history) == 0:
        return "not trained"
    record = history.records[-1]
    figures = {"loss": "loss {:.4g}", "validation_loss": "validation loss {:.4g}"}
    figures["validation_error_rate"] = "validation error {:.2%}"
    told = [text.format(record[figure]) for figure, text in figures.items() if figure in record]
    return f"{', '.join(told)} in epoch {len(history)}"
