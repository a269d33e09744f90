"""The feedforward classifier: transfer the encoders of a stack, add an output layer, fine-tune with labels."""

import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from stacked.callbacks import Callback, History, check_callbacks
from stacked.classifier_settings import ClassifierSettings, settings_with
from stacked.dense import Dense
from stacked.devices import device_named, dtype_named, numpy_dtype
from stacked.divergence import restored_unless_finished
from stacked.errors import check_count, check_flag, mismatch
from stacked.examples import Examples
from stacked.frozen import examples_above
from stacked.labelled_rows import finite_rows, labelled_rows, labelled_tables
from stacked.network import Network
from stacked.orders import shuffling
from stacked.outputs import class_output
from stacked.progress import training_display
from stacked.randomness import Randomness, randomness_of
from stacked.rows import Array, Rows, fingerprint, map_rows
from stacked.run_directory import Details, RunDirectory, opened_run
from stacked.stack import StackedAutoencoder
from stacked.state_files import fingerprint_of
from stacked.streams import Streams
from stacked.training import Training
from stacked.training_config import TrainingConfig, check_plan


class FeedforwardClassifier:
    """A feedforward network that tells classes apart, randomly initialised.

    Parameters
    ----------
    settings : ClassifierSettings or sequence of int
        What it is, or just its sizes.
    seed : int or Randomness
        Determines the initial weights, the orders and the dropout.
    dtype : {"float32", "float64"}
        Of the weights.
    device : str
        "cpu", "cuda" or "mps".

    Attributes
    ----------
    layers : list of Dense
        Hidden layers and the output layer, bottom first.
    n_frozen : int
        How many of the lowest layers training leaves as they are.
    history : History
        The training record.
    """

    scaling: Any = None

    def __init__(
        self,
        settings: ClassifierSettings | Sequence[int],
        *,
        seed: int | Randomness = 0,
        dtype: str = "float32",
        device: str | torch.device = "cpu",
    ) -> None:
        self.settings = settings if isinstance(settings, ClassifierSettings) else ClassifierSettings(settings)  # type: ignore[arg-type]
        self.randomness = randomness_of(seed)
        self.dtype, self.device = dtype_named(dtype), device_named(device)
        self.layers = [layer.to(self.device) for layer in bare_layers(self.settings, self.dtype)]
        weights = self.randomness.stream("fine-tuning", "weights")
        for layer in self.layers:
            layer.draw(weights, random_bias=self.settings.random_bias)
        self.n_frozen = 0
        self.history = History()

    @classmethod
    def from_stack(
        cls,
        stack: StackedAutoencoder,
        n_classes: int,
        *,
        freeze: bool = False,
        seed: int | Randomness = 0,
        **settings: Any,
    ) -> "FeedforwardClassifier":
        """A classifier whose hidden layers are copies of the stack's encoders, below a fresh output layer.

        Parameters
        ----------
        stack : StackedAutoencoder
            Trained; later changes of the classifier leave it as it is. Decoders play no part.
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
        hidden = _encoders_of(stack)
        sizes = (stack.n_inputs, *(len(layer.bias) for layer in hidden), n_classes)
        activations = tuple(layer.activation.name for layer in hidden)
        made = settings_with(sizes, activations, settings)
        classifier = cls(made, seed=seed, dtype=str(numpy_dtype(stack.dtype)), device=stack.device)
        return classifier.transfer(stack, freeze=freeze)

    def transfer(self, stack: StackedAutoencoder, *, freeze: bool = False) -> "FeedforwardClassifier":
        """Copy the weights and biases of a trained stack's encoders into the lowest hidden layers.

        Raises
        ------
        StackedError
            When a layer differs from the one it would replace in size or activation.
        """
        check_flag("freeze", freeze)
        theirs = _encoders_of(stack)
        own = self._hidden_for(theirs)
        for number, (mine, layer) in enumerate(zip(own, theirs, strict=True), start=1):
            if _described(mine) != _described(layer):
                remedy = "make the classifier with the sizes and activations of the stack"
                name = f"encoder layer {number} of the stack"
                raise mismatch(name, expected=_described(mine), received=_described(layer), remedy=remedy)
        for mine, layer in zip(own, theirs, strict=True):
            mine.load_state_dict(layer.state_dict())
        self.n_frozen = len(theirs) if freeze else 0
        return self

    def fit(  # noqa: PLR0913 - all but rows and labels are keywords in use
        self,
        x: Any,
        labels: Any,
        training: TrainingConfig | None = None,
        *,
        validation: tuple[Any, Any] | None = None,
        callbacks: Sequence[Callback] = (),
        progress: bool | None = None,
        run: RunDirectory | str | os.PathLike[str] | None = None,
    ) -> "FeedforwardClassifier":
        """Fine-tune on labelled rows.

        Parameters
        ----------
        x : array, tensor or HDF5 dataset
            Rows, shape `(n, n_inputs)`.
        labels : array
            Classes as whole numbers from 0, shape `(n,)`.
        training : TrainingConfig, optional
            How it is trained; its defaults otherwise.
        validation : (rows, labels), optional
            Measured on after every epoch, and what `patience` goes by.
        callbacks : sequence of Callback
            Told about every step and epoch.
        progress : bool, optional
            Whether to show progress; by default, when standard error is a terminal.
        run : RunDirectory or path, optional
            A folder for checkpoints. The same call of a classifier with the same weights goes on where an earlier one
            was interrupted, and ends with the same bits as if nothing had happened.

        Raises
        ------
        StackedError
            Before any work is done, when rows, labels and settings do not fit or the folder holds another run; later,
            when the loss is not finite. The classifier is then as it was.
        """
        training = TrainingConfig() if training is None else training
        check_callbacks(callbacks)
        tables = labelled_tables(x, labels, validation, self.settings.sizes, self.dtype)
        head = self._network(above=self.n_frozen)
        check_plan(head, training, len(tables[0].rows), validation is not None, "the classifier")
        origins = ["rows", "validation"][: len(tables)] if run is None else [fingerprint(of.rows) for of in tables]
        with (
            restored_unless_finished(head),
            opened_run(run, self, "classifier", lambda: self._details(training, tables, origins)) as trainings,
            self.examples_above_frozen(tables, origins, trainings.codes) as examples,
            training_display(progress) as display,
        ):
            fine_tuning = self.fine_tuning(training, [display, *callbacks])
            self.history = trainings.train("classifier", fine_tuning, examples)
        return self

    def examples_above_frozen(
        self, tables: Sequence[Examples], origins: Sequence[str] = ("rows", "validation"), folder: Path | None = None
    ) -> AbstractContextManager[Callable[[], Sequence[Examples]]]:
        """What gives the examples as the layers see them that are not frozen; see `frozen.examples_above`."""
        return examples_above(self.layers[: self.n_frozen], tables, origins[: len(tables)], folder)

    def fine_tuning(self, training: TrainingConfig, callbacks: Sequence[Callback] = ()) -> Training:
        """The training of the layers that are not frozen."""
        streams = Streams.of(self.randomness, "fine-tuning", device=self.device)
        name = "classifier " + "-".join(map(str, self.settings.sizes))
        return Training(self._network(above=self.n_frozen), training, streams, callbacks, name)

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
        return self._predicted(self._rows(x))

    def error_rate(self, x: Any, labels: Any) -> float:
        """Share of the rows whose predicted class is wrong, from 0 to 1."""
        examples = labelled_rows(x, labels, self.settings.sizes, self.dtype)
        return float(np.mean(self._predicted(examples.rows) != examples.labels))

    def outputs(self, x: Any) -> Array:
        """Values of the output units, shape `(n, n_classes)`."""
        return self._map(self._values(), self._rows(x), self.settings.sizes[-1])

    def hidden(self, x: Any, depth: int | None = None) -> Array:
        """Outputs of hidden layer `depth`, by default the last: before fine-tuning, the codes of the stack."""
        n_hidden = len(self.layers) - 1
        wanted = max(1, n_hidden) if depth is None else depth
        check_count("depth", wanted)
        if wanted > n_hidden:
            expected, remedy = f"at most the {n_hidden} hidden layers there are", "leave it out for the last, if any"
            raise mismatch("depth", expected=expected, received=str(wanted), remedy=remedy)
        hidden = self.layers[:wanted]
        return self._map(torch.nn.Sequential(*hidden), self._rows(x), len(hidden[-1].bias))

    def _predicted(self, rows: Rows) -> NDArray[np.int64]:
        values, classes = self._values(), np.empty((len(rows), 1), np.int64)
        map_rows(lambda x: values(x).argmax(dim=1, keepdim=True), rows, classes, self.device, self.dtype)
        return classes[:, 0]

    def _values(self) -> Callable[[torch.Tensor], torch.Tensor]:
        """What turns rows into values of the output units."""
        network = self._network(above=0)
        return lambda x: network.output.values(network.logits(x))

    def _hidden_for(self, theirs: Sequence[Dense]) -> list[Dense]:
        hidden = self.layers[:-1]
        if len(theirs) > len(hidden):
            expected, remedy = f"at most {len(hidden)} encoder layers", "make a deeper classifier"
            raise mismatch("stack", expected=expected, received=f"{len(theirs)}", remedy=remedy)
        return hidden[: len(theirs)]

    def _network(self, above: int) -> Network:
        """The layers above the lowest so many, as a model."""
        settings, output = self.settings, class_output(self.settings.output)
        return Network(self.layers[above:], output, settings.dropout, settings.weight_decay, on_codes=above > 0)

    def _details(self, training: TrainingConfig, tables: Sequence[Examples], origins: Sequence[str]) -> Details:
        """What the outcome of a fit depends on, besides the settings of the classifier and the seed."""
        data: Details = {}
        for of, origin, (_, labels, _) in zip(("", "validation "), origins, tables, strict=False):
            data |= {f"values of {of}x": origin, f"{of}labels": fingerprint(np.asarray(labels)[:, None])}
        return {
            **data,
            "shuffled": shuffling(tables[0].rows),
            "training": training,
            "n_frozen": self.n_frozen,
            "weights": fingerprint_of(torch.nn.ModuleList(self.layers).state_dict()),
        }

    def _map(self, function: Callable[[torch.Tensor], torch.Tensor], rows: Rows, width: int) -> Array:
        out = np.empty((len(rows), width), numpy_dtype(self.dtype))
        return map_rows(function, rows, out, self.device)

    def _rows(self, x: Any) -> Rows:
        return finite_rows(x, "x", self.settings.sizes[0], self.dtype)


def bare_layers(settings: ClassifierSettings, dtype: torch.dtype) -> list[Dense]:
    """The layers of a classifier, bottom first, their weights not yet drawn."""
    activations = (*settings.activations, settings.output_activation)
    pairs = zip(pairwise(settings.sizes), activations, strict=True)
    return [Dense(n_inputs, n_units, activation, dtype) for (n_inputs, n_units), activation in pairs]


def _encoders_of(stack: StackedAutoencoder) -> list[Dense]:
    if not isinstance(stack, StackedAutoencoder):
        received, remedy = type(stack).__name__, "pass the trained stack itself"
        raise mismatch("stack", expected="a StackedAutoencoder", received=received, remedy=remedy)
    return stack.encoder_layers


def _described(layer: Dense) -> str:
    return f"{tuple(layer.weight.shape)} {layer.activation.name}"
