"""The table of a comparison: error rates of every arm, seed by seed, and what they say together."""

from collections.abc import Sequence
from typing import Any

from stacked.comparison import Run
from stacked.statistics import compare_pairs, summarise


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
