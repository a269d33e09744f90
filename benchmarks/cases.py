"""What the benchmark of the training step measures: layers and classifiers, with the data they are trained on."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stacked import load_mnist

Rows = NDArray[np.float32]


@dataclass(frozen=True)
class Case:
    """One network and how it is trained: sigmoid hidden units, plain or momentum descent, one epoch.

    `sizes` are those of a layer (inputs, units) or of a classifier (inputs, hidden layers, classes). A layer has
    sigmoid outputs and squared error, or `cross_entropy`; a classifier softmax outputs.
    """

    sizes: tuple[int, ...]
    batch: int
    n_rows: int
    rate: float
    momentum: float = 0.0
    masking: float = 0.0
    tied: bool = False
    cross_entropy: bool = False

    @property
    def is_classifier(self) -> bool:
        """Whether it ends in classes, not in a reconstruction."""
        return len(self.sizes) > 2

    @property
    def widths(self) -> tuple[int, ...]:
        """Of all layers from the inputs to the outputs."""
        return self.sizes if self.is_classifier else (*self.sizes, self.sizes[0])

    def glorot_limit(self, layer: int) -> float:
        """Bound of a layer's initial weights, with the gain of sigmoid units, 4, or of softmax, 1."""
        gain = 1 if self.is_classifier and layer == len(self.widths) - 2 else 4
        return gain * math.sqrt(6 / (self.widths[layer] + self.widths[layer + 1]))


CASES = {
    "784-100": Case((784, 100), 100, 60_000, 1.0, momentum=0.5, masking=0.5),
    "784-500 tied": Case((784, 500), 20, 10_000, 0.1, masking=0.3, tied=True, cross_entropy=True),
    "1000-1000": Case((1000, 1000), 100, 10_000, 0.1, momentum=0.5, masking=0.5),
    "1000-1000 large batch": Case((1000, 1000), 256, 10_240, 0.1, momentum=0.5, masking=0.5),
    "784-100-100-10": Case((784, 100, 100, 10), 100, 60_000, 0.5, momentum=0.5),
    "784-1000-1000-1000-10": Case((784, 1000, 1000, 1000, 10), 100, 10_000, 0.02, momentum=0.5),
}


class Data(NamedTuple):
    """Rows in [0, 1], shape `(n, n_inputs)`, and their classes."""

    x: Rows
    labels: NDArray[np.int64]


def data_for(case: Case) -> Data:
    """MNIST's training images where they fit the case, uniform numbers otherwise."""
    if case.sizes[0] == 784:
        images = load_mnist()
        return Data(images.x_train[: case.n_rows], images.y_train[: case.n_rows])
    random = np.random.default_rng(0)
    x = random.random((case.n_rows, case.sizes[0]), dtype=np.float32)
    return Data(x, random.integers(0, 10, case.n_rows))
