"""Deep classifiers with batch normalisation or residual connections, for the loop of the library.

Ioffe and Szegedy, "Batch normalization" (2015): `a_k = f(BN(W_k a_{k-1} + b_k))`. A simplification of He, Zhang, Ren
and Sun, "Deep residual learning" (2016), with one layer a block: `a_k = a_{k-1} + f(W_k a_{k-1} + b_k)` from the
second hidden layer on. And both: `a_k = a_{k-1} + f(BN(W_k a_{k-1} + b_k))`.
"""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stacked.dense import Dense
from stacked.losses import softmax_cross_entropy
from stacked.model import Batch, Model
from stacked.randomness import Stream


class DeepNetwork(Model):
    """A classifier of `depth` hidden layers of one width.

    Parameters
    ----------
    sizes : (int, int, int)
        Inputs, units of each hidden layer, classes.
    depth : int
        Hidden layers.
    activation : str
        Theirs.
    batch_norm, residual : bool
        What is between them.
    """

    selection_figure = "validation_error_rate"

    def __init__(
        self, sizes: tuple[int, int, int], depth: int, activation: str, *, batch_norm: bool, residual: bool
    ) -> None:
        super().__init__()
        n_inputs, width, n_classes = sizes
        self.residual, self.n_classes = residual, n_classes
        self.steps_once = "running statistics" if batch_norm else ""
        below = [n_inputs, *[width] * (depth - 1)]
        self.hidden = nn.ModuleList(Dense(n, width, activation, torch.float32) for n in below)
        self.last = Dense(width, n_classes, "linear", torch.float32)
        self.norms = nn.ModuleList(nn.BatchNorm1d(width) for _ in range(depth if batch_norm else 0))

    def draw(self, stream: Stream) -> None:
        """Draw the initial weights by the law of all classifiers of the library."""
        for layer in (*self.hidden, self.last):
            layer.draw(stream, random_bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Logits, shape `(n, n_classes)`."""
        for k, layer in enumerate(self.hidden):
            sums = layer.logits(x)
            a = layer.activation.apply(self.norms[k](sums) if self.norms else sums)
            x = x + a if self.residual and k > 0 else a
        return self.last.logits(x)

    def prepare(self, x: Tensor, labels: Tensor | None, noise: Stream | None) -> Batch:
        return Batch(x, F.one_hot(labels, self.n_classes).to(x.dtype))

    def objective(self, batch: Batch) -> Tensor:
        return softmax_cross_entropy(self(batch.inputs), batch.target)

    def figures(self, x: Tensor, labels: Tensor | None) -> dict[str, Tensor]:
        logits = self(x)
        wrong = logits.argmax(dim=1).ne(labels).to(x.dtype).mean()
        return {"loss": softmax_cross_entropy(logits, self.prepare(x, labels, None).target), "error_rate": wrong}

    def decayed_weights(self) -> Iterator[nn.Parameter]:
        return iter(())
