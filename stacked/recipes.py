"""How the arms of a comparison are trained on a table: what suits its size, unless it is said.

Tried on four tables of scikit-learn, a random fifth of each laid aside: mean error of random / denoising
initialisation on validation rows of five or six splits, rows scaled by min_max. Breast cancer, digits and wine are in
per cent, diabetes is the root mean square error. Five splits tell no small differences apart.

    layers                          steps, rate   cancer        digits        wine          diabetes
    100-50 sigmoid, 30 % masked     1,000 0.001   4.6 / 5.0     4.7 / 4.0     2.4 / 3.0     54.4 / 54.1
    100-50 sigmoid, 30 % masked     1,000 0.003   5.3 / 5.1     2.9 / 2.8     2.9 / 3.6     54.7 / 54.9
    100-50 relu, 30 % masked        1,000 0.003   3.1 / 4.6     2.4 / 2.4     1.4 / 1.4     58.6 / 57.9
    100-50 relu, 30 % masked        1,000 0.001   3.3 / 4.4     2.6 / 3.0     1.4 / 1.4     54.9 / 54.6
    100-50 relu, 30 % masked        2,000 0.001   3.5 / 4.8     2.5 / 2.3     1.4 / 2.1     57.1 / 56.1
    100-50 relu, 10 % masked        1,000 0.001   3.3 / 4.0     2.6 / 2.8     1.4 / 1.4     54.9 / 54.6

The last is the default; a run takes one to three seconds.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from stacked.arms import hidden_layers
from stacked.comparison import Arm, Recipe
from stacked.errors import mismatch
from stacked.feedforward_settings import ClassifierSettings, RegressorSettings
from stacked.labelled_table import LabelledTable
from stacked.optimizers import Adam
from stacked.training_config import TrainingConfig

_RELU = "mask=0.1:activation=relu:output=linear"
LAYERS = f"denoising:100:{_RELU}, denoising:50:{_RELU}"
"""The layers of a comparison, unless it is said; linear outputs suit rows of any scaling."""

STEPS = 1000
"""Steps that a training takes, if its epochs are within `EPOCHS`."""

EPOCHS = (10, 100)
BATCHES = (10, 100)
STEPS_AN_EPOCH = 25


@dataclass(frozen=True)
class Given:
    """What is said of the training; None for what suits the table.

    Parameters
    ----------
    epochs, finetune_epochs : int, optional
        Passes over the rows for each layer, and over the labelled rows.
    batch_size : int, optional
        Rows a step, in both phases.
    learning_rate : float, optional
        Of Adam, in both phases.
    patience : int, optional
        As for `TrainingConfig`; it needs a table with validation rows.
    scaling : str
        As for `Recipe`.
    device : str
        "cpu", "cuda" or "mps".
    """

    epochs: int | None = None
    finetune_epochs: int | None = None
    batch_size: int | None = None
    learning_rate: float | None = None
    patience: int | None = None
    scaling: str = "auto"
    device: str = "cpu"


AS_IT_SUITS = Given()


def recipe_for(table: LabelledTable, arms: Sequence[Arm], given: Given = AS_IT_SUITS) -> Recipe:
    """What the arms of a comparison on a table share.

    Parameters
    ----------
    table : LabelledTable
        The rows and labels.
    arms : sequence of Arm
        At least one has layers, and all that have share widths and activations.
    given : Given
        What is not to be as it suits the table.
    """
    hidden, activations = hidden_layers(arms, table.rows.shape[1])
    if given.patience is not None and table.validation_fraction == 0:
        remedy = "set a validation fraction too"
        raise mismatch("patience", expected="validation rows", received="none", remedy=remedy)
    sizes = (table.rows.shape[1], *hidden, len(table.target.classes) or 1)
    kind = ClassifierSettings if table.target.is_classes else RegressorSettings
    n_rows = len(table.rows) - (table.n_tested if table.test is None else 0)
    return Recipe(
        kind(sizes, activations),
        _training(n_rows, given.epochs, given),
        _training(table.n_trained, given.finetune_epochs, given),
        device=given.device,
        scaling=given.scaling,
    )


def _training(n_rows: int, epochs: int | None, given: Given) -> TrainingConfig:
    batch = _within(BATCHES, n_rows // STEPS_AN_EPOCH) if given.batch_size is None else given.batch_size
    passes = _within(EPOCHS, round(STEPS * batch / n_rows)) if epochs is None else epochs
    optimizer = Adam() if given.learning_rate is None else Adam(given.learning_rate)
    return TrainingConfig(passes, batch, optimizer, patience=given.patience)


def _within(bounds: tuple[int, int], number: int) -> int:
    return min(max(number, bounds[0]), bounds[1])
