"""What a trained network is worth on test rows, and what is kept to look at: rows, reconstructions, mistakes."""

from typing import Any, NamedTuple

import numpy as np

from stacked.classifier import FeedforwardClassifier
from stacked.feedforward import Feedforward
from stacked.picked_rows import picked
from stacked.regressor import FeedforwardRegressor
from stacked.rows import Array
from stacked.splits import Split
from stacked.stack import StackedAutoencoder
from stacked.trial import Outcome

SHOWN = 12
"""Test rows that are kept with their reconstructions, and as many of the worst."""


class Trained(NamedTuple):
    """A network after fine-tuning, the stack that it began as if there was one, its first weights from before."""

    network: Feedforward
    stack: StackedAutoencoder | None
    before: Array
    seconds: float


def outcome_of(trained: Trained, split: Split, *, detailed: bool) -> Outcome:
    """The figures of a network on the test rows, and its first-layer weights before and after fine-tuning.

    Of a classifier the share of wrong predictions and the recall of each class, of a regressor the root of the mean
    square error and R2. `detailed` adds the records of every epoch and the worst predictions to the figures; and to
    the arrays test rows ("originals"), their "reconstructions", and the rows of the worst predictions ("worst").
    """
    figures = {**_judged(trained.network, split), "seconds": trained.seconds}
    arrays = {"before": trained.before, "after": first_weights(trained.network)}
    if detailed:
        worst = _worst(trained.network, split)
        figures["details"] = {"histories": _histories(trained), "worst": [told for _, told in worst]}
        arrays |= _rows_to_show(trained.stack, split, np.array([place for place, _ in worst], np.int64))
    return Outcome(figures, arrays)


def first_weights(network: Feedforward) -> Array:
    """Weights of the lowest layer, shape `(n_units, n_inputs)`."""
    weights: Array = network.layers[0].weight.detach().cpu().numpy().copy()
    return weights


def _judged(network: Feedforward, split: Split) -> dict[str, Any]:
    if isinstance(network, FeedforwardRegressor):
        errors = network.errors(split.x_test, split.y_test)
        return {"rmse": errors.rmse, "r2": None if np.isnan(errors.r2) else errors.r2}
    predicted = _classifier(network).predict(split.x_test)
    return {
        "error_rate": float(np.mean(predicted != split.y_test)),
        "recalls": [float(np.mean(predicted[split.y_test == each] == each)) for each in np.unique(split.y_test)],
    }


def _worst(network: Feedforward, split: Split) -> list[tuple[int, dict[str, Any]]]:
    """Places of the most confident mistakes, or the largest residuals, among the test rows, each with its figures."""
    if isinstance(network, FeedforwardRegressor):
        predicted = network.predict(split.x_test)
        badness = np.abs(predicted - split.y_test)
        chosen = np.argsort(-badness, kind="stable")[:SHOWN]
        return [(int(i), _told(split, i, float(predicted[i]), float(split.y_test[i]))) for i in chosen]
    probabilities = _classifier(network).predict_proba(split.x_test)
    predicted, badness = probabilities.argmax(axis=1), probabilities.max(axis=1)
    wrong = np.flatnonzero(predicted != split.y_test)
    chosen = wrong[np.argsort(-badness[wrong], kind="stable")][:SHOWN]
    return [
        (int(i), {**_told(split, i, int(predicted[i]), int(split.y_test[i])), "probability": float(badness[i])})
        for i in chosen
    ]


def _told(split: Split, place: int, predicted: float, true: float) -> dict[str, Any]:
    return {"row": int(split.test_numbers[place]), "predicted": predicted, "true": true}


def _histories(trained: Trained) -> dict[str, Any]:
    layers = [] if trained.stack is None else trained.stack.histories
    return {"layers": [list(history) for history in layers], "fine_tuning": list(trained.network.history)}


def _rows_to_show(stack: StackedAutoencoder | None, split: Split, worst: Array) -> dict[str, Array]:
    originals = np.asarray(split.x_test[:SHOWN])
    shown = {"originals": originals}
    if stack is not None:
        shown["reconstructions"] = stack.reconstruct(originals)
    if len(worst) > 0:
        ascending, places = np.unique(worst, return_inverse=True)
        shown["worst"] = np.asarray(picked(split.x_test, ascending)[:])[places]
    return shown


def _classifier(network: Feedforward) -> FeedforwardClassifier:
    assert isinstance(network, FeedforwardClassifier), "a network is a classifier or a regressor"
    return network
