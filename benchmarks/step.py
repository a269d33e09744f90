"""One epoch of a layer or a classifier on one thread: how far is it from its matrix products alone?

Sides: the bare matrix products (the floor); stacked's loop with shuffling, noise, books and history; a plain autograd
loop on tensors in memory, and with a DataLoader; NumPy by hand, tuned; for classifiers scikit-learn's MLPClassifier.
Command: python benchmarks/step.py [--case 784-100]
"""

import time
import warnings
from collections.abc import Callable
from typing import Annotated

import torch
import typer
from cases import CASES, Case, Data, data_for
from common import Json, Repetitions, figures_of, keep, show, time_in_turn
from numpy_peer import NumPyNet
from rich import print as say
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_limits
from torch_peers import in_memory, products_of, with_loader

from stacked import SGD, ClassifierSettings, Denoising, Masking, TrainingConfig
from stacked.classifier import bare_layers
from stacked.examples import Examples
from stacked.model import Model
from stacked.network import Network
from stacked.outputs import class_output
from stacked.randomness import Seeded
from stacked.streams import Streams
from stacked.training import Training

FLOOR = "matrix products"


def main(
    repetitions: Repetitions = 7,
    json: Json = None,
    case: Annotated[str, typer.Option(help=f"One of: {', '.join(CASES)}; all by default.")] = "",
    rows: Annotated[int, typer.Option(help="At most so many rows, to try it out.")] = 60_000,
) -> None:
    """Time one epoch of every side in turn."""
    if case and case not in CASES:
        raise typer.BadParameter(f"{case!r} is none of {', '.join(CASES)}", param_hint="--case")
    torch.set_num_threads(1)
    figures = {}
    with threadpool_limits(1):
        for name in [case] if case else CASES:
            data = data_for(CASES[name])
            sides = _sides(CASES[name], Data(data.x[:rows], data.labels[:rows]))
            losses = {side: run() for side, run in sides.items() if side != FLOOR}
            seconds = time_in_turn(sides, repetitions, time.process_time)
            show(f"One epoch, {name}, batch {CASES[name].batch}, {len(data.x[:rows])} rows", seconds, FLOOR)
            say("mean loss:", ", ".join(f"{side} {loss:.3g}" for side, loss in losses.items()), "\n")
            figures[name] = {"sides": figures_of(seconds, FLOOR), "losses": losses}
    keep(json, cases=figures)


def _sides(case: Case, data: Data) -> dict[str, Callable[[], float]]:
    sides = {
        FLOOR: products_of(case, data),
        "stacked": lambda: with_stacked(case, data),
        "autograd, in memory": lambda: in_memory(case, data),
        "autograd, DataLoader": lambda: with_loader(case, data),
        "NumPy by hand": lambda: NumPyNet(case).epoch(data),
    }
    return sides | ({"scikit-learn": lambda: with_scikit_learn(case, data)} if case.is_classifier else {})


def with_stacked(case: Case, data: Data) -> float:
    """The loop of the library; the mean loss."""
    config = TrainingConfig(epochs=1, batch_size=case.batch, optimizer=SGD(case.rate, case.momentum))
    streams = Streams.of(Seeded(0), "epoch", device=torch.device("cpu"))
    labels = data.labels if case.is_classifier else None
    return float(Training(_model(case), config, streams).fit(Examples.all_of(data.x, labels))["loss"][0])


def _model(case: Case) -> Model:
    weights = Seeded(0).stream("weights")
    if case.is_classifier:
        settings = ClassifierSettings(case.sizes)
        layers = bare_layers(settings, torch.float32)
        for dense in layers:
            dense.draw(weights, random_bias=False)
        return Network(layers, class_output(settings.output), 0.0, 0.0)
    loss = "cross_entropy" if case.cross_entropy else "squared_error"
    kind = Denoising(case.sizes[1], corruption=Masking(case.masking), tied=case.tied, loss=loss)
    layer = kind.build(case.sizes[0], torch.float32)
    layer.draw(weights)
    return layer


def with_scikit_learn(case: Case, data: Data) -> float:
    """One epoch of `MLPClassifier` with the same sizes, units, batches and descent; the mean loss."""
    model = MLPClassifier(
        case.sizes[1:-1],
        activation="logistic",
        solver="sgd",
        alpha=0.0,
        batch_size=case.batch,
        learning_rate_init=case.rate,
        momentum=case.momentum,
        nesterovs_momentum=False,
        max_iter=1,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # one epoch is what is asked for
        return float(model.fit(data.x, data.labels).loss_)


if __name__ == "__main__":
    typer.run(main)
