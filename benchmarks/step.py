"""One pretraining epoch of 784-100 at batch 100 on one thread, with shuffling, masking and history.

Sides: the five bare matrix products (the floor), stacked's loop, a plain autograd loop with a DataLoader, and NumPy
written by hand, as one writes it and tuned. Command: python benchmarks/step.py
"""

import torch
import typer
from common import Json, Repetitions, report, time_in_turn
from peers import (
    BATCH,
    MASKING,
    MOMENTUM,
    RATE,
    UNITS,
    autograd_with_loader,
    by_hand_in_numpy,
    in_place_in_numpy,
    matrix_products,
)
from rich import print as say
from threadpoolctl import threadpool_limits

from stacked import SGD, Denoising, Masking, TrainingConfig, load_mnist
from stacked.examples import Examples
from stacked.randomness import Seeded
from stacked.streams import Streams
from stacked.training import Training


def main(repetitions: Repetitions = 7, json: Json = None) -> None:
    """Time one epoch of every side in turn."""
    x = load_mnist().x_train
    tensor = torch.from_numpy(x)
    training = TrainingConfig(epochs=1, batch_size=BATCH, optimizer=SGD(RATE, momentum=MOMENTUM))

    def ours() -> float:
        layer = Denoising(UNITS, corruption=Masking(MASKING)).build(x.shape[1], torch.float32)
        layer.draw(Seeded(0).stream("weights"))
        streams = Streams.of(Seeded(0), "epoch", device=torch.device("cpu"))
        return float(Training(layer, training, streams).fit(Examples.all_of(x))["loss"][0])

    torch.set_num_threads(1)
    with threadpool_limits(1):
        losses = ours(), autograd_with_loader(tensor), by_hand_in_numpy(x)
        say("mean loss of the epoch: stacked {:.2f}, autograd {:.2f}, NumPy {:.2f}".format(*losses))
        sides = {
            "matrix products": lambda: matrix_products(tensor),
            "stacked": ours,
            "autograd, DataLoader": lambda: autograd_with_loader(tensor),
            "NumPy by hand": lambda: by_hand_in_numpy(x),
            "NumPy by hand, in place": lambda: in_place_in_numpy(x),
        }
        report("One epoch, 784-100, batch 100", time_in_turn(sides, repetitions), "matrix products", json)


if __name__ == "__main__":
    typer.run(main)
