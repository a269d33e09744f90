"""A classifier of scikit-learn above pretrained layers, which also learns from rows without a label."""

from typing import Any

from sklearn.base import ClassifierMixin
from sklearn.utils.validation import validate_data

from stacked.classifier import FeedforwardClassifier
from stacked.estimators.labels import classes_and_numbers, with_text_kept
from stacked.estimators.layerwise import DTYPES
from stacked.estimators.pretrained import Pretrained
from stacked.rows import Array


class PretrainedClassifier(ClassifierMixin, Pretrained):  # type: ignore[misc]
    """A network whose layers are pretrained on all rows, and which is then fine-tuned on the labelled ones.

    Parameters
    ----------
    layers, epochs, finetune_epochs, batch_size, optimizer, learning_rate, finetune_learning_rate
        As for `Pretrained`.
    validation_fraction, patience, freeze, dropout, weight_decay, scaling, random_state, device, dtype
        The same.

    Attributes
    ----------
    classes_ : array
        The classes, in order.
    stack_ : StackedAutoencoder
        The pretrained layers, as they were before fine-tuning.
    classifier_ : FeedforwardClassifier
        The fine-tuned network, its classes by number.
    n_features_in_ : int
        Columns of the rows.
    feature_names_in_ : array of str
        Their names, where all have one.

    Notes
    -----
    A row labelled with the number -1 has no label, as for scikit-learn's semi-supervised estimators: it takes part in
    pretraining only. Beside text, -1 needs an array of dtype object or a list. Where -1 and 1 are all there is, they
    are two classes, and a warning says so. `score` takes -1 for a class that is never predicted; leave such rows out
    there.

    Rows have no weights here: `fit` takes no `sample_weight`.
    """

    def fit(self, X: Any, y: Any) -> "PretrainedClassifier":
        """Pretrain on rows, shape `(n, n_features)`, and fine-tune on those whose label in `y`, `(n,)`, is not -1.

        Raises
        ------
        ValueError
            When rows or labels are not fit for a classifier, or do not suit the layers (`StackedError`).
        """
        x, y = validate_data(self, X, with_text_kept(y), dtype=DTYPES)
        classes, numbers = classes_and_numbers(y)
        self.classifier_ = self._fitted(FeedforwardClassifier, len(classes), x, numbers, classes=classes)
        self.classes_ = classes
        return self

    def predict(self, X: Any) -> Array:
        """The most probable class of every row, shape `(n,)`."""
        x = self._rows_of(X)
        predicted: Array = self.classes_[self.classifier_.predict(x)]
        return predicted

    def predict_proba(self, X: Any) -> Array:
        """Probabilities, shape `(n, n_classes)`, in the order of `classes_`."""
        x = self._rows_of(X)
        return self.classifier_.predict_proba(x)
