"""All runs of a comparison: those kept from before, the rest spread over the cores; and what they say together."""

from collections.abc import Iterator, Sequence
from typing import Any

from stacked.comparison import Arm, Recipe, Run, run_arm
from stacked.datasets import LabelledImages
from stacked.run_folder import RunFolder
from stacked.statistics import compare_pairs, summarise


def finished_runs(
    arms: Sequence[Arm], recipe: Recipe, data: LabelledImages, seeds: Sequence[int], folder: RunFolder, jobs: int
) -> Iterator[Run]:
    """Every run of every arm and seed, as it is finished; runs that the folder holds come first.

    Parameters
    ----------
    arms, recipe, data
        What is compared.
    seeds : sequence of int
        One run of each arm for each. The filters of the first are kept.
    folder : RunFolder
        Where finished runs are kept.
    jobs : int
        Processes, each with one thread. Under `joblib.parallel_config` they may be those of a cluster.
    """
    from joblib import Parallel, delayed  # noqa: PLC0415 - slow to import

    wanted = [(arm, seed) for seed in seeds for arm in arms]
    kept = {(arm.name, seed): folder.load(arm.name, seed) for arm, seed in wanted}
    yield from (run for run in kept.values() if run is not None)
    missing = [(arm, seed) for arm, seed in wanted if kept[arm.name, seed] is None]
    tasks = (delayed(run_arm)(arm, recipe, data, seed) for arm, seed in missing)
    for run, filters in Parallel(n_jobs=jobs, return_as="generator_unordered")(tasks):
        folder.store(run, filters if run.seed == seeds[0] else None)
        yield run


def tabulate(arms: Sequence[str], runs: Sequence[Run]) -> dict[str, Any]:
    """The figures of every arm, seed by seed, and their summary.

    Failed runs have no error rate: they are listed, and left out of means and pairs. Collapsed runs count, except in
    the figures "among healthy", which show what they do.
    """
    by_arm = {name: sorted((run for run in runs if run.arm == name), key=lambda run: run.seed) for name in arms}
    healthy = {name: [run for run in of_arm if not run.collapsed] for name, of_arm in by_arm.items()}
    return {
        "arms": {name: _figures(of_arm) for name, of_arm in by_arm.items()},
        "summary": {
            "arms": {name: _summary(of_arm) for name, of_arm in by_arm.items()},
            "pairs": compare_pairs({name: _rates(of_arm) for name, of_arm in by_arm.items()}),
            "pairs_among_healthy": compare_pairs({name: _rates(of_arm) for name, of_arm in healthy.items()}),
        },
    }


def _rates(runs: Sequence[Run]) -> dict[int, float]:
    return {run.seed: run.error_rate for run in runs if run.error_rate is not None}


def _figures(runs: Sequence[Run]) -> dict[str, Any]:
    return {
        "error_rate": [run.error_rate for run in runs],
        "seeds": [run.seed for run in runs],
        "collapsed_seeds": [run.seed for run in runs if run.collapsed],
        "failed": {str(run.seed): run.failure for run in runs if run.failure},
        "recalls": [run.recalls for run in runs],
        "seconds": [run.seconds for run in runs],
    }


def _summary(runs: Sequence[Run]) -> dict[str, Any]:
    healthy = [run.error_rate for run in runs if run.error_rate is not None and not run.collapsed]
    return {
        **summarise(list(_rates(runs).values())),
        "collapsed": sum(run.collapsed for run in runs),
        "failed": sum(bool(run.failure) for run in runs),
        "median_among_healthy": summarise(healthy)["median"],
    }
