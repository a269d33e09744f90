"""A regressor of scikit-learn above pretrained layers, which also learns from rows without targets."""

from typing import Any

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils.validation import check_consistent_length, column_or_1d, validate_data

from stacked.errors import mismatch
from stacked.estimators.layerwise import DTYPES
from stacked.estimators.pretrained import Pretrained
from stacked.regressor import FeedforwardRegressor
from stacked.rows import Array


class PretrainedRegressor(RegressorMixin, Pretrained):  # type: ignore[misc]
    """A network whose layers are pretrained on all rows, and which is then fine-tuned on those with targets.

    Parameters
    ----------
    layers, epochs, finetune_epochs, batch_size, optimizer, learning_rate, finetune_learning_rate
        As for `Pretrained`.
    validation_fraction, patience, freeze, dropout, weight_decay, scaling, random_state, device, dtype
        The same.

    Attributes
    ----------
    stack_ : StackedAutoencoder
        The pretrained layers, as they were before fine-tuning.
    regressor_ : FeedforwardRegressor
        The fine-tuned network.
    n_features_in_ : int
        Columns of the rows.
    feature_names_in_ : array of str
        Their names, where all have one.

    Notes
    -----
    A row with NaN among its targets has none: it takes part in pretraining only. `score` refuses NaN; leave such rows
    out there.

    Rows have no weights here: `fit` takes no `sample_weight`.
    """

    def fit(self, X: Any, y: Any) -> "PretrainedRegressor":
        """Pretrain on rows, shape `(n, n_features)`, and fine-tune on those with targets.

        Parameters
        ----------
        X : array or data frame
            Rows.
        y : array
            Targets, shape `(n,)` or `(n, n_targets)`, in units of any size.

        Raises
        ------
        ValueError
            When rows or targets are not fit for a regressor, or do not suit the layers (`StackedError`).
        """
        of_targets = {"dtype": np.float64, "ensure_2d": False, "ensure_all_finite": "allow-nan"}
        x, y = validate_data(self, X, y, validate_separately=({"dtype": DTYPES}, of_targets))
        check_consistent_length(x, y)
        targets = column_or_1d(y, warn=True) if y.ndim == 2 and y.shape[1] == 1 else y
        if np.isnan(targets.reshape(len(x), -1)).any(axis=1).all():
            remedy = "pass targets for some rows at least"
            raise mismatch("y", expected="rows with targets", received=f"{len(x)} without", remedy=remedy)
        n_targets = 1 if targets.ndim == 1 else targets.shape[1]
        self.regressor_ = self._fitted(FeedforwardRegressor, n_targets, x, targets)
        return self

    def predict(self, X: Any) -> Array:
        """Predicted targets, float64, shape `(n, n_targets)`, or `(n,)` where there is but one."""
        x = self._rows_of(X)
        return self.regressor_.predict(x).astype(np.float64)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
