"""One pretraining epoch by one process with one thread, by two processes with one each, and by one with two threads.

Command: python benchmarks/ranks.py; a wide layer: --columns 1000 --units 1000 --batch 256 --rows 10000
"""

import os
import socket
import subprocess
import sys

import numpy as np
import torch
import typer
from common import Json, Repetitions, report, time_in_turn

from stacked import SGD, Denoising, Masking, TrainingConfig, joined_ranks
from stacked.examples import Examples
from stacked.randomness import Seeded
from stacked.ranks import ALONE, Ranks
from stacked.streams import Streams
from stacked.training import Training


def main(
    columns: int = 784,
    units: int = 100,
    batch: int = 100,
    rows: int = 60_000,
    repetitions: Repetitions = 7,
    json: Json = None,
) -> None:
    """Time one epoch of every side in turn; this process is rank 0, and starts rank 1."""
    x = np.random.default_rng(0).random((rows, columns), dtype=np.float32)
    if "RANK" in os.environ:
        return help_along(x, units, batch)
    os.environ |= {"RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    with subprocess.Popen([sys.executable, *sys.argv], env={**os.environ, "RANK": "1"}), joined_ranks() as ranks:

        def together() -> float:
            ranks.gather("another epoch")
            return epoch(x, units, batch, ranks=ranks)

        sides = {
            "1 process": lambda: epoch(x, units, batch),
            "2 processes": together,
            "1 process, 2 threads": lambda: epoch(x, units, batch, threads=2),
        }
        losses = [side() for side in sides.values()]
        assert np.allclose(losses, losses[0], rtol=1e-4), f"the sides disagree: {losses}"
        seconds = time_in_turn(sides, repetitions)
        ranks.gather("the end")
    report(f"One epoch, {columns}-{units}, batch {batch}", seconds, "1 process", json)
    return None


def help_along(x: np.ndarray, units: int, batch: int) -> None:
    """What rank 1 does: its part of every epoch that rank 0 begins."""
    with joined_ranks() as ranks:
        while ranks.gather(None)[0] != "the end":
            epoch(x, units, batch, ranks=ranks)


def epoch(x: np.ndarray, units: int, batch: int, *, ranks: Ranks = ALONE, threads: int = 1) -> float:
    """Train for one epoch; the mean loss."""
    torch.set_num_threads(threads)
    layer = Denoising(units, corruption=Masking(0.5)).build(x.shape[1], torch.float32)
    layer.draw(Seeded(0).stream("weights"))
    streams = Streams.of(Seeded(0), "epoch", device=torch.device("cpu"))
    training = TrainingConfig(epochs=1, batch_size=batch, optimizer=SGD(0.1, momentum=0.5))
    return float(Training(layer, training, streams, ranks=ranks).fit(Examples.all_of(x))["loss"][0])


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    typer.run(main)
