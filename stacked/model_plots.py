"""Pictures of a trained model: losses, filters, codes, reconstructions, codes in a plane, what is taken for what."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial, reduce
from pathlib import Path
from typing import Any

import numpy as np

from stacked.callbacks import History
from stacked.classifier import FeedforwardClassifier
from stacked.dense import Dense
from stacked.embeddings import placed
from stacked.errors import check_count, mismatch
from stacked.feedforward import Feedforward
from stacked.plots import (
    Colours,
    code_map,
    column_errors,
    confusion_matrix,
    embedding,
    filter_tiles,
    loss_curves,
    picture_rows,
    weight_map,
)
from stacked.rows import Array, as_rows
from stacked.samples import Sample, sampled
from stacked.scores import class_scores, reconstruction_scores
from stacked.stack import StackedAutoencoder

Model = StackedAutoencoder | Feedforward

MOST_ROWS = 5000
"""Rows that a picture is made of, drawn at random where there are more."""
MOST_FILTERS = 100
MOST_PICTURES = 20


@dataclass(frozen=True)
class View:
    """How a model is looked at.

    Parameters
    ----------
    layer : int, optional
        Which layer, from 1; by default the first for filters, and otherwise the one whose codes are the model's.
    image_shape : (int, int), optional
        Height and width, where rows are pictures.
    columns : tuple of str
        Names of the columns, where they have any.
    most : int
        Rows to look at.
    method : {"pca", "tsne", "umap"}
        Of placing codes in a plane.
    """

    layer: int | None = None
    image_shape: tuple[int, int] | None = None
    columns: tuple[str, ...] = ()
    most: int = MOST_ROWS
    method: str = "pca"

    def __post_init__(self) -> None:
        check_count("rows", self.most)


def plot_losses(model: Model, path: Path) -> None:
    """The losses of every training of a model by epoch."""
    if isinstance(model, Feedforward):
        histories = {f"{model.what} " + "-".join(map(str, model.settings.sizes)): model.history}
    else:
        histories = {_layer_name(model, k): history for k, history in enumerate(model.histories, start=1)}
        histories["fine-tuning"] = model.fine_tuning
    trained: dict[str, History] = {name: history for name, history in histories.items() if len(history) > 0}
    if not trained:
        received, remedy = "one that was never trained", "train it for one epoch at least"
        raise mismatch("the model", expected="one with a loss", received=received, remedy=remedy)
    loss_curves(trained, path, title="Losses by epoch")


def plot_filters(model: Model, path: Path, view: View) -> None:
    """The weights of the units of a layer: as pictures, or by column.

    Those of a layer above others are its weights times theirs: what it would be with linear units below.
    """
    layer = 1 if view.layer is None else view.layer
    chain = _chain(model, layer)
    weights = reduce(lambda below, above: above @ below, [dense.weight.detach().cpu().numpy() for dense in chain])
    title = f"Weights of {_layer_name(model, layer)}" + _through(layer, len(chain))
    if view.image_shape is None:
        _check_columns(view.columns, weights.shape[1])
        weight_map(weights, view.columns, path, title=title)
        return
    _check_shape(view.image_shape, weights.shape[1])
    shown = weights[:MOST_FILTERS]
    of = f"the first {len(shown)} of {len(weights)} units" if len(weights) > len(shown) else f"{len(weights)} units"
    filter_tiles({of: shown}, path, title=title, image_shape=view.image_shape)


def plot_codes(model: Model, x: Any, path: Path, view: View) -> None:
    """What the units of a layer say of rows."""
    sample, codes, title = _seen(model, x, view)
    last = _chain(model, _top(model) if view.layer is None else view.layer)[-1]
    code_map(codes, path, title=f"Codes of {title}, on {sample}", bounds=(last.activation.low, last.activation.high))


def plot_reconstructions(model: Model, x: Any, path: Path, view: View) -> None:
    """Rows, and what the stack makes of their codes: as pictures, or by column."""
    if not isinstance(model, StackedAutoencoder):
        remedy = "name the folder of a stack"
        raise mismatch("the model", expected="a stack, which decodes", received=f"a {model.what}", remedy=remedy)
    rows = as_rows(x, "the rows", model.n_inputs, model.provenance.columns)
    depth = len(model.up_to(view.layer))
    through = f"through {depth} layer{'s' * (depth > 1)}"
    sample = sampled(rows, view.most if view.image_shape is None else min(MOST_PICTURES, view.most))
    reconstruct = partial(model.reconstruct, depth=depth)
    if view.image_shape is None:
        _check_columns(view.columns, model.n_inputs)
        missed = reconstruction_scores(sample.rows, reconstruct).unexplained_by_column
        column_errors(missed, view.columns, path, title=f"Reconstruction of {sample} {through}")
        return
    _check_shape(view.image_shape, model.n_inputs)
    pictures = {"rows": np.asarray(sample.rows), "rebuilt": reconstruct(sample.rows)}
    picture_rows(pictures, path, title=f"{sample}, and rebuilt {through}", image_shape=view.image_shape)


def plot_embedding(model: Model, x: Any, path: Path, view: View, colours: Colours | None = None) -> None:
    """The codes of rows in a plane, in any colours, one a row."""
    sample, codes, title = _seen(model, x, view)
    places = placed(codes, view.method)
    shown = None if colours is None else colours._replace(values=colours.values[sample.numbers])
    title = f"Codes of {title}, {places.method} of {sample}"
    embedding(places.values, path, title=title, axes=places.axes, colours=shown)


def plot_confusion(model: Model, x: Any, labels: Array, classes: Sequence[str], path: Path) -> None:
    """What a classifier takes the rows for, by their labels; rows with a negative one are left out.

    `classes` has the names of the first classes; the others go by their numbers.
    """
    if not isinstance(model, FeedforwardClassifier):
        received, remedy = f"a {getattr(model, 'what', 'stack')}", "name the folder of a classifier"
        raise mismatch("the model", expected="a classifier", received=received, remedy=remedy)
    n_classes = model.settings.sizes[-1]
    known = _known(labels, n_classes)
    counts = class_scores(model.predict(x)[known], labels[known], n_classes).confusion
    names = [*classes, *map(str, range(len(classes), n_classes))]
    title = f"{100 * np.trace(counts) / counts.sum():.1f} % of {counts.sum():,} rows are recognised"
    confusion_matrix(counts, names, path, title=title)


def _seen(model: Model, x: Any, view: View) -> tuple[Sample, Array, str]:
    """A sample of rows, their codes, and the name of the layer."""
    layer = _top(model) if view.layer is None else view.layer
    chain = _chain(model, layer)
    sample = sampled(as_rows(x, "the rows", chain[0].weight.shape[1], model.provenance.columns), view.most)
    codes = model.encode if isinstance(model, StackedAutoencoder) else model.hidden
    return sample, np.asarray(codes(sample.rows, layer)), _layer_name(model, layer)


def _known(labels: Array, n_classes: int) -> Array:
    """Which rows have a label; an error unless some have, and all are of these classes."""
    whole = np.issubdtype(labels.dtype, np.integer)
    if not whole or labels.max() < 0 or labels.max() >= n_classes:
        received = str(labels.dtype) if not whole else "no labelled row" if labels.max() < 0 else f"{labels.max()}"
        expected, remedy = f"classes from 0 to {n_classes - 1}", "pass the labels that the model was trained for"
        raise mismatch("labels", expected=expected, received=received, remedy=remedy)
    known: Array = labels >= 0
    return known


def _top(model: Model) -> int:
    """The number of the layer whose codes are the model's: of a classifier, the last hidden one."""
    return len(model.layers) - isinstance(model, Feedforward)


