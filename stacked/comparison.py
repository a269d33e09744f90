"""Comparison of ways to initialise a network: arms x seeds -> error rates, or errors of numbers.

Every arm has the same network, the same split of the rows, the same fine-tuning and, seed by seed, the same random
output layer and order of rows, so that differences are paired.
"""

import functools
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from stacked.autoencoders import LayerSettings
from stacked.campaign import finished_trials
from stacked.classifier import FeedforwardClassifier
from stacked.devices import device_named, dtype_named
from stacked.errors import DivergedError, check_choice
from stacked.feedforward import Feedforward
from stacked.feedforward_settings import ClassifierSettings, RegressorSettings
from stacked.regressor import FeedforwardRegressor
from stacked.rows import Rows
from stacked.scaling import KINDS, scaling_for
from stacked.scoring import Trained, first_weights, outcome_of
from stacked.seeds import fit_classifiers, fit_stacks
from stacked.splits import Split, Splits
from stacked.stack import StackedAutoencoder
from stacked.together import Turn, among
from stacked.training_config import TrainingConfig
from stacked.trial import JointCompute, Outcome
from stacked.trial_folder import TrialFolder

TOGETHER = 16
"""Seeds of an arm that train together on an accelerator; each keeps its own codes there."""

SCALINGS = (*KINDS, "auto")
"""Ways to scale the rows of a comparison."""

COLLAPSED_BELOW = 0.05
"""A run is called collapsed when some class's recall on the test rows is below this."""


@dataclass(frozen=True)
class Arm:
    """One way to initialise the hidden layers.

    Parameters
    ----------
    name : str
        For tables and files.
    layers : tuple of LayerSettings
        The layers to pretrain; none for random initialisation.
    """

    name: str
    layers: tuple[LayerSettings, ...] = ()


@dataclass(frozen=True)
class Recipe:
    """What all arms share.

    Parameters
    ----------
    network : ClassifierSettings or RegressorSettings
        The network that is fine-tuned, whose hidden layers are those of every arm.
    pretraining, finetuning : TrainingConfig
        How each layer, and then the classifier, is trained.
    dtype, device : str
        As for `StackedAutoencoder`.
    scaling : {"none", "min_max", "standard", "auto"}
        Of the rows, learnt on the training rows of each seed; "auto" is min_max where these leave [0, 1].
    """

    network: ClassifierSettings | RegressorSettings
    pretraining: TrainingConfig
    finetuning: TrainingConfig
    dtype: str = "float32"
    device: str = "cpu"
    scaling: str = "none"

    def __post_init__(self) -> None:
        check_choice("scaling", self.scaling, SCALINGS)
        dtype_named(self.dtype)
        device_named(self.device)


@dataclass(frozen=True)
class Run:
    """One arm with one seed.

    `error_rate` on the test rows, or `rmse` where numbers are predicted, is None when the run failed, and `failure`
    then says why. `recalls` holds the share of each class's test rows that was recognised, `r2` the share of the
    variance that was explained, `seconds` the time of training, and `details`, of seed 0, what `outcome_of` tells.
    """

    arm: str
    seed: int
    error_rate: float | None = None
    recalls: Sequence[float] = ()
    seconds: float = 0.0
    failure: str = ""
    rmse: float | None = None
    r2: float | None = None
    details: dict[str, Any] = field(default_factory=dict, compare=False)

    @property
    def collapsed(self) -> bool:
        """Whether the recall of some class is below `COLLAPSED_BELOW`."""
        return bool(self.recalls) and min(self.recalls) < COLLAPSED_BELOW


def finished_runs(  # noqa: PLR0913 - what is compared, then how it is spread
    arms: Sequence[Arm],
    recipe: Recipe,
    data: Splits,
    seeds: Sequence[int],
    folder: TrialFolder,
    jobs: int,
    *,
    together: int | None = None,
) -> Iterator[Run]:
    """Every run of every arm and seed, as it is finished, by `finished_trials`; each on one thread.

    So many seeds of an arm train `together`, by default `at_once` of the device; on a CPU with the same outcome.
    Seeds that have splits of their own train one by one.
    """
    by_name = {arm.name: arm for arm in arms}
    compute = JointCompute(
        functools.partial(run_arm, by_name, recipe, data),
        functools.partial(run_seeds, by_name, recipe, data),
        (together or at_once(recipe.device)) if data.is_fixed else 1,
    )
    for trial in finished_trials(compute, [arm.name for arm in arms], seeds, folder, jobs):
        yield Run(trial.arm, trial.seed, failure=trial.failure, **trial.figures)


