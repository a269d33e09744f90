"""A stack as a transformer of scikit-learn: rows become codes."""

from collections.abc import Sequence
from typing import Any

from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted, validate_data

from stacked.autoencoders import LayerSettings
from stacked.estimators.layerwise import DTYPES, Layerwise
from stacked.optimizers import OptimizerSettings
from stacked.rows import Array


class StackedAutoencoderTransformer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, Layerwise):  # type: ignore[misc]
    """Codes of a stack of autoencoders that are trained one on the other.

    Parameters
    ----------
    layers : str or sequence of LayerSettings
        The layers, bottom first, as text (`layer_text.layers_from`) or as settings.
    epochs : int
        Passes over the rows for each layer; at most, with `patience`. 0 leaves the layers random.
    batch_size : int or None
        Rows a step; all of them where there are fewer, or with None.
    optimizer : {"adam", "sgd", "lbfgs"} or SGD, Adam or LBFGS
        By name, with its defaults, or as settings. L-BFGS is made for `batch_size=None`.
    learning_rate : float or None
        In place of that of the optimizer; None keeps it.
    validation_fraction : float
        Share of the rows, drawn at random, that is kept from training to measure on after every epoch.
    patience : int or None
        Ends the training of a layer after so many epochs without a lower validation loss, and restores the best
        weights; None never does. Needs a `validation_fraction`.
    scaling : {"none", "min_max", "standard"}
        Of the rows, learnt by `fit`. With "standard" the lowest layer is to have `output="linear"`.
    random_state : int, RandomState or None
        Determines the initial weights, the orders and the noise; a whole number is the seed of the stack.
    device : str
        "cpu", "cuda" or "mps".
    dtype : {"float32", "float64"}
        Of weights and codes.

    Attributes
    ----------
    stack_ : StackedAutoencoder
        The trained layers.
    n_features_in_ : int
        Columns of the rows.
    feature_names_in_ : array of str
        Their names, where all have one.

    Notes
    -----
    Rows have no weights here: `fit` takes no `sample_weight`.
    """

    def __init__(  # noqa: PLR0913 - scikit-learn wants each parameter by itself
        self,
        layers: str | Sequence[LayerSettings] = "denoising:64:mask=0.2, denoising:32:mask=0.2",
        *,
        epochs: int = 30,
        batch_size: int | None = 32,
        optimizer: str | OptimizerSettings = "adam",
        learning_rate: float | None = None,
        validation_fraction: float = 0.0,
        patience: int | None = None,
        scaling: str = "min_max",
        random_state: Any = None,
        device: str = "cpu",
        dtype: str = "float32",
    ) -> None:
        self.layers = layers
        self.epochs = epochs
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.scaling = scaling
        self.random_state = random_state
        self.device = device
        self.dtype = dtype

    def fit(self, X: Any, y: Any = None) -> "StackedAutoencoderTransformer":
        """Train the layers on rows, shape `(n, n_features)`; `y` is not looked at.

        Raises
        ------
        ValueError
            When the rows are no table of finite numbers, or do not suit the layers (`StackedError`).
        """
        x = validate_data(self, X, dtype=DTYPES)
        stack = self._planned_stack(x).fit(x, progress=False)
        stack.provenance = self._provenance(x)
        self.stack_ = stack
        return self

    def transform(self, X: Any) -> Array:
        """Codes, shape `(n, n_units)`, of clean rows; the same as `stack_.encode` gives."""
        x = self._rows_of(X)
        return self.stack_.encode(x)

    def inverse_transform(self, X: Any) -> Array:
        """Rows, shape `(n, n_features)`, in their own units again, that codes, shape `(n, n_units)`, stand for."""
        check_is_fitted(self, "stack_")
        return self.stack_.decode(check_array(X, dtype=DTYPES))

    @property
    def _n_features_out(self) -> int:
        """Where scikit-learn finds how many names of codes to make."""
        return self.stack_.settings[-1].n_units

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = [self.dtype]
        return tags
