"""Runs of every sort, and processes that work on one until they are killed."""

import contextlib
import os
import signal
import sys
import tempfile
import time
import traceback
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
import torch
import torch._dynamo  # torch imports it with the first optimiser, which every process would wait a second for
from conftest import KINDS

from stacked import (
    LBFGS,
    SGD,
    Adam,
    CosineDecay,
    FeedforwardClassifier,
    RunDirectory,
    StackedAutoencoder,
    Variational,
    orders,
)
from stacked import TrainingConfig as Config

ROWS = np.random.default_rng(0).random((130, 12), dtype=np.float32)
LABELS = (ROWS[:, 0] > 0.5).astype(int)
WHAT = ("layers", "layers", "fine-tuning", "layers", "classifier", "layers", "frozen classifier", "layers")
SOURCES = ("memory", "one mixing buffer", "many mixing buffers")
OPTIMIZERS = (SGD(0.05, momentum=0.9), Adam(0.02), LBFGS(iterations=3, history=2))
FILE = "rows.h5"
TIMES = ("seconds", "rows_per_second")


class Kill(NamedTuple):
    """When an attempt ends: `at` the so manieth operation on its files, or so many seconds after its beginning."""

    way: str = "never"
    at: float = 0


def write_rows(folder):
    """The file of rows that the runs in a folder read."""
    with h5py.File(folder / FILE, "w") as file:
        file.create_dataset("x", data=ROWS, chunks=(7, 12), compression="gzip")


@dataclass
class Run:
    """One run, determined by its number, in a folder of its own."""

    number: int
    folder: Path

    def __post_init__(self):
        number = self.number
        self.what, self.source = WHAT[number % len(WHAT)], SOURCES[number // 2 % 3]
        self.layers = _layers(number)
        # A line search evaluates a batch more than once, and runs away on a few rows of a variational layer.
        searches = not any(getattr(layer, "unit_norm", False) or _memory(layer) for layer in self.layers)
        searches = searches and not any(isinstance(layer, Variational) for layer in self.layers)
        self.optimizer = OPTIMIZERS[number % (3 if searches else 2)]
        self.cache = self.folder / "cache" if number % 5 < 2 else None
        self.patient = number % 4 < 2
        self.seconds = 0.01 if number % 7 == 0 else 0.0

    def fit(self, kept=True):
        """All of it, from the beginning or from where it was; the weights as bytes and the figures."""
        size = (20, 37, None)[self.number // 3 % 3]
        config = Config(epochs=4, batch_size=size, optimizer=self.optimizer, schedule=CosineDecay(0.1))
        config = replace(config, patience=1 if self.patient else None)
        with self._rows() as rows:
            model, histories = self._fitted(rows, config, RunDirectory(self.folder / "run", self.seconds), kept)
        tensors = [tensor.numpy().tobytes() for layer in model.layers for tensor in layer.state_dict().values()]
        return tensors, [[_figures(record) for record in history] for history in histories]

    def _fitted(self, rows, config, directory, kept):
        run, cache = (directory, self.cache) if kept else (None, None)
        stack = StackedAutoencoder(self.layers, config, seed=self.number, cache=cache)
        if self.what == "layers":
            stack.fit(rows, validation=ROWS[:30] if self.patient else None, run=run)
            return stack, stack.histories
        stack.draw(ROWS.shape[1])
        if self.what == "fine-tuning":
            stack.fine_tune(rows, config, validation=ROWS[:30] if self.patient else None, run=run)
            return stack, [stack.fine_tuning]
        frozen, dropout = self.what == "frozen classifier", 0.0 if isinstance(self.optimizer, LBFGS) else 0.3
        classifier = FeedforwardClassifier.from_stack(stack, 2, freeze=frozen, seed=self.number, dropout=dropout)
        validation = (ROWS[:30], LABELS[:30]) if self.patient else None
        classifier.fit(rows, LABELS, config, validation=validation, run=run)
        return classifier, [classifier.history]

    @contextlib.contextmanager
    def _rows(self):
        if self.source == "memory":
            yield ROWS
            return
        orders.MIXING_BYTES = 40 * 12 * 4 if self.source == "many mixing buffers" else 2**29
        with h5py.File(self.folder.parent / FILE) as file:
            yield file["x"]


def _layers(number):
    """Two or three layers of one kind after the other, each able to reproduce the codes below it."""
    names, layers = list(KINDS), []
    for k in range(len(names)):
        layer = KINDS[names[(3 * number + k) % len(names)]]
        codes = layers[-1].codes if layers else None
        if codes is None or layer.output == "linear" or 0 <= codes.low <= codes.high <= 1:
            layers.append(layer)
        if len(layers) == 2 + number % 2:
            break
    return layers


def _memory(layer):
    return getattr(getattr(layer, "penalty", None), "memory", 0) > 0


def _figures(record):
    return {name: value for name, value in record.items() if name not in TIMES}


class Operations:
    """Counts the operations on files of a folder, and ends the process at one of them.

    An operation is what Python's audit events tell, and every flush of a file to disk. "half a write" counts the
    flushes alone, and leaves behind half of what was to be flushed.
    """

    EVENTS = (
        "open",
        "os.rename",
        "os.remove",
        "os.mkdir",
        "os.rmdir",
        "os.listdir",
        "os.scandir",
        "os.utime",
        "mmap",
    )

    def __init__(self, folder, kill):
        self.folder, self.kill, self.counts = f"{folder}{os.sep}", kill, {"operation": 0, "half a write": 0}
        self._fsync, os.fsync = os.fsync, self.flush
        sys.addaudithook(self.told)

    def told(self, event, arguments):
        if event.startswith("mmap.") or (event in self.EVENTS and self._concerns(arguments[0])):
            self._count("operation")

    def flush(self, descriptor):
        if self._count("half a write", final=False):
            with contextlib.suppress(OSError):  # a folder
                os.ftruncate(descriptor, os.fstat(descriptor).st_size // 2)
            _end()
        self._count("operation")
        self._fsync(descriptor)

    def _count(self, way, final=True):
        self.counts[way] += 1
        now = self.kill == Kill(way, self.counts[way])
        if now and final:
            _end()
        return now

    def _concerns(self, path):
        return isinstance(path, str | os.PathLike) and os.fspath(path).startswith(self.folder)


def _end():
    os.kill(os.getpid(), signal.SIGKILL)


def attempt(run, kill, pipe):
    """Work on a run in a process of its own; tells when it begins, what came of it, and how much there was to count.

    A warning is an error: whatever a kill left behind is nothing that a user need hear of.
    """
    torch.set_num_threads(1)
    tempfile.tempdir = str(run.folder / "tmp")
    os.makedirs(tempfile.tempdir, exist_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", ".*after training, ")
        operations = Operations(run.folder, kill)
        pipe.send("begun")
        began = time.monotonic()
        outcome = run.fit()
        pipe.send((outcome, {"clock": time.monotonic() - began, **operations.counts}))


def uninterrupted(run, pipe):
    """What comes of the run in a process that keeps nothing and is let alone."""
    torch.set_num_threads(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pipe.send(run.fit(kept=False))


def telling(function, *arguments):
    """Call a function that has something to tell; should it fail, tell why."""
    try:
        function(*arguments)
    except Exception:
        arguments[-1].send(traceback.format_exc())
