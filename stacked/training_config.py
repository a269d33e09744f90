"""How a model is trained: settings, and whether they suit a model and its rows."""

from dataclasses import dataclass

import torch

from stacked.errors import check_choice, check_count, mismatch
from stacked.model import Model
from stacked.optimizers import LBFGS, SGD, Adam, OptimizerSettings
from stacked.precision import PRECISIONS
from stacked.schedules import CosineDecay, ExponentialDecay, Schedule
from stacked.settings import hold_number


@dataclass(frozen=True)
class TrainingConfig:
    """How a model is trained.

    Parameters
    ----------
    epochs : int
        Passes over the rows; at most, with `patience`.
    batch_size : int or None
        Rows a step; None takes all rows at once. The last batch of an epoch may be smaller.
    optimizer : SGD, Adam or LBFGS
        With its learning rate.
    schedule : ExponentialDecay, CosineDecay or None
        How the learning rate falls; None keeps it.
    validation_fraction : float
        Share of the rows, drawn at random, that is kept from training to measure on after every epoch.
    patience : int or None
        Ends the training after so many epochs without a lower validation figure (loss of a layer, error rate of a
        classifier) and restores the best weights; None never does. Needs validation rows.
    precision : {"float32", "tf32", "bf16"}
        How steps multiply matrices: as the dtype has it; with operands rounded to 10 bits where tensor cores can do
        that; or with operands rounded to bfloat16, 8 bits, and sums in float32. Weights, losses and updates keep the
        dtype, and so does all that is computed of a trained model. The last two need float32 weights.
    """

    epochs: int = 10
    batch_size: int | None = 100
    optimizer: OptimizerSettings = Adam()  # noqa: RUF009 - frozen, so that sharing it is safe
    schedule: Schedule | None = None
    validation_fraction: float = 0.0
    patience: int | None = None
    precision: str = "float32"

    def __post_init__(self) -> None:
        check_count("epochs", self.epochs, least=0)
        if self.batch_size is not None:
            check_count("batch_size", self.batch_size)
        if not isinstance(self.optimizer, OptimizerSettings):
            remedy = "pass for instance Adam(0.001)"
            raise mismatch("optimizer", expected="SGD, Adam or LBFGS", received=repr(self.optimizer), remedy=remedy)
        if self.schedule is not None and not isinstance(self.schedule, ExponentialDecay | CosineDecay):
            expected, remedy = "ExponentialDecay or CosineDecay", "pass for instance CosineDecay(), or None"
            raise mismatch("schedule", expected=expected, received=repr(self.schedule), remedy=remedy)
        hold_number(self, "validation_fraction", 0, 0.9)
        if self.patience is not None:
            check_count("patience", self.patience)
        check_choice("precision", self.precision, PRECISIONS)


SETTINGS = (TrainingConfig, SGD, Adam, LBFGS, ExponentialDecay, CosineDecay)
"""Every class that stored settings of a training may name."""


def check_config(config: object) -> None:
    """Raise unless it says how a model is trained."""
    if not isinstance(config, TrainingConfig):
        remedy = "pass for instance TrainingConfig(epochs=5)"
        raise mismatch("training", expected="a TrainingConfig", received=repr(config), remedy=remedy)


def check_plan(model: Model, config: TrainingConfig, n_rows: int, has_validation: bool, name: str) -> None:
    """Raise when the model cannot be trained so on so many rows."""
    check_config(config)
    dtype = next(model.parameters()).dtype
    if config.precision != "float32" and dtype != torch.float32:
        expected, received = f"'float32' for the float64 weights of {name}", repr(config.precision)
        remedy = "leave it out, or set dtype='float32'"
        raise mismatch("precision", expected=expected, received=received, remedy=remedy)
    rate, largest = config.optimizer.learning_rate, torch.finfo(dtype).max
    if rate > largest:
        expected, remedy = f"a number that the weights of {name} can hold", "lower it"
        raise mismatch("learning_rate", expected=expected, received=f"{rate:g}", remedy=remedy)
    aside = 0 if has_validation else round(config.validation_fraction * n_rows)
    if config.validation_fraction > 0 and not has_validation and not 0 < aside < n_rows:
        expected = "a share that leaves rows on both sides"
        received, remedy = f"{config.validation_fraction} of {n_rows} rows", "change it, or pass validation rows"
        raise mismatch("validation_fraction", expected=expected, received=received, remedy=remedy)
    n_train = n_rows - aside
    if config.batch_size is not None and config.batch_size > n_train:
        remedy = "lower batch_size"
        expected = f"at most the {n_train} rows that {name} is trained on"
        raise mismatch("batch_size", expected=expected, received=str(config.batch_size), remedy=remedy)
    if config.patience is not None and not has_validation and aside == 0:
        expected, remedy = "validation rows", "set validation_fraction, or pass validation rows"
        raise mismatch("patience", expected=expected, received="none", remedy=remedy)
    if isinstance(config.optimizer, LBFGS) and model.steps_once:
        expected = f"one that evaluates each batch of {name} once, for its {model.steps_once}"
        raise mismatch("optimizer", expected=expected, received="LBFGS", remedy="use SGD or Adam, or do without it")


def batch_size_for(n_rows: int, validation_fraction: float = 0.0) -> int:
    """Rows a step for who has no opinion: 100, or a tenth of the rows to train on where there are fewer than 100."""
    n_train = n_rows - round(validation_fraction * n_rows)
    return 100 if n_train >= 100 else max(1, n_train // 10)
