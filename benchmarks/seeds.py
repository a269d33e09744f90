"""Several seeds of 784-100: one after the other, over two processes, and together.

Each seed trains one denoising layer on MNIST, or on the first of it, shuffling, masking and codes' history included.
Command: python benchmarks/seeds.py --device cuda
"""

import functools
from typing import Annotated

import torch
import typer
from cases import CASES
from common import Json, Repetitions, report, time_in_turn
from rich import print as say

from stacked import SGD, Denoising, Masking, StackedAutoencoder, TrainingConfig, load_mnist
from stacked.devices import device_named
from stacked.rows import Array
from stacked.seeds import fit_stacks

CLASSIC = CASES["784-100"]


def stack_of(seed: int, device: str) -> StackedAutoencoder:
    """One layer, not trained yet."""
    training = TrainingConfig(
        epochs=1, batch_size=CLASSIC.batch, optimizer=SGD(CLASSIC.rate, momentum=CLASSIC.momentum)
    )
    layer = Denoising(CLASSIC.sizes[1], corruption=Masking(CLASSIC.masking))
    return StackedAutoencoder([layer], training, seed=seed, device=device)


def alone(x: Array, seed: int, device: str) -> float:
    """Train one seed on one thread; the mean loss of its epoch."""
    torch.set_num_threads(1)
    return float(stack_of(seed, device).fit(x, progress=False).histories[0]["loss"][0])


def over_processes(x: Array, seeds: int, device: str) -> list[float]:
    """Train every seed, two processes at a time."""
    from joblib import Parallel, delayed  # noqa: PLC0415 - only this side needs it

    return list(Parallel(n_jobs=2)(delayed(alone)(x, seed, device) for seed in range(seeds)))


def together(x: Array, seeds: int, device: str) -> list[float]:
    """Train every seed in lock-step."""
    stacks = [stack_of(seed, device) for seed in range(seeds)]
    fit_stacks(stacks, x)
    return [float(stack.histories[0]["loss"][0]) for stack in stacks]


def main(
    repetitions: Repetitions = 5,
    json: Json = None,
    seeds: Annotated[int, typer.Option(min=1, help="How many.")] = 10,
    rows: Annotated[int, typer.Option(min=CLASSIC.batch, help="Of MNIST.")] = 60000,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
) -> None:
    """Time every way in turn."""
    device_named(device)
    x = load_mnist().x_train[:rows]
    torch.set_num_threads(1)
    sides = {
        "one by one": lambda: [alone(x, seed, device) for seed in range(seeds)],
        "two processes": functools.partial(over_processes, x, seeds, device),
        "together": functools.partial(together, x, seeds, device),
    }
    losses = {name: side()[0] for name, side in sides.items()}
    say("mean loss of the first seed: " + ", ".join(f"{name} {loss:.4f}" for name, loss in losses.items()))
    title = f"One epoch of {seeds} seeds, 784-{CLASSIC.sizes[1]}, batch {CLASSIC.batch}, {rows} rows, {device}"
    report(title, time_in_turn(sides, repetitions), "one by one", json)


if __name__ == "__main__":
    typer.run(main)
