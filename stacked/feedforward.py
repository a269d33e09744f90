"""Feedforward networks: transfer the encoders of a stack, add an output layer, fine-tune with labels."""

import contextlib
import os
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray

from stacked.callbacks import Callback, History, check_callbacks
from stacked.devices import device_named, dtype_named, numpy_dtype
from stacked.divergence import restored_unless_finished
from stacked.errors import check_count, check_flag, check_number
from stacked.examples import Examples, Labels
from stacked.feedforward_settings import FeedforwardSettings, settings_with
from stacked.forward import Forward
from stacked.frames import columns_of
from stacked.frozen import examples_above
from stacked.labelled_rows import examples_of, pair_of
from stacked.network import bare_layers
from stacked.orders import shuffling
from stacked.progress import training_display
from stacked.provenance import Provenance
from stacked.randomness import Randomness, randomness_of
from stacked.rows import Array, Rows, fingerprint
from stacked.run_directory import Details, RunDirectory, opened_run
from stacked.scaling import Scaling, learnt_scaling, planned_scaling
from stacked.state_files import fingerprint_of
from stacked.streams import Streams
from stacked.training import Training
from stacked.training_config import TrainingConfig, check_plan
from stacked.transfer import Encoder, copy_encoders, encoders_of


class Feedforward(Forward):
    """A feedforward network, randomly initialised; a classifier or a regressor.

    Parameters
    ----------
    settings : FeedforwardSettings
        What it is.
    seed : int or Randomness
        Determines the initial weights, the orders and the dropout.
    dtype : {"float32", "float64"}
        Of the weights.
    device : str
        "cpu", "cuda" or "mps".
    scaling : {"none", "min_max", "standard"} or Scaling
        Of the rows, learnt on those that it is first fitted to, unless it is one that was learnt already.

    Attributes
    ----------
    layers : list of Dense
        Hidden layers and the output layer, bottom first.
    n_frozen : int
        How many of the lowest layers training leaves as they are.
    scaling : Scaling or None
        That of the rows, once it is learnt.
    history : History
        The training record.
    provenance : Provenance
        What it was trained on: `fit` notes how many rows, and the columns of a frame.
    """

    what: ClassVar[str]
    """What it is called in messages."""
    made_of: ClassVar[type[FeedforwardSettings]]

    def __init__(
        self,
        settings: FeedforwardSettings,
        *,
        seed: int | Randomness = 0,
        dtype: str = "float32",
        device: str | torch.device = "cpu",
        scaling: str | Scaling | None = "none",
    ) -> None:
        self.settings = settings
        self.randomness = randomness_of(seed)
        self.dtype, self.device = dtype_named(dtype), device_named(device)
        self.layers = [layer.to(self.device) for layer in bare_layers(self.settings, self.dtype)]
        weights = self.randomness.stream("fine-tuning", "weights")
        for layer in self.layers:
            layer.draw(weights, random_bias=self.settings.random_bias)
        self.scaling, self.scaling_kind = planned_scaling(scaling)
        self.n_frozen, self.history, self.provenance = 0, History(), Provenance()

    @classmethod
    def _above(
        cls, source: Encoder, n_outputs: int, seed: int | Randomness, settings: Mapping[str, Any], *, freeze: bool
    ) -> Self:
        """A network whose hidden layers are copies of an encoder's, below a fresh output layer."""
        hidden = encoders_of(source)
        sizes = (hidden[0].weight.shape[1], *(len(layer.bias) for layer in hidden), n_outputs)
        made = settings_with(cls.made_of, sizes, tuple(layer.activation.name for layer in hidden), settings)
        network = cls(made, seed=seed, dtype=str(numpy_dtype(source.dtype)), device=source.device)
        return network.transfer(source, freeze=freeze)

    def transfer(self, stack: Encoder, *, freeze: bool = False) -> Self:
        """Copy the weights of a trained encoder into the lowest hidden layers; take over its scaling and columns.

        Parameters
        ----------
        stack : StackedAutoencoder or Feedforward
            Trained; of a network, the hidden layers are its encoder.
        freeze : bool
            Train the layers above these only.

        Raises
        ------
        StackedError
            When a layer differs from the one it would replace in size or activation.
        """
        check_flag("freeze", freeze)
        theirs = encoders_of(stack)
        copy_encoders(theirs, self.encoder_layers)
        self.scaling, self.scaling_kind = stack.scaling, stack.scaling_kind
        known = stack.provenance
        self.provenance = Provenance(columns=known.columns, in_unit_range=known.in_unit_range)
        self.n_frozen = len(theirs) if freeze else 0
        return self

    def freeze(self, n_layers: int | None = None) -> Self:
        """Leave so many of the lowest hidden layers as they are in training, by default all of them."""
        n_hidden = len(self.encoder_layers)
        check_count("n_layers", n_hidden if n_layers is None else n_layers, least=0)
        check_number("n_layers", n_hidden if n_layers is None else n_layers, 0, n_hidden)
        self.n_frozen = n_hidden if n_layers is None else n_layers
        return self

    def unfreeze(self) -> Self:
        """Train all layers."""
        return self.freeze(0)

    @abstractmethod
    def labels_of(self, labels: Any, n_rows: int, name: str) -> tuple[Array, NDArray[np.bool_]]:
        """Labels as the training takes them, and which rows have one."""

    @abstractmethod
    def prepare_for(self, examples: Examples) -> None:
        """Check labels that it is to be trained on; called before they are."""

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
    ) -> Self:
        """Fine-tune on labelled rows.

        Parameters
        ----------
        x : array, tensor, frame or HDF5 dataset
            Rows, shape `(n, n_inputs)`. Columns of frames that have names are found by them ever after.
        labels : array
            Of a classifier, classes as whole numbers from 0, shape `(n,)`; of a regressor, numbers, shape `(n,)` or
            `(n, n_targets)`. Rows whose label is NaN have none, and are not trained on.
        training : TrainingConfig, optional
            How it is trained; its defaults otherwise.
        validation : (rows, labels), optional
            Measured on after every epoch, and what `patience` goes by.
        callbacks : sequence of Callback
            Told about every step and epoch.
        progress : bool, optional
            Whether to show progress; by default, when standard error is a terminal.
        run : RunDirectory or path, optional
            A folder for checkpoints. The same call of a network with the same weights goes on where an earlier one
            was interrupted, and ends with the same bits as if nothing had happened.

        Raises
        ------
        StackedError
            Before any work is done, when rows, labels and settings do not fit or the folder holds another run; later,
            when the loss is not finite. The network is then as it was.
        """
        training = TrainingConfig() if training is None else training
        check_callbacks(callbacks)
        head = self.network(above=self.n_frozen)
        with self.as_it_was_unless_finished(), restored_unless_finished(head):
            tables = self.labelled_tables(x, labels, validation)
            check_plan(head, training, len(tables[0].numbers), validation is not None, f"the {self.what}")
            origins = (
                ["rows", "validation"][: len(tables)] if run is None else [fingerprint(of.rows) for of in tables]
            )
            with (
                opened_run(run, self, self.what, lambda: self._details(training, tables, origins)) as trainings,
                self.examples_above_frozen(tables, origins, trainings.codes) as examples,
                training_display(progress) as display,
            ):
                fine_tuning = self.fine_tuning(training, [display, *callbacks])
                self.history = trainings.train(self.what, fine_tuning, examples)
        return self

    @contextlib.contextmanager
    def as_it_was_unless_finished(self) -> Iterator[None]:
        """Forget what was learnt of the rows when the fit that they were for fails."""
        before = dict(vars(self))
        try:
            yield
        except BaseException:
            vars(self).update(before)
            raise

    def labelled_tables(self, x: Any, labels: Any, validation: tuple[Any, Any] | None = None) -> list[Examples]:
        """The examples to train on, and those to validate on if there are any.

        Takes note of the rows, and learns a scaling where one is due.
        """
        known = self.provenance
        self.provenance = replace(known, source="", target="", columns=known.columns or columns_of(x))
        rows = self.given(x)
        self.learn_scaling(rows, labels)
        scaled, within = self.measured(rows)
        tables = [self.labelled_rows(scaled, labels)]
        n_labelled = len(tables[0].numbers)
        self.provenance = replace(self.provenance, n_rows=len(rows), n_labelled=n_labelled, in_unit_range=within)
        self.prepare_for(tables[0])
        if validation is not None:
            x_validation, labels = pair_of(validation)
            rows = self.rows_of(x_validation, "validation rows")
            tables.append(self.labelled_rows(rows, labels, "validation labels"))
        return tables

    def learn_scaling(self, rows: Rows, labels: Any) -> None:
        """Learn the scaling of the rows, unless one was learnt."""
        if self.scaling is None:
            self.scaling = learnt_scaling(self.scaling_kind, rows)

    def labelled_rows(self, rows: Rows, labels: Any, name: str = "labels") -> Examples:
        """The rows that have a label, with it."""
        return examples_of(rows, *self.labels_of(labels, len(rows), name), name)

    def examples_above_frozen(
        self, tables: Sequence[Examples], origins: Sequence[str] = ("rows", "validation"), folder: Path | None = None
    ) -> AbstractContextManager[Callable[[], Sequence[Examples]]]:
        """What gives the examples as the layers see them that are not frozen; see `frozen.examples_above`."""
        return examples_above(self.layers[: self.n_frozen], tables, origins[: len(tables)], folder)

    def fine_tuning(self, training: TrainingConfig, callbacks: Sequence[Callback] = ()) -> Training:
        """The training of the layers that are not frozen."""
        streams = Streams.of(self.randomness, "fine-tuning", device=self.device)
        name = f"{self.what} " + "-".join(map(str, self.settings.sizes))
        return Training(self.network(above=self.n_frozen), training, streams, callbacks, name)

    def _details(self, training: TrainingConfig, tables: Sequence[Examples], origins: Sequence[str]) -> Details:
        """What the outcome of a fit depends on, besides the settings of the network and the seed."""
        data: Details = {}
        for of, origin, (_, labels, _) in zip(("", "validation "), origins, tables, strict=False):
            data |= {f"values of {of}x": origin, f"{of}labels": fingerprint(_as_table(labels))}
        return {
            **data,
            "shuffled": shuffling(tables[0].rows),
            "training": training,
            "n_frozen": self.n_frozen,
            "weights": fingerprint_of(torch.nn.ModuleList(self.layers).state_dict()),
        }


def _as_table(labels: Labels | None) -> Array:
    assert labels is not None, "it is trained on labelled rows"
    return labels.reshape(len(labels), -1)
