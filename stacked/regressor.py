"""The feedforward regressor: linear outputs, trained on standardised targets."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from stacked.errors import StackedError
from stacked.examples import Examples
from stacked.feedforward import Feedforward
from stacked.feedforward_settings import RegressorSettings
from stacked.heads import TargetHead
from stacked.labelled_rows import as_targets
from stacked.randomness import Randomness
from stacked.rows import Array, Rows
from stacked.scaling import Scaling, learnt_scaling
from stacked.transfer import Encoder


class RegressionErrors(NamedTuple):
    """How far predictions are from targets: root of the mean square and mean of the absolute error, in units of the
    targets, and the share of the variance that is explained; all targets taken together."""

    rmse: float
    mae: float
    r2: float


class FeedforwardRegressor(Feedforward):
    """A feedforward network that predicts numbers, randomly initialised.

    Targets are standardised by the mean and standard deviation of those that it is first fitted to, and losses are
    those of standardised targets; predictions have the units of the targets again.

    Parameters
    ----------
    settings : RegressorSettings or sequence of int
        What it is, or just its sizes.
    seed, dtype, device, scaling
        As for `Feedforward`.

    Attributes
    ----------
    target_scaling : Scaling or None
        That of the targets, once it is learnt.
    layers, n_frozen, scaling, history, provenance
        As for `Feedforward`.
    """

    what = "regressor"
    made_of = RegressorSettings

    settings: RegressorSettings

    def __init__(
        self,
        settings: RegressorSettings | Sequence[int],
        *,
        seed: int | Randomness = 0,
        dtype: str = "float32",
        device: str | torch.device = "cpu",
        scaling: str | Scaling | None = "none",
    ) -> None:
        made = settings if isinstance(settings, RegressorSettings) else RegressorSettings(settings)  # type: ignore[arg-type]
        super().__init__(made, seed=seed, dtype=dtype, device=device, scaling=scaling)
        self.target_scaling: Scaling | None = None

    @classmethod
    def from_stack(
        cls, stack: Encoder, n_targets: int = 1, *, freeze: bool = False, seed: int | Randomness = 0, **settings: Any
    ) -> "FeedforwardRegressor":
        """A regressor whose hidden layers are copies of the stack's encoders, below a fresh output layer.

        `n_targets` numbers are predicted for each row; all else is as for `FeedforwardClassifier.from_stack`.
        """
        return cls._above(stack, n_targets, seed, settings, freeze=freeze)

    def head(self) -> TargetHead:
        return TargetHead()

    def labels_of(self, labels: Any, n_rows: int, name: str) -> tuple[Array, NDArray[np.bool_]]:
        targets, labelled = as_targets(labels, n_rows, self.settings.sizes[-1], name)
        if self.target_scaling is not None:
            targets = (targets - self.target_scaling.shift) / self.target_scaling.scale
        return targets, labelled

    def learn_scaling(self, rows: Rows, labels: Any) -> None:
        """That of the targets too."""
        super().learn_scaling(rows, labels)
        targets, labelled = as_targets(labels, len(rows), self.settings.sizes[-1], "labels")
        if self.target_scaling is None and labelled.any():
            self.target_scaling = learnt_scaling("standard", targets[labelled], "labels")

    def prepare_for(self, examples: Examples) -> None:
        """Any targets will do."""

    def predict(self, x: Any) -> Array:
        """Predicted targets, float64, shape `(n, n_targets)`, or `(n,)` where there is but one."""
        outputs = self.outputs(x)
        predicted = self.learnt_target_scaling.undone(torch.from_numpy(outputs)).numpy()
        return predicted[:, 0] if predicted.shape[1] == 1 else predicted

    @property
    def learnt_target_scaling(self) -> Scaling:
        """That of the targets; StackedError where none were seen yet."""
        if self.target_scaling is None:
            raise StackedError(
                "the regressor: expected a trained one, received one that was not; call fit(x, targets)"
            )
        return self.target_scaling

    def errors(self, x: Any, targets: Any) -> RegressionErrors:
        """How far predictions are from targets; rows without a target do not count."""
        predicted = self.predict(x).reshape(-1, self.settings.sizes[-1])
        wanted, labelled = as_targets(targets, len(predicted), self.settings.sizes[-1], "targets")
        wanted, missed = wanted[labelled], (predicted - wanted)[labelled]
        spread = np.sum((wanted - wanted.mean(axis=0)) ** 2)
        explained = 1 - np.sum(missed**2) / spread if spread > 0 else np.nan
        return RegressionErrors(float(np.sqrt(np.mean(missed**2))), float(np.mean(np.abs(missed))), float(explained))
