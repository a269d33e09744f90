"""A feedforward network: dense hidden layers, a head, dropout while it is trained."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from stacked.dense import Dense
from stacked.feedforward_settings import FeedforwardSettings
from stacked.gradients import Backpropagation
from stacked.heads import Head
from stacked.model import Batch, DenseModel
from stacked.randomness import Stream
from stacked.symptoms import signs_in_layers


class Network(DenseModel):
    """A chain of dense layers, the last of which gives what a head judges.

    Parameters
    ----------
    layers : sequence of Dense
        Bottom first; shared with whoever made them, and changed in place by training.
    head : Head
        What the weighted sums of the last layer stand for.
    dropout : float
        Probability with which the output of each hidden layer is dropped in training; the kept ones are divided by
        1 - dropout (Srivastava et al., 2014).
    weight_decay : float
        Adds weight_decay / 2 * sum of squared weights (not biases) to the objective.
    on_codes : bool
        Whether the inputs are outputs of hidden layers below, and are dropped as these are.
    """

    def __init__(
        self, layers: Sequence[Dense], head: Head, dropout: float, weight_decay: float, *, on_codes: bool = False
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.head, self.dropout, self.weight_decay, self._on_codes = head, dropout, weight_decay, on_codes
        self.selection_figure = head.selection_figure
        self._hidden, self._last = list(layers[:-1]), layers[-1]
        self.backpropagation = Backpropagation(self._hidden, self._last, head.output)

    def logits(self, x: Tensor, masks: Sequence[Tensor] = ()) -> Tensor:
        """Weighted sums of the output units, shape `(n, n_outputs)`."""
        for k, layer in enumerate(self._hidden):
            x = layer(x) * masks[k] if masks else layer(x)
        return self._last.logits(x)

    def prepare(self, x: Tensor, labels: Tensor | None, noise: Stream | None) -> Batch:
        assert labels is not None, "it is trained on labelled rows"
        target = self.head.targets(labels, x)
        if noise is None or self.dropout == 0:
            return Batch(x, target)
        if self._on_codes:
            x = x * self._mask(x, noise)
        hidden = (x.new_empty(x.shape[0], len(layer.bias)) for layer in self._hidden)
        return Batch(x, target, tuple(self._mask(units, noise) for units in hidden))

    def _mask(self, like: Tensor, noise: Stream) -> Tensor:
        return noise.keep_mask(like, self.dropout).div_(1 - self.dropout)

    def objective(self, batch: Batch) -> Tensor:
        return self.head.output.loss(self.logits(batch.inputs, batch.draws), batch.target) + self.decay_value()

    def figures(self, x: Tensor, labels: Tensor | None) -> dict[str, Tensor]:
        assert labels is not None, "it is measured on labelled rows"
        return self.head.figures(self.logits(x), labels)

    def symptoms(self, sample: Tensor, labels: Tensor | None) -> list[str]:
        assert labels is not None, "it is trained on labelled rows"
        return self.head.symptoms(self.logits(sample), labels) + signs_in_layers(self._hidden, sample)

    def decayed_weights(self) -> Iterator[nn.Parameter]:
        for layer in (*self._hidden, self._last):
            yield layer.weight


def bare_layers(settings: FeedforwardSettings, dtype: torch.dtype) -> list[Dense]:
    """The layers of a network, bottom first, their weights not yet drawn."""
    activations = (*settings.activations, settings.output_activation)
    pairs = zip(pairwise(settings.sizes), activations, strict=True)
    return [Dense(n_inputs, n_units, activation, dtype) for (n_inputs, n_units), activation in pairs]
