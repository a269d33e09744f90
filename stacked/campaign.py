"""All trials of an experiment: those kept from before, the rest spread over the cores."""

import functools
import os
import threading
import time
import warnings
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from stacked.errors import StackedWarning
from stacked.trial import Compute, JointCompute, Outcome, Trial, run_together, run_trial
from stacked.trial_folder import TrialFolder


def finished_trials(
    compute: Compute, arms: Collection[str], seeds: Sequence[int], folder: TrialFolder, jobs: int, threads: int = 1
) -> Iterator[Trial]:
    """Every trial of every arm and seed, as it is finished; trials that the folder holds come first.

    Parameters
    ----------
    compute : callable
        Makes the outcome of an arm and a seed. A trial that was interrupted is given the same scratch folder again. A
        `JointCompute` is given several seeds of an arm at once; these begin anew when they were interrupted.
    arms : collection of str
        Their names.
    seeds : sequence of int
        One trial of each arm for each. The arrays of the first are kept.
    folder : TrialFolder
        Where finished trials are kept.
    jobs : int
        Processes; one means this one. Under `joblib.parallel_config` they may be those of a cluster, which see the
        same file system.
    threads : int
        Torch threads of each trial.
    """
    from joblib import Parallel, delayed  # noqa: PLC0415 - slow to import

    wanted = [(arm, seed) for seed in seeds for arm in arms]
    kept = {(arm, seed): folder.load(arm, seed) for arm, seed in wanted}
    yield from (_told(trial) for trial in kept.values() if trial is not None)
    missing = [trial for trial in wanted if kept[trial] is None]
    groups = _groups(missing, compute.at_once if isinstance(compute, JointCompute) else 1)
    run = delayed(functools.partial(_outcomes, compute, threads=threads, parent=os.getpid()))
    tasks = (run(arm, some, folder.scratch(arm, some[0])) for arm, some in groups)
    jobs = max(1, min(jobs, len(groups)))
    for arm, some, outcomes in Parallel(n_jobs=jobs, return_as="generator_unordered")(tasks):
        for seed, outcome in zip(some, outcomes, strict=True):
            yield _told(folder.store(arm, seed, outcome, arrays=seed == seeds[0]))


def default_jobs(jobs: int | None, device: str = "cpu") -> int:
    """The jobs asked for, or one a core; one on an accelerator, which they would have to share."""
    from joblib import cpu_count  # noqa: PLC0415 - slow to import

    return jobs or (int(cpu_count()) if device == "cpu" else 1)


def _groups(missing: Sequence[tuple[str, int]], at_once: int) -> list[tuple[str, list[int]]]:
    """Arms with the seeds that are taken together, in the order in which their first ones come."""
    groups: list[tuple[str, list[int]]] = []
    open_group: dict[str, list[int]] = {}
    for arm, seed in missing:
        if len(open_group.get(arm, ())) in (0, at_once):
            open_group[arm] = []
            groups.append((arm, open_group[arm]))
        open_group[arm].append(seed)
    return groups


def _told(trial: Trial) -> Trial:
    """The trial, once its warnings have been passed on."""
    for text in trial.warnings:
        warnings.warn(f"{trial.arm}, seed {trial.seed}: {text}", StackedWarning, stacklevel=3)
    return trial


def _outcomes(
    compute: Compute, arm: str, seeds: Sequence[int], scratch: Path, *, threads: int, parent: int
) -> tuple[str, Sequence[int], list[Outcome]]:
    """The outcomes with their names, for they come in any order; only that of a single seed has a scratch folder."""
    _end_with(parent)
    if isinstance(compute, JointCompute) and len(seeds) > 1:
        return arm, seeds, run_together(compute, arm, seeds, threads)
    return arm, seeds, [run_trial(compute, arm, seeds[0], scratch, threads)]


@functools.cache
def _end_with(parent: int) -> None:
    """End this process when the one that started it is killed; it would go on, and hold its run, for nobody.

    The worker of a cluster that others have started is left to them.
    """
    if os.getppid() == parent:
        threading.Thread(target=_wait_for, args=(parent,), daemon=True).start()


def _wait_for(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)
