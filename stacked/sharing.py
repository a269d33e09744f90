"""One minibatch shared out among ranks: noise, gradients and means of a part, so that all is as in one process.

Every rank draws the noise of the whole minibatch and keeps that of its rows, so that the weights do not depend on how
many ranks there are. The gradients of the parts are added up once for every evaluation of the objective.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from stacked.gradients import Accumulation
from stacked.model import Batch, Model
from stacked.optimizers import Accumulate
from stacked.randomness import Stream
from stacked.ranks import Ranks


class PartStream(Stream):
    """The numbers of some rows of a minibatch, drawn as for all of them; the stream goes on as if they were.

    Parameters
    ----------
    stream : Stream
        Draws them.
    n_rows : int
        Rows of the minibatch.
    part : slice
        Whose numbers are given. What asks for numbers has as many rows.
    """

    def __init__(self, stream: Stream, n_rows: int, part: slice) -> None:
        self._stream, self._n_rows, self._part = stream, n_rows, part

    def permutation(self, n: int) -> Tensor:
        return self._stream.permutation(n)

    def uniform_(self, out: Tensor, low: float, high: float) -> Tensor:
        return out.copy_(self._own(out, lambda whole: self._stream.uniform_(whole, low, high)))

    def normal(self, like: Tensor) -> Tensor:
        return self._own(like, self._stream.normal)

    def keep_mask(self, like: Tensor, drop: float) -> Tensor:
        return self._own(like, lambda whole: self._stream.keep_mask(whole, drop))

    def state(self) -> Tensor:
        return self._stream.state()

    def restore(self, state: Tensor) -> None:
        self._stream.restore(state)

    def _own(self, like: Tensor, draw: Callable[[Tensor], Tensor]) -> Tensor:
        return draw(like.new_empty(self._n_rows, *like.shape[1:]))[self._part]


class SharedObjective:
    """The objective of a model on minibatches of which every rank has a part.

    Parameters
    ----------
    model : Model
        Told, until `release`, how means over a part become means over the minibatch.
    ranks : Ranks
        Who has the parts.
    """

    def __init__(self, model: Model, ranks: Ranks) -> None:
        self._model, self._ranks = model, ranks
        self._parameters = model.trainable()
        sizes = [parameter.numel() for parameter in self._parameters]
        self._sums = self._parameters[0].new_zeros(sum(sizes) + 1)  # of all gradients, and of the objective
        pieces: tuple[Tensor, ...] = torch.split(self._sums, [*sizes, 1])
        self._slopes = [piece.view_as(like) for piece, like in zip(pieces, self._parameters, strict=False)]
        self._value = pieces[-1]
        self._weight = 1.0
        model.whole_mean = self._whole_mean

    def on(self, x: Tensor, labels: Tensor | None, noise: Stream, n_rows: int) -> Accumulate:
        """The gradients and the value on a minibatch of `n_rows` rows, given those of this rank."""
        part = slice(*self._ranks.share.part_of(n_rows))
        batch = self._model.prepare(x, labels, PartStream(noise, n_rows, part))
        self._weight = len(x) / n_rows
        return partial(self._accumulate, batch if len(x) else _one_empty_row(batch))

    def release(self) -> None:
        """Let the model train by itself again."""
        del self._model.whole_mean

    def _accumulate(self, batch: Batch, how: Accumulation) -> Tensor:
        held = [parameter.grad for parameter in self._parameters]
        self._sums.zero_()
        for parameter, slope in zip(self._parameters, self._slopes, strict=True):
            parameter.grad = slope
        self._value.fill_(self._weight * self._model.accumulate_gradients(batch, Accumulation(0.0, self._weight)))
        self._ranks.sum_(self._sums)
        for parameter, gradient, slope in zip(self._parameters, held, self._slopes, strict=True):
            assert gradient is not None, "the optimiser makes room for the gradients"
            gradient.mul_(how.decay) if how.decay else gradient.zero_()
            parameter.grad = gradient.add_(slope, alpha=how.scale)
        return self._value[0].clone()

    def _whole_mean(self, mean: Tensor) -> Tensor:
        return self._ranks.sum_(mean * self._weight)


def _one_empty_row(batch: Batch) -> Batch:
    """A row that counts for nothing, so that a rank without rows takes part in all that ranks do together."""

    def row(tensor: Tensor) -> Tensor:
        return tensor.new_zeros(1, *tensor.shape[1:])

    return Batch(row(batch.inputs), row(batch.target), tuple(map(row, batch.draws)))