def at_once(device: str) -> int:
    """How many seeds of an arm train together: one on a CPU, where several processes use the cores."""
    return 1 if device_named(device).type == "cpu" else TOGETHER


def run_arm(arms: Mapping[str, Arm], recipe: Recipe, data: Splits, name: str, seed: int, scratch: Path) -> Outcome:
    """Pretrain, fine-tune and test the arm of this name with one seed; with details of seed 0."""
    began = time.perf_counter()
    split = data.split(seed)
    scaling = scaling_for(recipe.scaling, split.x_train)
    network, stack = _network(recipe, seed, scaling), None
    if arms[name].layers:
        stack = _stack(arms[name], recipe, seed, scaling)
        stack.fit(split.x_train, validation=_rows_of(split), progress=False, run=scratch / "layers")
        network.transfer(stack)
    _name_classes(network, split)
    before, x, y, run = first_weights(network), split.x_train, split.y_train, scratch / "classifier"
    network.fit(x, y, recipe.finetuning, validation=split.validation, progress=False, run=run)
    return outcome_of(Trained(network, stack, before, time.perf_counter() - began), split, detailed=seed == 0)


def run_seeds(
    arms: Mapping[str, Arm], recipe: Recipe, data: Splits, name: str, seeds: Sequence[int], turn: Turn
) -> list[Outcome]:
    """The same with several seeds of one split, which train together and share the time equally."""
    began = time.perf_counter()
    split = data.split(seeds[0])
    scaling = scaling_for(recipe.scaling, split.x_train)
    networks = [_network(recipe, seed, scaling) for seed in seeds]
    stacks: list[StackedAutoencoder] = []
    failures: list[DivergedError | None] = [None] * len(seeds)
    if arms[name].layers:
        stacks = [_stack(arms[name], recipe, seed, scaling) for seed in seeds]
        failures = fit_stacks(stacks, split.x_train, validation=_rows_of(split), turn=turn)
        for network, stack, failure in zip(networks, stacks, failures, strict=True):
            if failure is None:
                network.transfer(stack)
    for network in networks:
        _name_classes(network, split)
    before = [first_weights(network) for network in networks]
    going = [k for k, failure in enumerate(failures) if failure is None]
    if going:
        fitted, x, y = [networks[k] for k in going], split.x_train, split.y_train
        own = among(going, turn)
        ends = fit_classifiers(fitted, x, y, recipe.finetuning, validation=split.validation, turn=own)
        for k, failure in zip(going, ends, strict=True):
            failures[k] = failure
    seconds = (time.perf_counter() - began) / len(seeds)
    trained = [
        Trained(network, stacks[k] if stacks else None, before[k], seconds) for k, network in enumerate(networks)
    ]
    return [
        outcome_of(one, split, detailed=seed == 0) if failure is None else Outcome({}, failure=str(failure))
        for one, seed, failure in zip(trained, seeds, failures, strict=True)
    ]


def _network(recipe: Recipe, seed: int, scaling: str) -> Feedforward:
    how: dict[str, Any] = {"seed": seed, "dtype": recipe.dtype, "device": recipe.device, "scaling": scaling}
    if isinstance(recipe.network, ClassifierSettings):
        return FeedforwardClassifier(recipe.network, **how)
    return FeedforwardRegressor(recipe.network, **how)


def _stack(arm: Arm, recipe: Recipe, seed: int, scaling: str) -> StackedAutoencoder:
    how: dict[str, Any] = {"seed": seed, "dtype": recipe.dtype, "device": recipe.device, "scaling": scaling}
    return StackedAutoencoder(arm.layers, recipe.pretraining, **how)


def _name_classes(network: Feedforward, split: Split) -> None:
    """Have it speak of classes by their names, where it warns."""
    network.provenance = replace(network.provenance, classes=split.classes)


def _rows_of(split: Split) -> Rows | None:
    """The rows to validate on, if there are any."""
    return None if split.validation is None else split.validation[0]
