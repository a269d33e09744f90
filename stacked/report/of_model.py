"""The contents of a report on the folder of a saved model."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from stacked.checkpoint import Model, load
from stacked.devices import numpy_dtype
from stacked.model_card import model_card
from stacked.model_files import LOADERS
from stacked.randomness import Seeded
from stacked.report.contents import Contents, Record
from stacked.report.facts import described_data
from stacked.report.scales import drawable
from stacked.report.words import listed, number
from stacked.report.words import seconds as in_seconds
from stacked.rows import Array
from stacked.settings import to_json
from stacked.stack import StackedAutoencoder
from stacked.wording import counted


def contents_of_model(folder: Path) -> Contents:
    """What a saved model tells of itself; StackedError where it is damaged."""
    model = load(folder)
    trainings = _trainings(model)
    took = sum(record.get("seconds", 0.0) for records in trainings.values() for record in records)
    return Contents(
        title=model_card(model).splitlines()[0].removeprefix("# "),
        origin=folder.resolve().name,
        sentences=list(_sentences(model, trainings)),
        trainings={name: {"": records} for name, records in trainings.items()},
        filters={"first layer": _first_weights(model)},
        columns=model.provenance.columns,
        data=described_data(_data(model)),
        environment={"training": in_seconds(took)} if took else {},
        settings=_settings(model),
        use=_program(model, folder),
    )


def _data(model: Model) -> dict[str, Any]:
    told = model.provenance
    counts = {"rows": told.n_rows, "labelled": told.n_labelled}
    names = {
        "source": told.source,
        "target": told.target,
        "columns": list(told.columns),
        "classes": list(told.classes),
    }
    return {**counts, **names, "scaling": model.scaling_kind}


def _trainings(model: Model) -> dict[str, list[Record]]:
    if isinstance(model, StackedAutoencoder):
        histories = {f"layer {i}": history for i, history in enumerate(model.histories, start=1)}
        histories["all layers together"] = model.fine_tuning
    else:
        histories = {"fine-tuning": model.history}
    return {name: list(history) for name, history in histories.items() if len(history) > 0}


def _sentences(model: Model, trainings: Mapping[str, list[Record]]) -> Iterator[str]:
    data, dtype = model.provenance, numpy_dtype(model.dtype)
    if isinstance(model, StackedAutoencoder):
        kinds = listed([type(settings).__name__.lower() for settings in model.settings])
        what = f"A stack of {counted(len(model.settings), 'layer')} ({kinds})"
    else:
        what = f"A feedforward {model.what} with {counted(len(model.layers) - 1, 'hidden layer')}"
    rows = f", trained on {counted(data.n_rows, 'row')} of {data.source}" if data.source else ""
    yield f"{what} in {dtype}{rows}."
    for name, records in trainings.items():
        first, last = (record.get("loss") for record in (records[0], records[-1]))
        if drawable(first) and drawable(last):
            epochs = counted(len(records), "epoch")
            from_there = f"from {number(first)} to {number(last)}" if len(records) > 1 else f"was {number(last)}"
            yield f"The loss of {name} " + (
                f"went {from_there} in {epochs}." if len(records) > 1 else f"{from_there}."
            )
    if not trainings:
        yield "It has not been trained."


def _first_weights(model: Model) -> Array:
    """Weights of the lowest dense layer, shape `(n_units, n_inputs)`."""
    lowest = model.encoder_layers[0] if isinstance(model, StackedAutoencoder) else model.layers[0]
    weights: Array = lowest.weight.detach().cpu().numpy()
    return weights


def _settings(model: Model) -> dict[str, Any]:
    seed = model.randomness.seed if isinstance(model.randomness, Seeded) else None
    common = {"seed": seed, "dtype": str(numpy_dtype(model.dtype)), "scaling": model.scaling_kind}
    if isinstance(model, StackedAutoencoder):
        return {**common, "layers": to_json(model.settings), "training": to_json(model.training)}
    return {**common, "frozen layers": model.n_frozen, model.what: to_json(model.settings)}


def _program(model: Model, folder: Path) -> str:
    """How it is loaded and used."""
    kind = "stack" if isinstance(model, StackedAutoencoder) else model.what
    use = "codes = model.encode(x)" if kind == "stack" else "predicted = model.predict(x)"
    loader = LOADERS[kind]
    return f"from stacked import {loader}\n\nmodel = {loader}({folder.resolve().name!r})\n{use}  # raw rows"
