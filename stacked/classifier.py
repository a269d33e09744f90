"""The feedforward classifier: one output unit a class."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from stacked.examples import Examples, check_two_classes
from stacked.feedforward import Feedforward
from stacked.feedforward_settings import ClassifierSettings
from stacked.heads import ClassHead
from stacked.labelled_rows import as_classes
from stacked.randomness import Randomness
from stacked.rows import Array, Rows, map_rows
from stacked.scaling import Scaling
from stacked.transfer import Encoder


class FeedforwardClassifier(Feedforward):
    """A feedforward network that tells classes apart, randomly initialised.

    Parameters
    ----------
    settings : ClassifierSettings or sequence of int
        What it is, or just its sizes.
    seed, dtype, device, scaling
        As for `Feedforward`.

    Attributes
    ----------
    layers, n_frozen, scaling, history, provenance
        As for `Feedforward`.
    """

    what = "classifier"
    made_of = ClassifierSettings

    settings: ClassifierSettings

    def __init__(
        self,
        settings: ClassifierSettings | Sequence[int],
        *,
        seed: int | Randomness = 0,
        dtype: str = "float32",
        device: str | torch.device = "cpu",
        scaling: str | Scaling | None = "none",
    ) -> None:
        made = settings if isinstance(settings, ClassifierSettings) else ClassifierSettings(settings)  # type: ignore[arg-type]
        super().__init__(made, seed=seed, dtype=dtype, device=device, scaling=scaling)

    @classmethod
    def from_stack(
        cls, stack: Encoder, n_classes: int, *, freeze: bool = False, seed: int | Randomness = 0, **settings: Any
    ) -> "FeedforwardClassifier":
        """A classifier whose hidden layers are copies of the stack's encoders, below a fresh output layer.

        Parameters
        ----------
        stack : StackedAutoencoder or Feedforward
            Trained; later changes of the classifier leave it as it is. Decoders play no part. Of a network,
            the hidden layers are its encoder, so that this is a new head.
        n_classes : int
            Number of classes.
        freeze : bool
            Train the output layer only.
        seed : int or Randomness
            Determines the output layer, the orders and the dropout. The output layer is the one that a randomly
            initialised classifier of this seed has.
        **settings
            Fields of `ClassifierSettings` other than sizes and activations.
        """
        return cls._above(stack, n_classes, seed, settings, freeze=freeze)

    def head(self) -> ClassHead:
        return ClassHead(self.settings.output, self.settings.sizes[-1], self.provenance.classes)

    def labels_of(self, labels: Any, n_rows: int, name: str) -> tuple[Array, NDArray[np.bool_]]:
        return as_classes(labels, n_rows, self.settings.sizes[-1], name)

    def prepare_for(self, examples: Examples) -> None:
        check_two_classes(examples)

    def predict_proba(self, x: Any) -> Array:
        """Outputs, shape `(n, n_classes)`, each row divided by its sum.

        Those of softmax units are probabilities as they are. Those of sigmoid units, trained one class against the
        rest, are only made comparable by the division; where all are zero, every class has the same share.
        """
        outputs = self.outputs(x)
        sums = outputs.sum(axis=1, keepdims=True)
        shares = np.full_like(outputs, 1 / outputs.shape[1])
        np.divide(outputs, sums, out=shares, where=sums > 0)
        return shares

    def predict(self, x: Any) -> NDArray[np.int64]:
        """The class of the largest output of every row, shape `(n,)`."""
        return self._predicted(self.rows_of(x))

    def error_rate(self, x: Any, labels: Any) -> float:
        """Share of the rows whose predicted class is wrong, from 0 to 1; rows without a label do not count."""
        rows = self.rows_of(x)
        classes, labelled = self.labels_of(labels, len(rows), "labels")
        return float(np.mean((self._predicted(rows) != classes)[labelled]))

    def _predicted(self, rows: Rows) -> NDArray[np.int64]:
        values, classes = self.values(), np.empty((len(rows), 1), np.int64)
        map_rows(lambda x: values(x).argmax(dim=1, keepdim=True), rows, classes, self.device, self.dtype)
        return classes[:, 0]
