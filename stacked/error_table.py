"""The table of a comparison: errors of every arm, seed by seed, and what they say together."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stacked.comparison import Run
from stacked.statistics import compare_pairs, summarise


@dataclass(frozen=True)
class Measure:
    """What runs are judged by, the lower the better.

    Parameters
    ----------
    figure : str
        The field of a run.
    title : str
        What it is called, with its unit.
    unit : str
        Of differences, for people; empty for that of the numbers that are predicted.
    factor : float
        By which figures are multiplied to be shown.
    digits : str
        The format in which they then are.
    highest : float
        No figure is larger; none is below 0.
    """

    figure: str
    title: str
    unit: str
    factor: float
    digits: str
    highest: float

    def shown(self, value: float | None) -> str:
        """A figure for people."""
        return "-" if value is None else format(self.factor * value, self.digits)


ERROR_RATE = Measure("error_rate", "test error rate, per cent", "points", 100, "z.2f", 1.0)
RMSE = Measure("rmse", "test error, root mean square", "", 1, "z.4g", math.inf)
MEASURES = {measure.figure: measure for measure in (ERROR_RATE, RMSE)}


def tabulate(
    arms: Sequence[str], runs: Sequence[Run], measure: Measure = ERROR_RATE, test_to_train: float = 0.0
) -> dict[str, Any]:
    """The figures of every arm, seed by seed, and their summary; `test_to_train` is as for `compare_pairs`.

    Failed runs have no error: they are listed, and left out of means and pairs. Collapsed runs count, except in the
    figures "among healthy", which show what they do.

    Of few runs Student's intervals reach beyond what an error can be: below 0, or a rate beyond 1. They end there,
    and so do those of differences; that leaves out no mean, so that they hold it as often as before.
    """
    by_arm = {name: sorted((run for run in runs if run.arm == name), key=lambda run: run.seed) for name in arms}
    healthy = {name: [run for run in of_arm if not run.collapsed] for name, of_arm in by_arm.items()}
    return {
        "arms": {name: _figures(of_arm, measure) for name, of_arm in by_arm.items()},
        "summary": {
            "arms": {name: _summary(of_arm, measure, test_to_train) for name, of_arm in by_arm.items()},
            "pairs": _pairs(by_arm, measure, test_to_train),
            "pairs_among_healthy": _pairs(healthy, measure, test_to_train),
        },
    }


def _pairs(by_arm: Mapping[str, Sequence[Run]], measure: Measure, test_to_train: float) -> list[dict[str, Any]]:
    pairs = compare_pairs({name: _errors(of_arm, measure) for name, of_arm in by_arm.items()}, test_to_train)
    return [_ending_at(pair, -measure.highest, measure.highest) for pair in pairs]


def _ending_at(summary: dict[str, Any], low: float, high: float) -> dict[str, Any]:
    """The same with the interval of the mean cut off where no mean can lie."""
    ends = summary["interval_95"]
    return {**summary, "interval_95": ends and (max(low, ends[0]), min(high, ends[1]))}


def _errors(runs: Sequence[Run], measure: Measure) -> dict[int, float]:
    errors = {run.seed: getattr(run, measure.figure) for run in runs}
    return {seed: error for seed, error in errors.items() if error is not None}


def _figures(runs: Sequence[Run], measure: Measure) -> dict[str, Any]:
    return {
        measure.figure: [getattr(run, measure.figure) for run in runs],
        **({"r2": [run.r2 for run in runs]} if measure is RMSE else {}),
        "seeds": [run.seed for run in runs],
        "collapsed_seeds": [run.seed for run in runs if run.collapsed],
        "failed": {str(run.seed): run.failure for run in runs if run.failure},
        "recalls": [run.recalls for run in runs],
        "seconds": [run.seconds for run in runs],
    }


def _summary(runs: Sequence[Run], measure: Measure, test_to_train: float) -> dict[str, Any]:
    healthy = list(_errors([run for run in runs if not run.collapsed], measure).values())
    explained = [run.r2 for run in runs if run.r2 is not None]
    return {
        **_ending_at(summarise(list(_errors(runs, measure).values()), test_to_train), 0.0, measure.highest),
        **({"mean_r2": summarise(explained)["mean"]} if measure is RMSE else {}),
        "collapsed": sum(run.collapsed for run in runs),
        "failed": sum(bool(run.failure) for run in runs),
        "median_among_healthy": summarise(healthy)["median"],
    }