def _chain(model: Model, layer: int) -> list[Dense]:
    """The dense layers from the rows to the units of a layer."""
    if isinstance(model, StackedAutoencoder):
        return [dense for one in model.up_to(layer) for dense in one.encoder_layers]
    check_count("layer", layer)
    if layer > len(model.layers):
        expected = f"at most {len(model.layers)}, the layers there are"
        raise mismatch("layer", expected=expected, received=str(layer), remedy="name one of these")
    return model.layers[:layer]


def _layer_name(model: Model, layer: int) -> str:
    if isinstance(model, Feedforward):
        return f"layer {layer}: {'-'.join(map(str, model.settings.sizes[layer - 1 : layer + 1]))}"
    one = model.layers[layer - 1]
    return f"layer {layer}: {type(one.settings).__name__.lower()} {one.n_inputs}-{one.settings.n_units}"


def _through(layer: int, n_products: int) -> str:
    """What lies between the rows and the units whose weights are shown, if anything does."""
    if n_products == 1:
        return ""
    return ", through the layers below" if layer > 1 else ", through its hidden layer"


def _check_shape(image_shape: tuple[int, int], n_inputs: int) -> None:
    if image_shape[0] * image_shape[1] != n_inputs:
        shape = "x".join(map(str, image_shape))
        expected, remedy = f"height x width of {n_inputs} columns", "correct it, or leave it out"
        raise mismatch("the shape of pictures", expected=expected, received=shape, remedy=remedy)


def _check_columns(columns: Sequence[str], n_inputs: int) -> None:
    if columns and len(columns) != n_inputs:
        expected, remedy = f"{n_inputs} names of columns", "pass the rows that the model was trained on"
        raise mismatch("columns", expected=expected, received=f"{len(columns)}", remedy=remedy)
