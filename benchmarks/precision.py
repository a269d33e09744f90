"""One epoch of a denoising layer in each precision.

Command: python benchmarks/precision.py --width 1000 --device cuda
"""

from typing import Annotated

import numpy as np
import torch
import typer
from cases import CASES
from common import Json, Repetitions, report, time_in_turn
from rich import print as say

from stacked import SGD, Denoising, Masking, TrainingConfig
from stacked.devices import device_named
from stacked.examples import Examples
from stacked.precision import PRECISIONS
from stacked.randomness import Seeded
from stacked.streams import Streams
from stacked.training import Training

CLASSIC = CASES["784-100"]


def main(
    repetitions: Repetitions = 5,
    json: Json = None,
    width: Annotated[int, typer.Option(min=1, help="Columns of the rows.")] = 784,
    units: Annotated[int, typer.Option(min=1, help="Width of the codes.")] = 100,
    rows: Annotated[int, typer.Option(min=CLASSIC.batch, help="Random ones, from 0 to 1.")] = 20000,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
) -> None:
    """Time an epoch of every precision in turn, on one thread."""
    place = device_named(device)
    torch.set_num_threads(1)
    x = np.random.default_rng(0).random((rows, width), dtype=np.float32)

    def epoch(precision: str) -> float:
        config = TrainingConfig(
            1, CLASSIC.batch, SGD(CLASSIC.rate / 100, momentum=CLASSIC.momentum), precision=precision
        )
        layer = Denoising(units, corruption=Masking(CLASSIC.masking)).build(width, torch.float32)
        layer.draw(Seeded(0).stream("weights"))
        streams = Streams.of(Seeded(0), "epoch", device=place)
        return float(Training(layer.to(place), config, streams).fit(Examples.all_of(x))["loss"][0])

    losses = ", ".join(f"{precision} {epoch(precision):.4f}" for precision in PRECISIONS)
    say(f"mean loss of the epoch: {losses}")
    sides = {precision: lambda precision=precision: epoch(precision) for precision in PRECISIONS}
    title = f"One epoch, {width}-{units}, batch {CLASSIC.batch}, {rows} rows, {device}"
    report(title, time_in_turn(sides, repetitions), "float32", json)


if __name__ == "__main__":
    typer.run(main)
