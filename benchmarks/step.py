"""An epoch of a layer or a classifier on one thread: how far is it from its matrix products alone?

Sides: the bare matrix products (the floor); stacked's loop with shuffling, noise, books and history; a plain autograd
loop on tensors in memory, and with a DataLoader; NumPy by hand, tuned; for classifiers scikit-learn's MLPClassifier.
Every side goes on with one model from round to round, so that what is done once a training is not timed.
Command: python benchmarks/step.py [--case 784-100]
"""

import functools
import time
from collections.abc import Iterator
from typing import Annotated

import torch
import typer
from cases import CASES, Case, Data, data_for
from common import Json, Repetitions, figures_of, keep, show, time_in_turn
from numpy_peer import NumPyNet
from rich import print as say
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_limits
from torch_peers import in_memory, products_of, with_loader

from stacked import SGD, ClassifierSettings, Denoising, Masking, TrainingConfig
from stacked.examples import Examples
from stacked.heads import ClassHead
from stacked.model import Model
from stacked.network import Network, bare_layers
from stacked.randomness import Seeded
from stacked.streams import Streams
from stacked.training import Training

FLOOR = "matrix products"
MOST_EPOCHS = 10**6


def main(
    repetitions: Repetitions = 7,
    json: Json = None,
    case: Annotated[str, typer.Option(help=f"One of: {', '.join(CASES)}; all by default.")] = "",
    rows: Annotated[int, typer.Option(help="At most so many rows, to try it out.")] = 60_000,
) -> None:
    """Time an epoch of every side in turn."""
    if case and case not in CASES:
        raise typer.BadParameter(f"{case!r} is none of {', '.join(CASES)}", param_hint="--case")
    torch.set_num_threads(1)
    figures = {}
    with threadpool_limits(1):
        for name in [case] if case else CASES:
            data = data_for(CASES[name])
            sides = _sides(CASES[name], Data(data.x[:rows], data.labels[:rows]))
            losses = {side: next(epochs) for side, epochs in sides.items()}
            turns = {side: functools.partial(next, epochs) for side, epochs in sides.items()}
            seconds = time_in_turn(turns, repetitions, time.process_time)
            del losses[FLOOR]
            show(f"An epoch, {name}, batch {CASES[name].batch}, {len(data.x[:rows])} rows", seconds, FLOOR)
            say("mean loss:", ", ".join(f"{side} {loss:.3g}" for side, loss in losses.items()), "\n")
            figures[name] = {"sides": figures_of(seconds, FLOOR), "losses": losses}
    keep(json, cases=figures)


def _sides(case: Case, data: Data) -> dict[str, Iterator[float]]:
    """The epochs of every side, each as its mean loss."""
    sides = {
        FLOOR: products_of(case, data),
        "stacked": with_stacked(case, data),
        "autograd, in memory": in_memory(case, data),
        "autograd, DataLoader": with_loader(case, data),
        "NumPy by hand": NumPyNet(case).epochs(data),
    }
    return sides | ({"scikit-learn": with_scikit_learn(case, data)} if case.is_classifier else {})


def with_stacked(case: Case, data: Data) -> Iterator[float]:
    """Epochs of the loop of the library."""
    config = TrainingConfig(epochs=MOST_EPOCHS, batch_size=case.batch, optimizer=SGD(case.rate, case.momentum))
    training = Training(_model(case), config, Streams.of(Seeded(0), "epoch", device=torch.device("cpu")))
    with training.begun(Examples.all_of(data.x, data.labels if case.is_classifier else None)):
        while training.goes_on():
            training.train_epoch()
            yield training.history["loss"][-1]


def _model(case: Case) -> Model:
    weights = Seeded(0).stream("weights")
    if case.is_classifier:
        settings = ClassifierSettings(case.sizes)
        layers = bare_layers(settings, torch.float32)
        for dense in layers:
            dense.draw(weights, random_bias=False)
        return Network(layers, ClassHead(settings.output, case.sizes[-1]), 0.0, 0.0)
    loss = "cross_entropy" if case.cross_entropy else "squared_error"
    kind = Denoising(case.sizes[1], corruption=Masking(case.masking), tied=case.tied, loss=loss)
    layer = kind.build(case.sizes[0], torch.float32)
    layer.draw(weights)
    return layer


def with_scikit_learn(case: Case, data: Data) -> Iterator[float]:
    """Epochs of `MLPClassifier` with the same sizes, units, batches and descent."""
    model = MLPClassifier(
        case.sizes[1:-1],
        activation="logistic",
        solver="sgd",
        alpha=0.0,
        batch_size=case.batch,
        learning_rate_init=case.rate,
        momentum=case.momentum,
        nesterovs_momentum=False,
    )
    while True:
        yield float(model.partial_fit(data.x, data.labels, classes=range(case.sizes[-1])).loss_)


if __name__ == "__main__":
    typer.run(main)
