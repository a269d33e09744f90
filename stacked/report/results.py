"""`results.json` of an experiment or of `stacked compare`, as comparisons.

Two layouts are known: that of `error_table.tabulate`, with one measure, its pairs and their tests; and that of
experiments with figures of their own, seed by seed, each of which is a measure.
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stacked.errors import StackedError
from stacked.paths import read_plain
from stacked.report.contents import ArmFigures, Comparison, Measure
from stacked.report.scales import drawable
from stacked.report.words import spelled
from stacked.strict_json import MOST_BYTES

NAME = "results.json"
MEASURES = {
    "error_rate": Measure("Test error rate", is_share=True),
    "rmse": Measure("Root mean square error on test rows"),
}


def read_results(folder: Path) -> dict[str, Any]:
    """What the file says; StackedError when it cannot be read or is no such file."""
    path, remedy = folder / NAME, "restore it, or run the comparison again"
    try:
        results = json.loads(read_plain(path, MOST_BYTES))
    except OSError as error:
        reason = f"expected the results of a comparison, but they cannot be read: {error.strerror}"
        raise StackedError(f"{path}: {reason}; check the name of the folder") from error
    except (ValueError, RecursionError) as error:
        raise StackedError(f"{path}: expected JSON, but it is not whole: {error}; {remedy}") from error
    if not isinstance(results, dict) or not isinstance(results.get("arms"), dict) or not results["arms"]:
        raise StackedError(f"{path}: expected the arms of a comparison, received none; name another folder")
    return results


def comparisons_of(results: Mapping[str, Any]) -> list[Comparison]:
    """Everything that was measured, arm by arm; KeyError and the like where the file is of another layout."""
    arms = results["arms"]
    for figure, measure in MEASURES.items():
        if all(isinstance(arm.get(figure), list) for arm in arms.values()):
            return [_tabulated(figure, measure, results)]
    trials = [trial for arm in arms.values() for trial in arm["figures"].values()]
    numeric = dict.fromkeys(name for trial in trials for name, value in trial.items() if drawable(value))
    return [_of_figure(figure, results) for figure in numeric]


def curves_by_epoch(results: Mapping[str, Any]) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """Figures that are lists, one number an epoch, as trainings: those of the first seed that has them."""
    trainings: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for arm, of_arm in results["arms"].items():
        trial: dict[str, Any] = next(iter(of_arm.get("figures", {}).values()), {})
        for name, values in trial.items():
            if name.endswith("_by_epoch") and isinstance(values, list) and all(map(drawable, values)):
                title = spelled(name.removesuffix("_by_epoch"))
                records = [{"epoch": i, "loss": value} for i, value in enumerate(values, start=1)]
                trainings.setdefault(title, {})[arm] = records
    return trainings


def _tabulated(figure: str, measure: Measure, results: Mapping[str, Any]) -> Comparison:
    summary = results["summary"]
    arms = []
    for name, arm in results["arms"].items():
        by_seed = dict(zip(map(int, arm["seeds"]), arm[figure], strict=True))
        values = {seed: float(value) for seed, value in by_seed.items() if _is_finite(value)}
        failed = {str(seed): str(why) for seed, why in arm["failed"].items()}
        collapsed = tuple(int(seed) for seed in arm.get("collapsed_seeds", ()))
        arms.append(ArmFigures(name, values, dict(summary["arms"][name]), collapsed, failed))
    pairs = [_checked(pair) for pair in summary["pairs"]]
    healthy = [_checked(pair) for pair in summary.get("pairs_among_healthy", ())] if _any_collapsed(arms) else []
    return Comparison(measure, arms, pairs, healthy, float(results.get("test_to_train") or 0.0))


def _of_figure(figure: str, results: Mapping[str, Any]) -> Comparison:
    measure = MEASURES.get(figure, Measure(spelled(figure).capitalize()))
    arms = []
    for name, arm in results["arms"].items():
        of_arm = {int(seed): trial.get(figure) for seed, trial in arm["figures"].items()}
        values = {seed: float(value) for seed, value in of_arm.items() if _is_finite(value)}
        failed = {str(seed): str(why) for seed, why in arm["failed"].items()}
        arms.append(ArmFigures(name, values, dict(results["summary"][name].get(figure, {})), (), failed))
    return Comparison(measure, arms)


def _checked(pair: Mapping[str, Any]) -> dict[str, Any]:
    """A pair as `compare_pairs` gives it, its names as text."""
    first, second = map(str, pair["pair"])
    means = ("n", "mean_difference", "interval_95", "median_difference")
    figures = (*means, "pseudomedian", "pseudomedian_interval_95", "p_holm")
    return {"pair": (first, second), **{name: pair[name] for name in figures}}


def _any_collapsed(arms: list[ArmFigures]) -> bool:
    return any(arm.collapsed for arm in arms)


def _is_finite(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
