"""A whole stack as one deep autoencoder: all encoders going up, then all decoders coming down.

Hinton and Salakhutdinov, "Reducing the dimensionality of data with neural networks" (2006): layers that were trained
one by one are unrolled and fine-tuned together on the reconstruction of the rows.
"""

from collections.abc import Iterator, Sequence
from functools import reduce

from torch import Tensor, nn

from stacked.autoencoders import Autoencoder
from stacked.dense import Dense, TiedDense
from stacked.gradients import Backpropagation
from stacked.model import Batch, DenseModel
from stacked.randomness import Stream
from stacked.symptoms import signs_in_layers


class Unrolled(DenseModel):
    """The reconstruction loss of the lowest layer, through all layers: clean rows in, no penalties or constraints.

    Parameters
    ----------
    layers : sequence of Autoencoder
        Bottom first; trained in place. The log variances of variational layers play no part, for their codes are the
        means.
    """

    def __init__(self, layers: Sequence[Autoencoder]) -> None:
        super().__init__()
        chain: list[Dense | TiedDense] = [dense for layer in layers for dense in layer.encoder_layers]
        chain += [dense for layer in reversed(layers) for dense in layer.decoder_layers]
        *hidden, last = chain
        self.chain = nn.ModuleList(chain)
        self._hidden, self._last, self._output = hidden, last, layers[0].output
        self.backpropagation = Backpropagation(hidden, last, self._output)

    def logits(self, x: Tensor) -> Tensor:
        """Weighted sums of the reconstruction, shape `(n, n_inputs)`."""
        return self._last.logits(reduce(lambda a, layer: layer(a), self._hidden, x))

    def prepare(self, x: Tensor, labels: Tensor | None, noise: Stream | None) -> Batch:
        return Batch(x, x)

    def objective(self, batch: Batch) -> Tensor:
        return self._output.loss(self.logits(batch.inputs), batch.target)

    def figures(self, x: Tensor, labels: Tensor | None) -> dict[str, Tensor]:
        return {"loss": self._output.loss(self.logits(x), x)}

    def symptoms(self, sample: Tensor, labels: Tensor | None) -> list[str]:
        return signs_in_layers(self._hidden, sample)

    def decayed_weights(self) -> Iterator[nn.Parameter]:
        return iter(())
