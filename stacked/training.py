"""The one loop of the package: fit > epoch > step.

It draws minibatches, asks the optimiser for steps and keeps the books. What is optimised is the model's business,
what is observed the callbacks'.
"""

import contextlib
import copy
import math
import time
from collections.abc import Iterator, Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from stacked.batches import Batches
from stacked.callbacks import Callback, EarlyStopping, History, Record
from stacked.errors import DivergedError
from stacked.examples import Examples
from stacked.model import Model
from stacked.optimizers import Optimizer
from stacked.randomness import Randomness, Stream
from stacked.rows import BLOCK
from stacked.training_config import TrainingConfig, check_plan


class Streams(NamedTuple):
    """The random streams of one training, independent of each other."""

    shuffle: Stream
    noise: Stream
    validation: Stream

    @classmethod
    def of(cls, randomness: Randomness, *purpose: str | int, device: torch.device) -> "Streams":
        """The streams of the training named by `purpose`; noise is drawn on the device it is used on."""
        return cls(
            shuffle=randomness.stream(*purpose, "shuffle"),
            noise=randomness.stream(*purpose, "noise", device=device),
            validation=randomness.stream(*purpose, "validation"),
        )


class Training:
    """A model being trained.

    Parameters
    ----------
    model : Model
        Changed in place; its parameters give the dtype and the device.
    config : TrainingConfig
        How it is trained.
    streams : Streams
        Random numbers for orders, for corruption or dropout, and for the validation split.
    callbacks : sequence of Callback
        Told about every step and epoch.
    name : str
        What is trained, for messages.

    Attributes
    ----------
    history : History
        The record of every epoch so far.
    n_rows : int
        Rows of an epoch.
    mean_loss : float
        Mean objective over the rows of the current epoch so far.
    stopping : bool
        Set to end after the current epoch.
    """

    def __init__(
        self,
        model: Model,
        config: TrainingConfig,
        streams: Streams,
        callbacks: Sequence[Callback] = (),
        name: str = "model",
    ) -> None:
        self.model, self.config, self.streams, self.name = model, config, streams, name
        self.history = History()
        self.n_rows, self.stopping = 0, False
        self._callbacks = [self.history, *callbacks]
        if config.patience is not None:
            self._callbacks.append(EarlyStopping(config.patience, model.selection_figure))
        self._loss_sum, self._rows_seen = torch.zeros(()), 0
        self._sample: list[Tensor] = []

    @property
    def mean_loss(self) -> float:
        return float(self._loss_sum) / max(1, self._rows_seen)

    def fit(self, examples: Examples, validation: Examples | None = None) -> History:
        """Train, and return the history."""
        check_plan(self.model, self.config, len(examples.numbers), validation is not None, self.name)
        if validation is None and self.config.validation_fraction > 0:
            examples, validation = examples.split(self.config.validation_fraction, self.streams.validation)
        self.n_rows = len(examples.numbers)
        batches = self._batches(examples, self.config.batch_size or self.n_rows)
        held_out = None if validation is None else self._batches(validation, BLOCK)
        optimizer = self.config.optimizer.build(self.model.trainable())
        try:
            for callback in self._callbacks:
                callback.on_start(self)
            while len(self.history) < self.config.epochs and not self.stopping:
                self._epoch(batches, held_out, optimizer)
            for callback in self._callbacks:
                callback.on_end(self)
        finally:
            self.model.release()
        return self.history

    @torch.no_grad()
    def _epoch(self, batches: Batches, held_out: Batches | None, optimizer: Optimizer) -> None:
        began, epoch = time.perf_counter(), len(self.history)
        schedule = self.config.schedule
        self.model.train()
        factor = 1.0 if schedule is None else schedule.at(epoch, self.config.epochs)
        self._loss_sum, self._rows_seen = next(self.model.parameters()).new_zeros(()), 0
        for x, labels in batches.shuffled(self.streams.shuffle):
            self._step(x, labels, optimizer, factor)
        loss = self.mean_loss  # before the clock is read, for it waits until the device has finished the steps
        seconds = time.perf_counter() - began
        self.model.eval()
        record: Record = {
            "epoch": epoch + 1,
            "loss": loss,
            "learning_rate": self.config.optimizer.learning_rate * factor,
            "seconds": seconds,
            "rows_per_second": self.n_rows / seconds,
        }
        self._check_finite(record)
        if held_out is not None:
            record.update(measure(self.model, held_out))
        sample = self._inspect(record)
        for callback in self._callbacks:
            callback.on_epoch(self, record)
        if sample is not None and len(self.history) < self.config.epochs and not self.stopping:
            self.model.revive(sample, self.streams.noise)

    def _step(self, x: Tensor, labels: Tensor | None, optimizer: Optimizer, factor: float) -> None:
        self.model.advance(len(self.history) + self._rows_seen / self.n_rows)
        missing = self.model.sample_size - self._rows_seen
        if missing > 0 and len(self.history) == 0:
            self._sample.append(x[:missing].clone())
        batch = self.model.prepare(x, labels, self.streams.noise)
        value = optimizer.step(partial(self.model.accumulate_gradients, batch), factor)
        n_rows = x.shape[0]
        self.model.constrain()
        self._loss_sum.add_(value, alpha=n_rows)
        self._rows_seen += n_rows
        for callback in self._callbacks:
            callback.on_step(self, n_rows)

    def _inspect(self, record: Record) -> Tensor | None:
        """Look at the model on the first rows of the first epoch, whose order was random; the rows, if there are."""
        if not self._sample:
            return None
        sample = torch.cat(self._sample)
        self._sample = [sample]
        record.update({name: float(figure) for name, figure in self.model.inspect(sample).items()})
        return sample

    def _batches(self, examples: Examples, size: int) -> Batches:
        weight = next(self.model.parameters())
        return Batches(examples, size, weight.dtype, weight.device)

    def _check_finite(self, record: Record) -> None:
        weights_are_finite = all(bool(weight.isfinite().all()) for weight in self.model.parameters())
        if not math.isfinite(record["loss"]) or not weights_are_finite:
            what = "weights became infinite" if math.isfinite(record["loss"]) else f"loss became {record['loss']}"
            raise DivergedError(
                f"{self.name}: the {what} in epoch {record['epoch']} at learning rate "
                f"{record['learning_rate']:g}; lower the learning rate, or scale the rows to about [0, 1]"
            )


@torch.no_grad()
def measure(model: Model, batches: Batches) -> Record:
    """The model's figures on clean rows, averaged over them, each named `validation_...`."""
    sums: dict[str, float] = {}
    n_rows = 0
    for x, labels in batches.in_order():
        n_rows += len(x)
        for name, value in model.figures(x, labels).items():
            sums[name] = sums.get(name, 0.0) + float(value) * len(x)
    return {f"validation_{name}": total / n_rows for name, total in sums.items()}


@contextlib.contextmanager
def restored_unless_finished(model: Model) -> Iterator[None]:
    """Give a model its weights back when its training is broken off: what is half-trained serves nobody."""
    before = copy.deepcopy(model.state_dict())
    try:
        yield
    except BaseException:
        model.load_state_dict(before)
        raise
