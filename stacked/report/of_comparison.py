"""The contents of a report on the folder of a comparison."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stacked.errors import making_use_of
from stacked.report.contents import Comparison, Contents
from stacked.report.facts import described_data, told
from stacked.report.findings import findings
from stacked.report.results import NAME, comparisons_of, curves_by_epoch, read_results
from stacked.report.trials import filters_of, kept_trials, mistakes_of, reconstructed_of, trainings_of
from stacked.report.words import listed, seconds

_REMEDY = "run the comparison again, or name another folder"
_MOST_NAMES = 4


def contents_of_comparison(folder: Path) -> Contents:
    """What a comparison has left; StackedError where it cannot be read or is damaged."""
    results = read_results(folder)
    with making_use_of(f"{folder / NAME}: the comparison", _REMEDY):
        comparisons = comparisons_of(results)
        data = _data(results)
        by_epoch = curves_by_epoch(results)
    with making_use_of(f"{folder / 'runs'}: what the first seed has left", _REMEDY):
        kept = kept_trials(folder, results.get("details", {}), results["arms"])
        classes = data.get("classes", ())
        return Contents(
            title=_title(list(results["arms"])),
            origin=folder.resolve().name,
            sentences=findings(comparisons, str(results.get("conclusion", ""))),
            comparisons=comparisons,
            trainings={**by_epoch, **trainings_of(kept)},
            filters=filters_of(kept),
            reconstructed=reconstructed_of(kept),
            mistakes=mistakes_of(kept, classes),
            columns=[str(name) for name in data.get("columns", ())],
            data=described_data(data),
            environment=_environment(results, comparisons),
            settings=results.get("settings"),
            repeat=str(results.get("command", "")),
        )


def _title(arms: Sequence[str]) -> str:
    return f"Comparison of {listed(arms)}" if len(arms) <= _MOST_NAMES else f"Comparison of {len(arms)} arms"


def _data(results: Mapping[str, Any]) -> dict[str, Any]:
    """What is told of the rows, and how they were scaled."""
    recipe = (results.get("settings") or {}).get("recipe") or {}
    return {"scaling": recipe.get("scaling"), **dict(results.get("data", {}))}


def _environment(results: Mapping[str, Any], comparisons: Sequence[Comparison]) -> dict[str, str]:
    """Versions, what is told of the machine, and how long the runs took."""
    each = [one for arm in results["arms"].values() for one in arm.get("seconds", ()) if isinstance(one, float)]
    took = {"training": f"{seconds(sum(each))} in all, {seconds(sum(each) / len(each))} a run"} if each else {}
    return {**told(results.get("versions", {})), **told(results.get("environment", {})), **took}
