"""Trainings that several ranks do together, started by torchrun, and what a process on its own does in their place.

Command: torchrun --nproc-per-node=2 tests/shared_trainings.py FOLDER SUITE
"""

import json
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from conftest import KINDS, Interrupting

from stacked import (
    LBFGS,
    SGD,
    Adam,
    CodeCache,
    Denoising,
    DivergedError,
    KLSparsity,
    Plain,
    RunDirectory,
    Sparse,
    StackedAutoencoder,
    StackedError,
    TrainingConfig,
    joined_ranks,
    save,
)
from stacked.ranks import ALONE

ROWS = np.random.default_rng(0).random((130, 12))
VALIDATION = np.random.default_rng(1).random((40, 12))
MANY = np.random.default_rng(2).random((9130, 12))  # three blocks, so that the first of two ranks has two
LARGER = np.random.default_rng(3).random((4500, 12))  # as validation rows: two blocks


class Case(NamedTuple):
    """A stack, how it is trained, on which rows."""

    layers: list
    training: TrainingConfig
    rows: np.ndarray = ROWS
    validation: np.ndarray = VALIDATION
    dtype: str = "float64"

    def fit(self, run, ranks=ALONE, cache=None, **options):
        stack = StackedAutoencoder(self.layers, self.training, seed=3, dtype=self.dtype, cache=cache)
        return stack.fit(self.rows, validation=self.validation, run=run, ranks=ranks, **options)


SHORT = TrainingConfig(epochs=2, batch_size=25, optimizer=SGD(0.1, momentum=0.5))
OPTIMIZERS = {"sgd": SGD(0.1, momentum=0.9), "adam": Adam(0.01), "lbfgs": LBFGS(iterations=5)}
DIVERGING = Case([Plain(5, activation="linear", output="linear")], TrainingConfig(epochs=3, optimizer=SGD(1e9)))


def of_two():
    """Every kind of layer and every optimiser, and stacks whose codes lie in shards."""
    cases = {name: Case([kind], SHORT) for name, kind in KINDS.items()}
    for name, optimizer in OPTIMIZERS.items():
        all_rows = TrainingConfig(epochs=2, optimizer=optimizer, batch_size=None)
        cases[f"{name}, all rows"] = Case([Sparse(6, penalty=KLSparsity(0.3))], all_rows)
        cases[f"{name}, float32"] = Case([Denoising(6)], all_rows, dtype="float32")
    stopping = TrainingConfig(epochs=30, batch_size=7, optimizer=Adam(0.05), validation_fraction=0.3, patience=1)
    cases["early stopping"] = Case([Denoising(6)], stopping, validation=None)
    several = TrainingConfig(epochs=1, batch_size=1001, optimizer=SGD(0.1, momentum=0.5))
    tower = [Denoising(8), KINDS["variational-gaussian"], Plain(4, output="linear")]
    cases["shards"] = Case(tower, several, rows=MANY, validation=LARGER)
    return cases


def of_three():
    """Minibatches with fewer rows than ranks."""
    names = ("denoising-masking", "sparse-kl-running", "sparse-top-k", "contractive", "variational-gaussian")
    tiny = {"rows": ROWS[:13], "validation": VALIDATION[:1]}
    pairs = TrainingConfig(epochs=2, batch_size=2, optimizer=SGD(0.1, momentum=0.5))
    return {name: Case([KINDS[name], Plain(4, output="linear")], pairs, **tiny) for name in names}


SUITES = {"two": of_two, "three": of_three}
INTERRUPTED = Case([Denoising(6)], TrainingConfig(epochs=4, batch_size=7, optimizer=Adam(0.05)))


def outcome(stack):
    """The weights and figures of a stack, by name."""
    held = {}
    for number, (layer, history) in enumerate(zip(stack.layers, stack.histories, strict=True)):
        held |= {f"{number} {name}": value.numpy() for name, value in layer.state_dict().items()}
        figures = set(history.records[0]) - {"seconds", "rows_per_second"}
        held |= {f"{number} {name}": np.array(history[name], dtype=float) for name in figures}
    return held


def refusals(folder, ranks):
    """What this rank is told where a run cannot be."""
    other = ranks.rank == 1
    attempts = {
        "no run": lambda: INTERRUPTED.fit(None, ranks),
        "bad rows on rank 1": lambda: INTERRUPTED._replace(rows=ROWS / (1 - other)).fit(folder / "a", ranks),
        "other rows on rank 1": lambda: INTERRUPTED._replace(rows=ROWS[: 130 - other]).fit(folder / "b", ranks),
        "another folder on rank 1": lambda: INTERRUPTED.fit(folder / f"c{ranks.rank}", ranks),
        "diverging": lambda: DIVERGING.fit(RunDirectory(folder / "d", 0), ranks),
    }
    return {name: told(attempt) for name, attempt in attempts.items()}


def told(attempt):
    try:
        with np.errstate(divide="ignore", invalid="ignore"):
            attempt()
    except (StackedError, DivergedError) as error:
        return [type(error).__name__, str(error)]
    return None


def interrupt(folder, ranks):
    """Train, interrupted in the second epoch, in two folders; in one of them go on."""
    for name in ("resumed", "left"):
        try:
            INTERRUPTED.fit(RunDirectory(folder / name, 0), ranks, callbacks=[Interrupting(30)])
        except KeyboardInterrupt:
            ranks.wait()
    return {"resumed": INTERRUPTED.fit(folder / "resumed", ranks), "whole": INTERRUPTED.fit(folder / "whole", ranks)}


def main(folder, suite):
    torch.set_num_threads(1)
    with joined_ranks() as ranks:
        fitted = {}
        for name, case in SUITES[suite]().items():
            cache = CodeCache(folder / "cache") if name == "shards" else None
            fitted[name] = case.fit(folder / name, ranks, cache=cache)
        if suite == "two":
            fitted |= interrupt(folder, ranks)
            (folder / f"refusals-{ranks.rank}.json").write_text(json.dumps(refusals(folder, ranks)))
            if ranks.leads:
                save(fitted["shards"], folder / "stack")
        for name, stack in fitted.items():
            np.savez(folder / f"{name}-{ranks.rank}.npz", **outcome(stack))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
