"""What the trials of a comparison keep for a report, those of the first seed.

Details    histories, with the records of the "layers" and of "fine_tuning"; and worst, of the test rows that were
           predicted worst their number ("row"), "predicted", "true" and of classes the "probability"
Arrays     before, after: weights of the first layer, shape (n_units, n_columns), around fine-tuning
           originals, reconstructions: test rows and what the stack makes of them, shape (n, n_columns)
           worst: the test rows that were predicted worst, shape (n, n_columns)
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from stacked.paths import read_plain
from stacked.report.contents import Mistakes, Reconstructed, Record
from stacked.report.scales import LARGEST
from stacked.report.words import number
from stacked.rows import Array
from stacked.strict_json import MOST_BYTES
from stacked.trial_folder import TrialFolder

SEED = 0

Kept = Mapping[str, tuple[Mapping[str, Any], Mapping[str, Array]]]
"""Details and arrays of one trial of every arm."""


def kept_trials(folder: Path, details: Mapping[str, Any], arms: Iterable[str]) -> Kept:
    """The details of every arm, and the arrays that the folder still holds of its first seed."""
    settings = folder / "runs" / "settings.json"
    trials = TrialFolder(folder, _settings(settings)) if settings.is_file() else None
    return {
        arm: (dict(details.get(arm, {})), {} if trials is None else trials.arrays(arm, SEED) or {}) for arm in arms
    }


def trainings_of(kept: Kept) -> dict[str, dict[str, Sequence[Record]]]:
    """The records of every training, by arm: of the layers from below, then of fine-tuning."""
    trainings: dict[str, dict[str, Sequence[Record]]] = {}
    for of_layers in (True, False):
        for arm, (details, _) in kept.items():
            histories = dict(details.get("histories", {}))
            layers = {f"layer {i}": records for i, records in enumerate(histories.get("layers", ()), start=1)}
            for name, records in (layers if of_layers else {"fine-tuning": histories.get("fine_tuning", ())}).items():
                if records:
                    trainings.setdefault(name, {})[arm] = [dict(record) for record in records]
    return trainings


def filters_of(kept: Kept) -> dict[str, Array]:
    """Weights of the first layer, before and after fine-tuning."""
    return {
        f"{arm}, {when} fine-tuning": _table(arrays[when])
        for arm, (_, arrays) in kept.items()
        for when in ("before", "after")
        if when in arrays
    }


def reconstructed_of(kept: Kept) -> Reconstructed | None:
    """Test rows and what each arm's stack makes of them; of the arms that were shown the same ones."""
    shown = {arm: arrays for arm, (_, arrays) in kept.items() if {"originals", "reconstructions"} <= arrays.keys()}
    if not shown:
        return None
    rows = _table(next(iter(shown.values()))["originals"])
    same = {arm: arrays for arm, arrays in shown.items() if np.array_equal(arrays["originals"], rows)}
    by_arm = {arm: _table(arrays["reconstructions"]) for arm, arrays in same.items()}
    if any(made.shape != rows.shape for made in by_arm.values()):
        raise ValueError("originals and reconstructions differ in shape")
    return Reconstructed(rows, by_arm)


def mistakes_of(kept: Kept, classes: Sequence[str]) -> dict[str, Mistakes]:
    """The worst predictions of every arm."""
    return {
        arm: _mistakes(details["worst"], arrays.get("worst"), classes)
        for arm, (details, arrays) in kept.items()
        if details.get("worst")
    }


def _mistakes(worst: Sequence[Mapping[str, Any]], rows: Array | None, classes: Sequence[str]) -> Mistakes:
    share = [float(one["probability"]) for one in worst if "probability" in one]
    predicted, true = ([_named(one[which], classes, bool(share)) for one in worst] for which in ("predicted", "true"))
    shown = None if rows is None else _table(rows)
    if len(share) not in (0, len(worst)) or (shown is not None and len(shown) != len(worst)):
        raise ValueError("the worst predictions and their rows differ in number")
    return Mistakes([int(one["row"]) for one in worst], predicted, true, share, shown)


def _named(value: Any, classes: Sequence[str], are_classes: bool) -> str:
    """A class by its name, or else by its number; any other value as a number."""
    if not are_classes:
        return number(float(value))
    return str(classes[int(value)]) if 0 <= int(value) < len(classes) else str(int(value))


def _table(array: Array) -> Array:
    """Numbers that can be drawn: 0 where they are none."""
    if array.ndim != 2 or array.dtype.kind not in "fiub" or array.size == 0:
        raise ValueError(f"expected a table of numbers, received shape {array.shape} of {array.dtype}")
    sound = np.nan_to_num(array.astype(np.float64), posinf=0, neginf=0)
    return np.where(np.abs(sound) <= LARGEST, sound, 0.0)


def _settings(path: Path) -> Any:
    """The settings that the runs were kept with, so that their folder can be opened."""
    try:
        return json.loads(read_plain(path, MOST_BYTES))
    except OSError as error:
        raise ValueError(f"{path.name} cannot be read: {error.strerror}") from error
