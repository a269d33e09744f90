"""The card of a saved model: what it is, what it was trained on, its figures, how it is loaded; in Markdown."""

import math
from collections.abc import Iterator, Sequence

from stacked.callbacks import History
from stacked.devices import numpy_dtype
from stacked.feedforward import Feedforward
from stacked.model_files import LOADERS
from stacked.provenance import Provenance
from stacked.settings import TAG, to_json
from stacked.stack import StackedAutoencoder
from stacked.training_config import TrainingConfig
from stacked.wording import counted

MOST_NAMES = 30
"""Columns that are listed; of more, only the first so many."""


def model_card(model: StackedAutoencoder | Feedforward) -> str:
    """The card of a trained model."""
    parts = _of_stack(model) if isinstance(model, StackedAutoencoder) else _of_network(model)
    return "\n\n".join(parts) + "\n"


def _of_stack(stack: StackedAutoencoder) -> Iterator[str]:
    sizes = "-".join(str(width) for width in (stack.n_inputs, *(one.n_units for one in stack.settings)))
    yield f"# Stacked autoencoder {sizes}"
    n_units, dtype = stack.settings[-1].n_units, numpy_dtype(stack.dtype)
    yield f"Encodes rows of {counted(stack.n_inputs, 'column')} as {counted(n_units, 'code')} ({dtype})."
    yield from _of_data(stack.provenance, stack.scaling_kind)
    yield "## Layers"
    for number, (layer, config) in enumerate(zip(stack.settings, stack.training, strict=True), start=1):
        yield f"{number}. {_described(layer)}; trained with {_trained_with(config)}"
    yield from _of_histories({f"layer {i}": history for i, history in enumerate(stack.histories, start=1)})
    yield from _of_histories({"all layers together": stack.fine_tuning})
    yield _how_to_load("stack", f"codes = model.encode({_argument(stack)}")


def _of_network(network: Feedforward) -> Iterator[str]:
    yield f"# Feedforward {network.what} {'-'.join(map(str, network.settings.sizes))}"
    yield f"{_described(network.settings)} ({numpy_dtype(network.dtype)}); {network.n_frozen} frozen layers."
    yield from _of_data(network.provenance, network.scaling_kind)
    yield from _of_histories({"fine-tuning": network.history})
    yield _how_to_load(network.what, f"predicted = model.predict({_argument(network)}")


def _of_data(data: Provenance, scaling: str) -> Iterator[str]:
    yield "## Data"
    if data.n_rows > 0:
        source, target = f" of `{data.source}`" * bool(data.source), f" ({data.target})" * bool(data.target)
        labelled = f"; its labels{target} were left out" if data.target else ""
        if data.n_labelled > 0:
            labelled = f", {data.n_labelled:,} of them with a label{target}"
        yield f"{counted(data.n_rows, 'row')}{source}{labelled}."
    else:
        yield "Not recorded."
    unscaled = "none; all values lay between 0 and 1" if data.in_unit_range else "none, rows as they are"
    yield f"Scaling: {unscaled if scaling == 'none' else f'{scaling}, learnt on these rows'}."
    if data.columns:
        yield f"Columns: {_listed(data.columns)}."
    if data.classes:
        yield f"Classes: {_listed(data.classes)}."


def _of_histories(histories: dict[str, History]) -> Iterator[str]:
    """A table with the figures of the last epoch of each training that took place."""
    kept = {name: history.records[-1] for name, history in histories.items() if len(history) > 0}
    if not kept:
        return
    figures = list(dict.fromkeys(figure for record in kept.values() for figure in record))
    head = f"| training | {' | '.join(figures)} |\n|---|{'---|' * len(figures)}"
    rows = [
        f"| {name} | {' | '.join(_shown(record.get(figure)) for figure in figures)} |"
        for name, record in kept.items()
    ]
    yield "## Figures of the last epoch" if "all layers together" not in kept else "## Trained together afterwards"
    yield "\n".join([head, *rows])


def _described(settings: object) -> str:
    fields = {name: value for name, value in to_json(settings).items() if name != TAG and value is not None}
    return f"{type(settings).__name__}: " + ", ".join(f"{name} {_short(value)}" for name, value in fields.items())


def _trained_with(config: TrainingConfig) -> str:
    batches = "all rows at once" if config.batch_size is None else f"batches of {config.batch_size}"
    return f"at most {config.epochs} epochs, {batches}, {_described(config.optimizer)}"


def _short(value: object) -> str:
    """A value of settings; settings within settings with their name."""
    if isinstance(value, dict):
        inner = ", ".join(f"{name} {_short(one)}" for name, one in value.items() if name != TAG)
        return f"{value[TAG]} ({inner})"
    return (
        "-".join(map(str, value))
        if isinstance(value, list)
        else f"{value:g}"
        if isinstance(value, float)
        else str(value)
    )


def _shown(figure: float | None) -> str:
    return "" if figure is None else f"{figure:.4g}" if math.isfinite(figure) else str(figure)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMES:,} more" if len(names) > MOST_NAMES else ""
    return ", ".join(f"`{name}`" for name in names[:MOST_NAMES]) + more


def _argument(model: StackedAutoencoder | Feedforward) -> str:
    """The rows, with what is to be known of their scale."""
    if model.scaling is not None:
        return "x)  # raw rows: their scaling is part of the model"
    if model.provenance.in_unit_range:
        return "x)  # numbers from 0 to 1: where x are the bytes of images, x / 255"
    return "x)  # rows as they were in training"


def _how_to_load(kind: str, use: str) -> str:
    loader = LOADERS[kind]
    return f'## Use\n\n```python\nfrom stacked import {loader}\n\nmodel = {loader}("this folder")\n{use}\n```'
