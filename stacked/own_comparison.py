"""Does pretraining pay on one's own data: a comparison on a labelled table, kept in a folder."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from stacked.arms import RANDOM
from stacked.collected import collected
from stacked.comparison import Arm, Recipe, Run, finished_runs
from stacked.conclusion import conclusion
from stacked.error_table import ERROR_RATE, RMSE, Measure, tabulate
from stacked.labelled_table import LabelledTable
from stacked.lazy_rows import LazyRows
from stacked.plots import error_distributions
from stacked.progress import counted
from stacked.results import environment, versions, versions_that_matter, write_results
from stacked.rows import Rows, blocks, stored_of
from stacked.settings import to_json
from stacked.trial_folder import TrialFolder


def compare_on(  # noqa: PLR0913 - what is compared, then how it is spread and told
    table: LabelledTable,
    arms: Sequence[Arm],
    recipe: Recipe,
    out: Path,
    *,
    seeds: int = 10,
    jobs: int = 1,
    described: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Run what is missing of every arm and seed, and write `results.json` and `errors.png`.

    The same call goes on where an earlier one was interrupted, and more seeds are added to those there are.

    Parameters
    ----------
    table : LabelledTable
        The rows and labels, and how each seed parts them.
    arms : sequence of Arm
        With different names; "random", the one without layers, is what the others are measured by.
    recipe : Recipe
        What all arms share, such as `recipe_for` makes.
    out : Path
        The folder, made if need be.
    seeds, jobs : int
        Seeds, from 0, and processes.
    described : mapping, optional
        What is to be written besides, fit for JSON: `data`, a mapping, and the `command` that does it again.

    Returns
    -------
    dict
        What `results.json` holds: settings, versions, data, the figures of `tabulate`, details of seed 0 by arm as
        `scoring.outcome_of` tells them, how it was tested, and the conclusion.

    Raises
    ------
    StackedError
        When the folder holds a comparison of other settings or cannot be written.
    """
    table = replace(table, rows=in_arrays(table.rows), test=table.test and (in_arrays(table.test[0]), table.test[1]))
    settings = {
        "versions": versions_that_matter(),
        "arms": to_json(list(arms)),
        "recipe": to_json(recipe),
        "split": {"test_fraction": table.test_fraction, "validation_fraction": table.validation_fraction},
        "data": table.fingerprints(),
    }
    folder = TrialFolder(out, settings)
    names, measure = [arm.name for arm in arms], measure_of(table)
    coming = finished_runs(arms, recipe, table, range(seeds), folder, jobs)
    runs = list(counted(coming, seeds * len(arms), lambda run: _told(run, measure)))
    figures = tabulate(names, runs, measure, table.test_to_train)
    given = dict(described or {})
    results = {
        "settings": {**settings, "seeds": seeds},
        "versions": versions(),
        "environment": environment(),
        "data": {**_described(table), **given.pop("data", {})},
        **given,
        **figures,
        "details": {
            run.arm: run.details for run in sorted(runs, key=lambda run: names.index(run.arm)) if run.details
        },
        "measure": measure.figure,
        "test_to_train": table.test_to_train,
        "conclusion": conclusion(figures, RANDOM.name, measure, table.test_to_train),
    }
    _draw(out, results, measure)
    write_results(out, results)
    return results


def in_arrays(rows: Rows) -> Rows:
    """The rows, copied out of a file that is read slice by slice: other processes can then be sent them."""
    stored = stored_of(rows)
    if isinstance(stored, np.ndarray):
        return rows
    kept = collected(block for _, block in blocks(stored))
    if isinstance(rows, LazyRows) and rows is not stored:
        scaled: Rows = rows.over(kept)
        return scaled
    return kept


def measure_of(table: LabelledTable) -> Measure:
    """What runs on this table are judged by."""
    return ERROR_RATE if table.target.is_classes else RMSE


def _described(table: LabelledTable) -> dict[str, Any]:
    return {
        "rows": len(table.rows),
        "inputs": table.rows.shape[1],
        "labelled": table.target.n_labelled,
        "trained_on": table.n_trained,
        "tested_on": table.n_tested,
        "classes": list(table.target.classes),
    }


def _draw(out: Path, results: Mapping[str, Any], measure: Measure) -> None:
    errors = {
        arm: [error for error in of_arm[measure.figure] if error is not None]
        for arm, of_arm in results["arms"].items()
    }
    name = "" if measure is ERROR_RATE else measure.title
    error_distributions(errors, out / "errors.png", title="Every run of every arm", error=name)


def _told(run: Run, measure: Measure) -> str:
    error = getattr(run, measure.figure)
    return f"{run.arm}, seed {run.seed}: " + ("failed" if error is None else measure.shown(error))
