"""A model's figures on clean rows."""

import contextlib

import torch

from stacked.batches import Batches
from stacked.callbacks import Record
from stacked.examples import Examples
from stacked.model import Model
from stacked.ranks import ALONE, Ranks
from stacked.rows import BLOCK


class Evaluation:
    """Measures a model on clean rows. Every rank takes some of the blocks that a process on its own would take.

    Parameters
    ----------
    model : Model
        What is measured.
    examples : Examples
        The rows.
    ranks : Ranks
        Who measures together.
    """

    def __init__(self, model: Model, examples: Examples, ranks: Ranks = ALONE) -> None:
        self._model, self._ranks, self._n_rows = model, ranks, len(examples.numbers)
        own = examples._replace(numbers=examples.numbers[slice(*ranks.share.blocks_of(self._n_rows))])
        weight = next(model.parameters())
        self._batches = Batches(own, BLOCK, weight.dtype, weight.device) if len(own.numbers) else None

    def figures(self) -> Record:
        """The figures, averaged over the rows, each named `validation_...`."""
        sums: dict[str, float] = {}
        for of_rank in self._ranks.gather(self._sums()):
            for name, value in of_rank.items():
                sums[name] = sums.get(name, 0.0) + value
        return {f"validation_{name}": total / self._n_rows for name, total in sums.items()}

    @torch.no_grad()
    def _sums(self) -> dict[str, float]:
        sums: dict[str, float] = {}
        if self._batches is None:
            return sums
        with contextlib.closing(self._batches.in_order()) as minibatches:
            for x, labels in minibatches:
                for name, value in self._model.figures(x, labels).items():
                    sums[name] = sums.get(name, 0.0) + float(value) * len(x)
        return sums
