"""What a run that is not finished has come to, in lines for people: its trainings, how far each is, its settings."""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from stacked.errors import StackedError, making_use_of
from stacked.paths import read_plain
from stacked.settings import TAG
from stacked.state_files import State, read_state
from stacked.strict_json import MOST_BYTES, parse_json
from stacked.wording import counted


def run_summary(folder: Path) -> list[str]:
    """The lines on the run in a folder.

    Raises
    ------
    StackedError
        When `run.json` cannot be read, or is no description of a run.
    """
    path = folder / "run.json"
    try:
        described = parse_json(read_plain(path, MOST_BYTES))
    except (OSError, ValueError) as error:
        raise StackedError(f"{path} cannot be used: {error}; start the run again, which writes it anew") from error
    with making_use_of(f"{path}: the run", "name the folder of a run"):
        run, made_with = described["run"], described["environment"]
        place = f"seed {run['seed']}, {str(run['dtype']).removeprefix('torch.')} on {run['device']}"
        head = f"a run that is not finished: {run['kind']}, {place}, begun with stacked {made_with['stacked']}"
        return [head, *_trainings(folder, run)]


def _trainings(folder: Path, run: Mapping[str, Any]) -> Iterator[str]:
    """A line for each training: of a stack all layers, also those not begun; of others those that left a state."""
    if run["kind"] != "layers":
        names = dict.fromkeys(path.name.partition(".")[0] for path in sorted(folder.glob("*.safetensors")))
        yield from (f"{name}: {_how_far(folder, name, run['training'])}" for name in names)
        return
    for number, (layer, training) in enumerate(zip(run["settings"], run["training"], strict=True), start=1):
        what = f"{layer[TAG].lower()}, {counted(layer['n_units'], 'unit')}"
        yield f"layer {number} ({what}): {_how_far(folder, f'layer-{number}', training)}"


def _how_far(folder: Path, name: str, training: Mapping[str, Any]) -> str:
    finished = _state(folder / f"{name}.safetensors")
    if finished is not None:
        return f"finished, {_figures(finished)}"
    turns = [_state(folder / f"{name}.checkpoint-{turn}.safetensors") for turn in (0, 1)]
    states = [state for state in turns if state is not None]
    if not states:
        return "not begun, or without a checkpoint"
    newest = max(states, key=lambda state: state["number"])
    return f"in epoch {len(newest['history']) + 1} of {training['epochs']}, {_figures(newest)}"


def _figures(state: State) -> str:
    """The losses of the last epoch that is complete."""
    if not state["history"]:
        return "no epoch is complete"
    record = state["history"][-1]
    losses = {"loss": "loss", "validation_loss": "validation loss"}
    known = {title: record[name] for name, title in losses.items() if math.isfinite(record.get(name, math.nan))}
    shown = ", ".join(f"{title} {value:.4g}" for title, value in known.items())
    return f"{shown} in epoch {len(state['history'])}"


def _state(path: Path) -> State | None:
    """What a file holds; nothing where it is not there, or no whole state."""
    try:
        return read_state(path)
    except (OSError, ValueError):
        return None
