"""One pretraining epoch of 784-100 at batch 100 from an entry of the HDF5 cache against the same from memory.

Other HDF5 layouts that users bring stand beside it. Command: python benchmarks/cache.py
"""

import tempfile
from pathlib import Path
from typing import Annotated

import h5py
import numpy as np
import torch
import typer
from common import Json, Repetitions, report, time_in_turn

from stacked import SGD, CodeCache, Denoising, Masking, StackedAutoencoder, TrainingConfig, load_mnist
from stacked.cache_entry import Codes

TRAINING = TrainingConfig(epochs=1, batch_size=100, optimizer=SGD(1.0, momentum=0.5))


def main(
    repetitions: Repetitions = 7,
    json: Json = None,
    rows: Annotated[int, typer.Option(min=1000, help="Of MNIST.")] = 60_000,
) -> None:
    """Time one epoch from every place in turn; the weights must come out the same."""
    torch.set_num_threads(1)
    x = load_mnist().x_train[:rows]
    with tempfile.TemporaryDirectory() as folder, h5py.File(Path(folder) / "rows.hdf5", "w") as file:
        cached = CodeCache(folder).get(Codes("rows", x.shape, x.dtype), lambda out: np.copyto(out, x))
        contiguous = file.create_dataset("contiguous", data=x)
        chunked = file.create_dataset("chunked", data=x, chunks=(1000, 784), compression="gzip", compression_opts=1)
        places = {"memory": x, "cache": cached, "HDF5, contiguous": contiguous, "HDF5, gzip chunks": chunked}
        weights = [_epoch(rows) for rows in places.values()]
        assert all(torch.equal(weights[0], other) for other in weights), "the place of the rows changed the weights"
        sides = {name: lambda rows=rows: _epoch(rows) for name, rows in places.items()}
        report(
            "One epoch, 784-100, batch 100, by where the rows lie", time_in_turn(sides, repetitions), "memory", json
        )


def _epoch(rows: object) -> torch.Tensor:
    layer = Denoising(100, corruption=Masking(0.5))
    return StackedAutoencoder([layer], TRAINING, seed=0).fit(rows, progress=False).layers[0].encoder.weight


if __name__ == "__main__":
    typer.run(main)
