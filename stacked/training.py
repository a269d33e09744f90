"""The one loop of the package: fit > epoch > step.

It draws minibatches, asks the optimiser for steps and keeps the books. What is optimised is the model's business,
what is observed the callbacks'.
"""

import contextlib
import copy
import warnings
from collections.abc import Generator, Iterator, Sequence
from functools import partial

import torch
from torch import Tensor

from stacked.batches import Batches, Minibatch
from stacked.books import Books
from stacked.callbacks import Callback, EarlyStopping, History, Record
from stacked.captured import Replayed, recorder_for
from stacked.checkpoints import Checkpoints
from stacked.errors import DivergedError, StackedWarning
from stacked.evaluation import measure
from stacked.examples import Examples
from stacked.model import Model
from stacked.optimizers import Optimizer
from stacked.precision import tensor_cores
from stacked.rows import BLOCK
from stacked.streams import Streams
from stacked.symptoms import likely_cause
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
    """

    optimizer: Optimizer
    rate_factor: float
    books: Books
    _batches: Batches
    _held_out: Batches | None
    _replayed: Replayed | None

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
        self.n_rows, self.stopping, self.epochs_passed = 0, False, 0.0
        self.callbacks = [self.history, *callbacks]
        if config.patience is not None:
            self.callbacks.append(EarlyStopping(config.patience, model.selection_figure))
        self.symptoms: list[str] = []
        self._checkpoints: Checkpoints | None = None
        self._sample: Minibatch | None = None

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return next(self.model.parameters()).device

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
                with torch.no_grad():
                    with contextlib.closing(self.minibatches()) as minibatches:
                        for x, labels in minibatches:
                            self.enter(self.step(x, labels))
                    self.close_epoch()
        return self.history

    @contextlib.contextmanager
    def begun(
        self, examples: Examples, validation: Examples | None = None, *, checkpoints: Checkpoints | None = None
    ) -> Iterator[None]:
        """All that comes before the first epoch and after the last; `fit` is made of this and the four below."""
        check_plan(self.model, self.config, len(examples.numbers), validation is not None, self.name)
        if validation is None and self.config.validation_fraction > 0:
            examples, validation = examples.split(self.config.validation_fraction, self.streams.validation)
        self.n_rows = len(examples.numbers)
        self._batches = self._batches_of(examples, self.config.batch_size or self.n_rows)
        self._held_out = None if validation is None else self._batches_of(validation, BLOCK)
        self._checkpoints, self.optimizer = checkpoints, self.config.optimizer.build(self.model.trainable())
        self.model.compute_in(self.config.precision)
        recorder = recorder_for(self.device, [self.streams.noise]) if self.optimizer.replayable else None
        self._replayed = None if recorder is None else Replayed(self._descend, recorder)
        try:
            self._start()
            yield
            for callback in self.callbacks:
                callback.on_end(self)
        finally:
            self._replayed = None
            self.model.release()
        if self._sample is not None and len(self.history) > 0:
            with torch.no_grad():
                self.symptoms = self.model.symptoms(*self._sample)
        self.warn()

    def goes_on(self) -> bool:
        """Whether there is another epoch, or one that was interrupted."""
        begun = self.books.rows > 0  # which is completed, whoever asked to stop after it
        return begun or (len(self.history) < self.config.epochs and not self.stopping)

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
        batch = self.model.prepare(x, labels, self.streams.noise)
        with tensor_cores(self.config.precision):
            value = self.optimizer.step(partial(self.model.accumulate_gradients, batch), self.rate_factor)
        self.model.constrain()
        return value

    def enter(self, value: Tensor) -> None:
        """Note a step in the books, tell the callbacks, and leave a checkpoint when it is time."""
        books = self.books
        n_rows = min(self._batches.size, self.n_rows - books.rows)
        books.enter(value, n_rows)
        for callback in self.callbacks:
            callback.on_step(self, n_rows)
        if books.steps % STEPS_BETWEEN_CHECKS == 0:
            self._check_loss()
        if books.rows < self.n_rows:  # the end of an epoch has figures to measure first
            self._keep()

    def close_epoch(self) -> None:
        """Measure the epoch, tell the callbacks, and open the books of the next."""
        loss = self.books.mean_loss  # before the clock is read, for it waits until the device has finished the steps
        seconds = self.books.seconds
        self.model.eval()
        self._check_numbers()
        record: Record = {
            "epoch": len(self.history) + 1,
            "loss": loss,
            "learning_rate": self.config.optimizer.learning_rate * self.rate_factor,
            "seconds": seconds,
            "rows_per_second": self.n_rows / seconds,
        }
        if self._held_out is not None:
            record.update(measure(self.model, self._held_out))
        self._tell(record)
        self._open_books()
        self._keep()

    def _start(self) -> None:
        if self.model.sample_size > 0:
            self._sample = self._batches.first(self.model.sample_size, self.streams.shuffle)
        self._open_books()
        for callback in self.callbacks:
            callback.on_start(self)
        state = None if self._checkpoints is None else self._checkpoints.newest()
        if state is not None:  # after `on_start`, all of whose effects are part of it
            restore_training(self, state)
            restore_callbacks(self.callbacks, state)

    def _tell(self, record: Record) -> None:
        sample = None if self._sample is None else self._sample[0]
        if sample is not None:
            record.update({name: float(figure) for name, figure in self.model.inspect(sample).items()})
        for callback in self.callbacks:
            callback.on_epoch(self, record)
        if sample is not None and len(self.history) < self.config.epochs and not self.stopping:
            self.model.revive(sample, self.streams.noise)

    def advance(self, epochs: float) -> None:
        """Tell the model how many epochs have passed."""
        self.epochs_passed = epochs
        self.model.advance(epochs)

    def _open_books(self) -> None:
        self.books = Books(self.streams.shuffle.state())

    def _keep(self) -> None:
        """Leave a checkpoint when it is time, but none that leads nowhere."""
        if self._checkpoints is not None and self._checkpoints.due():
            self._check_numbers()
            self._checkpoints.write(training_state(self))

    def _rate_factor_of_epoch(self) -> float:
        schedule = self.config.schedule
        return 1.0 if schedule is None else schedule.at(len(self.history), self.config.epochs)

    def _batches_of(self, examples: Examples, size: int) -> Batches:
        return Batches(examples, size, next(self.model.parameters()).dtype, self.device)

    def _check_numbers(self) -> None:
        self._check_loss()
        if not all(bool(weight.isfinite().all()) for weight in self.model.parameters()):
            raise self._diverged("weights became infinite", self.books.steps)

    def _check_loss(self) -> None:
        step = self.books.broken_step
        if step is not None:
            raise self._diverged(f"loss became {self.books.mean_loss}", step)

    def _diverged(self, what: str, step: int) -> DivergedError:
        rate = self.config.optimizer.learning_rate * self._rate_factor_of_epoch()
        cause = likely_cause(None if self._sample is None else self._sample[0])
        place = f"epoch {len(self.history) + 1}, step {step}, at learning rate {rate:g}"
        return DivergedError(f"{self.name}: the {what} in {place}, {cause}")

    def warn(self) -> None:
        """Tell of the signs that the training, which is finished, went wrong."""
        for sign in self.symptoms:
            warnings.warn(f"{self.name}: after training, {sign}", StackedWarning, stacklevel=4)


@contextlib.contextmanager
def restored_unless_finished(model: Model) -> Iterator[None]:
    """Give a model its weights back when its training is broken off: what is half-trained serves nobody."""
    before = copy.deepcopy(model.state_dict())
    try:
        yield
    except BaseException:
        model.load_state_dict(before)
        raise
