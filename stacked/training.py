"""The one loop of the package: fit > epoch > step.

It draws minibatches, asks the optimiser for steps and keeps the books. What is optimised is the model's business,
what is observed the callbacks'.
"""

import contextlib
import warnings
from collections.abc import Generator, Iterator, Sequence
from functools import partial

import torch
from torch import Tensor

from stacked.batches import Batches, Minibatch
from stacked.books import Books
from stacked.callbacks import Callback, EarlyStopping, History, Record
from stacked.captured import Recorder, Replayed, recorder_for
from stacked.checkpoints import Checkpoints
from stacked.divergence import broken_loss, broken_numbers, raise_if
from stacked.errors import StackedWarning
from stacked.evaluation import Evaluation
from stacked.examples import Examples
from stacked.model import Model
from stacked.optimizers import Accumulate, Optimizer
from stacked.precision import tensor_cores
from stacked.ranks import ALONE, Ranks
from stacked.sharing import SharedObjective
from stacked.streams import Streams
from stacked.training_config import TrainingConfig, check_plan
from stacked.training_state import restore_callbacks, restore_training, training_state

STEPS_BETWEEN_CHECKS = 50
"""Whether the loss is still a number is looked at this often, for a look waits for the device."""


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
    ranks : Ranks
        Who trains it together; all are told the same.

    Attributes
    ----------
    history : History
        The record of every epoch so far.
    callbacks : list of Callback
        The history, those given, and early stopping where the configuration asks for it.
    books : Books
        Of the current epoch.
    n_rows : int
        Rows of an epoch.
    stopping : bool
        Set to end after the current epoch.
    symptoms : list of str
        Signs that the training, once finished, went wrong.
    epochs_passed : float
        What the model was last told, before the step under way.
    rate_factor : float
        Of the learning rate, in the current epoch.
    sample : pair of Tensor
        Some of the training rows, with their labels if there are any; None where the model wants none.
    """

    optimizer: Optimizer
    rate_factor: float
    books: Books
    _batches: Batches
    _held_out: Evaluation | None
    _shared: SharedObjective | None
    _replayed: Replayed | None

    def __init__(
        self,
        model: Model,
        config: TrainingConfig,
        streams: Streams,
        callbacks: Sequence[Callback] = (),
        name: str = "model",
        ranks: Ranks = ALONE,
    ) -> None:
        self.ranks = ranks
        self.model, self.config, self.streams, self.name = model, config, streams, name
        self.history = History()
        self.n_rows, self.stopping, self.epochs_passed = 0, False, 0.0
        self.callbacks = [self.history, *callbacks]
        if config.patience is not None:
            self.callbacks.append(EarlyStopping(config.patience, model.selection_figure))
        self.symptoms: list[str] = []
        self._checkpoints: Checkpoints | None = None
        self.sample: Minibatch | None = None

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return next(self.model.parameters()).device

    @property
    def run(self) -> str | None:
        """What tells the run that this belongs to from all others; None where nothing of it is kept."""
        return None if self._checkpoints is None else self._checkpoints.run

    @property
    def mean_loss(self) -> float:
        """Mean objective over the rows of the current epoch so far."""
        return self.books.mean_loss

    @property
    def rows_done(self) -> int:
        """Rows taken so far, those of earlier epochs included."""
        return len(self.history) * self.n_rows + self.books.rows

    def fit(
        self, examples: Examples, validation: Examples | None = None, *, checkpoints: Checkpoints | None = None
    ) -> History:
        """Train, from the newest of the checkpoints if there is one, and return the history."""
        with self.begun(examples, validation, checkpoints=checkpoints):
            while self.goes_on():
                self.train_epoch()
        return self.history

    @contextlib.contextmanager
    def begun(
        self, examples: Examples, validation: Examples | None = None, *, checkpoints: Checkpoints | None = None
    ) -> Iterator[None]:
        """All that comes before the first epoch and after the last; `fit` is made of this and the six below."""
        check_plan(self.model, self.config, len(examples.numbers), validation is not None, self.name)
        if validation is None and self.config.validation_fraction > 0:
            examples, validation = examples.split(self.config.validation_fraction, self.streams.validation)
        self.n_rows = len(examples.numbers)
        weight = next(self.model.parameters())
        size = self.config.batch_size or self.n_rows
        self._batches = Batches(examples, size, weight.dtype, self.device, self.ranks.share)
        self._held_out = None if validation is None else Evaluation(self.model, validation, self.ranks)
        self._shared = None if self.ranks.size == 1 else SharedObjective(self.model, self.ranks)
        self._checkpoints, self.optimizer = checkpoints, self.config.optimizer.build(self.model.trainable())
        self.model.compute_in(self.config.precision)
        recorder = self._recorder()
        self._replayed = None if recorder is None else Replayed(self._descend, recorder)
        try:
            self._start()
            yield
            for callback in self.callbacks:
                callback.on_end(self)
        finally:
            del self._batches, self.optimizer  # which hold as much as the rows and the weights do
            self._held_out = self._replayed = None
            if self._shared is not None:
                self._shared.release()
            self.model.release()
        if self.sample is not None and len(self.history) > 0:
            with torch.no_grad():
                self.symptoms = self.model.symptoms(*self.sample)
        self.warn()

    def goes_on(self) -> bool:
        """Whether there is another epoch, or one that was interrupted."""
        begun = self.books.rows > 0  # which is completed, whoever asked to stop after it
        return begun or (len(self.history) < self.config.epochs and not self.stopping)

    @torch.no_grad()
    def train_epoch(self) -> None:
        """An epoch, or what was left of one that was interrupted."""
        with contextlib.closing(self.minibatches()) as minibatches:
            for x, labels in minibatches:
                self.enter(self.step(x, labels))
        self.close_epoch()

    def minibatches(self) -> Generator[Minibatch]:
        """Those of the epoch that are still to come; to be closed, as `contextlib.closing` does."""
        self.model.train()
        self.rate_factor = self._rate_factor_of_epoch()
        return self._batches.shuffled(self.streams.shuffle, skip=self.books.rows)

    def step(self, x: Tensor, labels: Tensor | None) -> Tensor:
        """One step on a minibatch; the objective before it."""
        self.tell_time()
        if self._replayed is None or self.epochs_passed < self.model.changes_until:
            return self._descend(x, labels)
        return self._replayed(self.rate_factor, x, labels)

    def tell_time(self) -> None:
        """Tell the model how far the training is, before a step."""
        self.advance(len(self.history) + self.books.rows / self.n_rows)

    def _descend(self, x: Tensor, labels: Tensor | None) -> Tensor:
        """All of a step that the device does."""
        objective = self._objective_on(x, labels)
        with tensor_cores(self.config.precision):
            value = self.optimizer.step(objective, self.rate_factor)
        self.model.constrain()
        return value

    def _recorder(self) -> Recorder | None:
        """What records the steps, where they can be."""
        if self._shared is not None or not self.optimizer.replayable:
            return None
        return recorder_for(self.device, [self.streams.noise])

    def _objective_on(self, x: Tensor, labels: Tensor | None) -> Accumulate:
        if self._shared is not None:
            return self._shared.on(x, labels, self.streams.noise, self._rows_of_step())
        return partial(self.model.accumulate_gradients, self.model.prepare(x, labels, self.streams.noise))

    def _rows_of_step(self) -> int:
        return min(self._batches.size, self.n_rows - self.books.rows)

    def enter(self, value: Tensor) -> None:
        """Note a step in the books, tell the callbacks, and leave a checkpoint when it is time."""
        books = self.books
        n_rows = self._rows_of_step()
        books.enter(value, n_rows)
        for callback in self.callbacks:
            callback.on_step(self, n_rows)
        if books.steps % STEPS_BETWEEN_CHECKS == 0:
            raise_if(broken_loss(self))
        if books.rows < self.n_rows:  # the end of an epoch has figures to measure first
            self._keep()

    def close_epoch(self) -> None:
        """Measure the epoch, tell the callbacks, and open the books of the next."""
        loss = self.books.mean_loss  # before the clock is read, for it waits until the device has finished the steps
        seconds = self.books.seconds
        self.model.eval()
        raise_if(broken_numbers(self))
        self.ranks.equal_(self.model.state_dict().values())
        record: Record = {
            "epoch": len(self.history) + 1,
            "loss": loss,
            "learning_rate": self.config.optimizer.learning_rate * self.rate_factor,
            "seconds": seconds,
            "rows_per_second": self.n_rows / seconds,
        }
        if self._held_out is not None:
            record.update(self._held_out.figures())
        self._tell(record)
        self._open_books()
        self._keep()

    def _start(self) -> None:
        if self.model.sample_size > 0:
            self.sample = self._batches.first(self.model.sample_size, self.streams.shuffle)
        self._open_books()
        for callback in self.callbacks:
            callback.on_start(self)
        state = None if self._checkpoints is None else self._checkpoints.newest()
        self.ranks.check_same("checkpoint", None if state is None else state.get("number"))
        if state is not None:  # after `on_start`, all of whose effects are part of it
            restore_training(self, state)
            restore_callbacks(self.callbacks, state)
        self.ranks.equal_(self.model.state_dict().values())

    def _tell(self, record: Record) -> None:
        sample = None if self.sample is None else self.sample[0]
        if sample is not None:
            record.update({name: float(figure) for name, figure in self.model.inspect(sample).items()})
        for callback in self.callbacks:
            callback.on_epoch(self, record)
        self.stopping = any(self.ranks.gather(self.stopping))
        if sample is not None and len(self.history) < self.config.epochs and not self.stopping:
            self.model.revive(sample, self.streams.noise)
            self.ranks.equal_(self.model.state_dict().values())

    def advance(self, epochs: float) -> None:
        """Tell the model how many epochs have passed."""
        self.epochs_passed = epochs
        self.model.advance(epochs)

    def _open_books(self) -> None:
        self.books = Books(self.streams.shuffle.state())

    def _keep(self) -> None:
        """Leave a checkpoint when it is time, but none that leads nowhere: the next check ends such a training."""
        if self._checkpoints is not None and self._checkpoints.due() and broken_numbers(self) is None:
            self._checkpoints.write(training_state(self))

    def _rate_factor_of_epoch(self) -> float:
        schedule = self.config.schedule
        return 1.0 if schedule is None else schedule.at(len(self.history), self.config.epochs)

    def warn(self) -> None:
        """Tell of the signs that the training, which is finished, went wrong."""
        for sign in self.symptoms if self.ranks.leads else ():
            warnings.warn(f"{self.name}: after training, {sign}", StackedWarning, stacklevel=4)
