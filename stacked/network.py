"""The network of a classifier: dense hidden layers, class outputs, dropout while it is trained."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from stacked.dense import Dense
from stacked.gradients import Backpropagation
from stacked.model import Batch, DenseModel
from stacked.outputs import Output
from stacked.randomness import Stream
from stacked.symptoms import signs_in_layers, signs_of_chance


class Network(DenseModel):
    """A chain of dense layers, the last of which gives one value a class.

    Parameters
    ----------
    layers : sequence of Dense
        Bottom first; shared with whoever made them, and changed in place by training.
    output : Output
        Turns the weighted sums of the last layer into outputs, and judges them.
    dropout : float
        Probability with which the output of each hidden layer is dropped in training; the kept ones are divided by
        1 - dropout (Srivastava et al., 2014).
    weight_decay : float
        Adds weight_decay / 2 * sum of squared weights (not biases) to the objective.
    on_codes : bool
        Whether the inputs are outputs of hidden layers below, and are dropped as these are.
    """

    selection_figure = "validation_error_rate"

    def __init__(
        self, layers: Sequence[Dense], output: Output, dropout: float, weight_decay: float, *, on_codes: bool = False
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.output, self.dropout, self.weight_decay, self._on_codes = output, dropout, weight_decay, on_codes
        self._hidden, self._last = list(layers[:-1]), layers[-1]
        self.backpropagation = Backpropagation(self._hidden, self._last, output)
        self._one_hot: Tensor | None = None

    def logits(self, x: Tensor, masks: Sequence[Tensor] = ()) -> Tensor:
        """Weighted sums of the output units, shape `(n, n_classes)`."""
        for k, layer in enumerate(self._hidden):
            x = layer(x) * masks[k] if masks else layer(x)
        return self._last.logits(x)

    def prepare(self, x: Tensor, labels: Tensor | None, noise: Stream | None) -> Batch:
        assert labels is not None, "a classifier is trained on labelled rows"
        target = torch.index_select(self._classes_one_hot(x), 0, labels)
        if noise is None or self.dropout == 0:
            return Batch(x, target)
        if self._on_codes:
            x = x * self._mask(x, noise)
        hidden = (x.new_empty(x.shape[0], len(layer.bias)) for layer in self._hidden)
        return Batch(x, target, tuple(self._mask(units, noise) for units in hidden))

    def _classes_one_hot(self, like: Tensor) -> Tensor:
        """The target of each class, shape `(n_classes, n_classes)`; kept, for it is wanted at every step."""
        if self._one_hot is None or self._one_hot.device != like.device:
            self._one_hot = torch.eye(len(self._last.bias), dtype=like.dtype, device=like.device)
        return self._one_hot

    def _mask(self, like: Tensor, noise: Stream) -> Tensor:
        return noise.keep_mask(like, self.dropout).div_(1 - self.dropout)

    def objective(self, batch: Batch) -> Tensor:
        return self.output.loss(self.logits(batch.inputs, batch.draws), batch.target) + self.decay_value()

    def figures(self, x: Tensor, labels: Tensor | None) -> dict[str, Tensor]:
        batch = self.prepare(x, labels, None)
        logits = self.logits(x)
        wrong = self._classes(logits).ne(batch.target.argmax(dim=1))
        return {"loss": self.output.loss(logits, batch.target), "error_rate": wrong.to(x.dtype).mean()}

    def symptoms(self, sample: Tensor, labels: Tensor | None) -> list[str]:
        assert labels is not None, "a classifier is trained on labelled rows"
        predicted = self._classes(self.logits(sample))
        return signs_of_chance(predicted, labels) + signs_in_layers(self._hidden, sample)

    def _classes(self, logits: Tensor) -> Tensor:
        return self.output.values(logits).argmax(dim=1)

    def decayed_weights(self) -> Iterator[nn.Parameter]:
        for layer in (*self._hidden, self._last):
            yield layer.weight
