"""All trials of an experiment: those kept from before, the rest spread over the cores."""

import functools
import os
import threading
import time
import warnings
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from stacked.errors import StackedWarning
from stacked.trial import Compute, Outcome, Trial, run_trial
from stacked.trial_folder import TrialFolder


def finished_trials(
    compute: Compute, arms: Collection[str], seeds: Sequence[int], folder: TrialFolder, jobs: int, threads: int = 1
) -> Iterator[Trial]:
    """Every trial of every arm and seed, as it is finished; trials that the folder holds come first.

    Parameters
    ----------
    compute : callable
        Makes the outcome of an arm and a seed. A trial that was interrupted is given the same scratch folder again.
    arms : collection of str
        Their names.
    seeds : sequence of int
        One trial of each arm for each. The arrays of the first are kept.
    folder : TrialFolder
        Where finished trials are kept.
    jobs : int
        Processes; one means this one. Under `joblib.parallel_config` they may be those of a cluster.
    threads : int
        Torch threads of each trial.
    """
    from joblib import Parallel, delayed  # noqa: PLC0415 - slow to import

    wanted = [(arm, seed) for seed in seeds for arm in arms]
    kept = {(arm, seed): folder.load(arm, seed) for arm, seed in wanted}
    yield from (_told(trial) for trial in kept.values() if trial is not None)
    missing = [trial for trial in wanted if kept[trial] is None]
    run = delayed(functools.partial(_named_outcome, compute, threads=threads, parent=os.getpid()))
    tasks = (run(arm, seed, folder.scratch(arm, seed)) for arm, seed in missing)
    jobs = max(1, min(jobs, len(missing)))
    for arm, seed, outcome in Parallel(n_jobs=jobs, return_as="generator_unordered")(tasks):
        yield _told(folder.store(arm, seed, outcome, arrays=seed == seeds[0]))


def _told(trial: Trial) -> Trial:
    """The trial, once its warnings have been passed on."""
    for text in trial.warnings:
        warnings.warn(f"{trial.arm}, seed {trial.seed}: {text}", StackedWarning, stacklevel=3)
    return trial


def _named_outcome(
    compute: Compute, arm: str, seed: int, scratch: Path, *, threads: int, parent: int
) -> tuple[str, int, Outcome]:
    """The outcome with its name, for outcomes come in any order."""
    _end_with(parent)
    return arm, seed, run_trial(compute, arm, seed, scratch, threads)


@functools.cache
def _end_with(parent: int) -> None:
    """End this process when the one that started it is killed; it would go on, and hold its run, for nobody."""
    if os.getppid() == parent:
        threading.Thread(target=_wait_for, args=(parent,), daemon=True).start()


def _wait_for(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)
