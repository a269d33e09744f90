"""Arms x seeds of anything: run what is missing, keep it, summarise it, print it.

An experiment hands over a function of an arm's name and a seed that gives an `Outcome`: figures, and arrays for
pictures. Trials that the folder holds are not run again; a training that diverges is a failed trial.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from common import console, fingerprints
from rich.markup import escape

from stacked import LabelledImages
from stacked.campaign import finished_trials
from stacked.plots import Line
from stacked.printed import bare_table, print_failed, print_table, with_interval
from stacked.progress import counted
from stacked.results import versions, versions_that_matter, write_results
from stacked.rows import Array
from stacked.settings import to_json
from stacked.statistics import summarise
from stacked.trial import Compute, Trial
from stacked.trial_folder import TrialFolder

Column = str | tuple[str, str]
"""A heading, or a heading and the format of its numbers, such as `".2%"`."""


@dataclass(frozen=True)
class Results:
    """All trials of an experiment.

    `figures` holds what each trial gave, by arm and seed; `failures` why the others gave nothing.
    """

    out: Path
    settings: dict[str, Any]
    figures: dict[str, dict[int, dict[str, Any]]]
    failures: dict[str, dict[int, str]]
    folder: TrialFolder

    @property
    def arrays(self) -> dict[str, dict[str, Array]]:
        """The arrays of the first seed, by arm; without the arms where that trial failed or had none."""
        kept = {arm: self.folder.arrays(arm, 0) for arm in self.figures}
        return {arm: arrays for arm, arrays in kept.items() if arrays is not None}

    def lines(self, figure: str) -> dict[str, Line]:
        """A figure that is a list, one number an epoch, as a line over the epochs, by arm."""
        by_arm = {arm: [figures[figure] for figures in of_arm.values()] for arm, of_arm in self.figures.items()}
        return {arm: Line(range(1, len(rows[0]) + 1), np.array(rows)) for arm, rows in by_arm.items() if rows}

    def numbers(self, figure: str) -> dict[str, dict[int, float]]:
        """One figure by arm and seed, wherever it is a plain number; fit for `compare_pairs`."""
        return {
            arm: {seed: figures[figure] for seed, figures in of_arm.items() if _is_number(figures.get(figure))}
            for arm, of_arm in self.figures.items()
        }

    @property
    def summary(self) -> dict[str, dict[str, dict[str, Any]]]:
        """By arm and figure: mean, interval and so on over the seeds, and how many trials failed."""
        plain: dict[str, dict[str, dict[str, Any]]] = {arm: {} for arm in self.figures}
        for figure in self._numeric_figures():
            for arm, by_seed in self.numbers(figure).items():
                plain[arm][figure] = {**summarise(list(by_seed.values())), "failed": len(self.failures[arm])}
        return plain

    def write(self, **more: Any) -> None:
        """Write `results.json`: settings, versions, every arm's figures seed by seed, their summary, and more."""
        arms = {arm: {"figures": of_arm, "failed": self.failures[arm]} for arm, of_arm in self.figures.items()}
        written = {"settings": self.settings, "versions": versions(), "arms": arms, "summary": self.summary, **more}
        write_results(self.out, written)

    def _numeric_figures(self) -> list[str]:
        """Names of the figures that are a plain number in some trial, in the order in which they come."""
        trials = [figures for of_arm in self.figures.values() for figures in of_arm.values()]
        return list(dict.fromkeys(name for figures in trials for name in figures if _is_number(figures[name])))


def run_trials(
    out: Path,
    compute: Compute,
    arms: Collection[str],
    *,
    data: LabelledImages,
    settings: dict[str, Any],
    seeds: int,
    jobs: int,
    smoke: bool,
    device: str,
    threads: int = 1,
) -> Results:
    """Run what is missing of every arm and seed, and return all there is.

    Parameters
    ----------
    out : Path
        Folder for results; its trials are those of these settings, or the run is refused.
    compute : callable
        Makes the `Outcome` of an arm's name and a seed. With several jobs it is sent to other processes.
    arms : collection of str
        Names.
    data : LabelledImages
        What is learnt and tested on, which kept trials must share.
    settings : dict
        All else that a trial depends on besides the arm, the seed and the flags; settings objects and plain values.
    seeds, jobs, smoke, device
        As the flags say.
    threads : int
        Torch threads of each trial.
    """
    flags = {"versions": versions_that_matter(), "smoke": smoke, "device": device}
    fixed = {**flags, "data": fingerprints(data), **to_json(settings)}
    folder = TrialFolder(out, fixed)
    console.print(f"{len(arms)} arms x {seeds} seeds, {jobs} jobs.", highlight=False)
    finished = finished_trials(compute, arms, range(seeds), folder, jobs, threads)
    trials = sorted(counted(finished, seeds * len(arms), _described), key=lambda trial: trial.seed)
    of_arms = {arm: [trial for trial in trials if trial.arm == arm] for arm in arms}
    figures = {arm: {t.seed: t.figures for t in of_arm if not t.failure} for arm, of_arm in of_arms.items()}
    failures = {arm: {t.seed: t.failure for t in of_arm if t.failure} for arm, of_arm in of_arms.items()}
    return Results(out, {**fixed, "seeds": seeds}, figures, failures, folder)


def print_summary(results: Results, columns: Mapping[str, Column]) -> None:
    """One row an arm: the mean of each chosen figure with its interval, seeds, and failed trials.

    Parameters
    ----------
    results : Results
        What `run_trials` returned.
    columns : mapping
        Figure to its heading, or to a heading and the format of its numbers.
    """
    shown = {figure: (column, ".4g") if isinstance(column, str) else column for figure, column in columns.items()}
    headings = [heading for heading, _ in shown.values()]
    table = bare_table("Mean [95 % interval]", ("arm", *headings, "seeds", "failed"))
    for arm, summary in results.summary.items():
        means = [_mean(summary.get(figure), form) for figure, (_, form) in shown.items()]
        counts = (str(len(results.figures[arm])), str(len(results.failures[arm])))
        table.add_row(*map(escape, (arm, *means, *counts)))
    print_table(console, table)
    for arm, failures in results.failures.items():
        if failures:
            print_failed(console, arm, failures.values(), lacking="figures")


def _mean(summary: dict[str, Any] | None, form: str) -> str:
    if summary is None:
        return "-"
    return with_interval(summary["mean"], summary["interval_95"], lambda x: "-" if x is None else format(x, form))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _described(trial: Trial) -> str:
    return f"{trial.arm}, seed {trial.seed}" + (": failed" if trial.failure else "")
