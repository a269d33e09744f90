"""A model's figures on clean rows."""

import contextlib

import torch

from stacked.batches import Batches
from stacked.callbacks import Record
from stacked.model import Model


@torch.no_grad()
def measure(model: Model, batches: Batches) -> Record:
    """The model's figures on clean rows, averaged over them, each named `validation_...`."""
    sums: dict[str, float] = {}
    n_rows = 0
    with contextlib.closing(batches.in_order()) as minibatches:
        for x, labels in minibatches:
            n_rows += len(x)
            for name, value in model.figures(x, labels).items():
                sums[name] = sums.get(name, 0.0) + float(value) * len(x)
    return {f"validation_{name}": total / n_rows for name, total in sums.items()}
