"""Training by hand in NumPy, tuned: no temporary of the size of a batch, masks of random bytes."""

from collections.abc import Iterator

import numpy as np
from cases import Case, Data, Rows


class NumPyNet:
    """The network of a case with its gradients.

    Weights are `(n_inputs, n_units)`, one matrix a layer; a tied decoder uses that of the encoder, transposed.
    """

    def __init__(self, case: Case) -> None:
        self.case, self.random = case, np.random.default_rng(0)
        self.weights = [self._drawn(layer) for layer in range(1 if case.tied else len(case.widths) - 1)]
        self.biases = [np.zeros(width, np.float32) for width in case.widths[1:]]
        self.parameters = [*self.weights, *self.biases]
        self.velocities = [np.zeros_like(parameter) for parameter in self.parameters]
        self.units = [np.empty((case.batch, width), np.float32) for width in case.widths]
        self.deltas = [np.empty_like(units) for units in self.units]

    def epochs(self, data: Data) -> Iterator[float]:
        """Train on all rows again and again; the mean loss of every epoch."""
        while True:
            yield self.epoch(data)

    def epoch(self, data: Data) -> float:
        """Train on all rows once; the mean loss."""
        case, order, total = self.case, self.random.permutation(len(data.x)), 0.0
        target = np.empty((case.batch, case.widths[-1]), np.float32)
        for start in range(0, len(data.x) - case.batch + 1, case.batch):
            numbers = order[start : start + case.batch]
            if case.is_classifier:
                np.take(data.x, numbers, axis=0, out=self.units[0], mode="clip")
                target.fill(0)
                target[np.arange(case.batch), data.labels[numbers]] = 1
            else:
                np.take(data.x, numbers, axis=0, out=target, mode="clip")
                self._mask(target, self.units[0])
            self._forward()
            total += self._output(target)
            self._backward()
        return total / (len(data.x) // case.batch)

    def _drawn(self, layer: int) -> Rows:
        limit, shape = self.case.glorot_limit(layer), self.case.widths[layer : layer + 2]
        return self.random.uniform(-limit, limit, shape).astype(np.float32)

    def _mask(self, clean: Rows, out: Rows) -> None:
        keep = np.frombuffer(self.random.bytes(clean.size), np.uint8).reshape(clean.shape) >= self.case.masking * 256
        np.multiply(clean, keep, out=out)

    def _weight(self, layer: int) -> Rows:
        return self.weights[0].T if self.case.tied and layer == 1 else self.weights[layer]

    def _forward(self) -> None:
        for layer, bias in enumerate(self.biases):
            units = self.units[layer + 1]
            np.dot(self.units[layer], self._weight(layer), out=units)
            np.add(units, bias, out=units)
            if layer < len(self.biases) - 1 or not self.case.is_classifier:
                _sigmoid_in_place(units)

    def _output(self, target: Rows) -> float:
        """The mean loss; the error of the outputs goes into their delta."""
        outputs, delta = self.units[-1], self.deltas[-1]
        if self.case.is_classifier:
            _softmax_in_place(outputs)
            np.subtract(outputs, target, out=delta)
            return -float(np.log(outputs[target == 1]).mean())
        np.subtract(outputs, target, out=delta)
        if self.case.cross_entropy:
            return _cross_entropy(outputs, target)
        loss = 0.5 * float(np.vdot(delta, delta)) / len(target)
        _times_slope(delta, outputs)
        return loss

    def _backward(self) -> None:
        case, n_layers = self.case, len(self.biases)
        gradients: list[Rows | None] = [None] * len(self.weights)
        for layer in range(n_layers - 1, -1, -1):
            delta, below = self.deltas[layer + 1], self.units[layer]
            if case.tied and layer == 1:
                gradients[0] = delta.T @ below
            elif case.tied:
                gradients[0] += below.T @ delta
            else:
                gradients[layer] = below.T @ delta
            gradients.append(delta.sum(axis=0))
            if layer > 0:
                np.dot(delta, self._weight(layer).T, out=self.deltas[layer])
                _times_slope(self.deltas[layer], below)
        biases = gradients[len(self.weights) :][::-1]
        self._descend([*gradients[: len(self.weights)], *biases])

    def _descend(self, gradients: list[Rows]) -> None:
        case = self.case
        for parameter, velocity, gradient in zip(self.parameters, self.velocities, gradients, strict=True):
            np.multiply(gradient, case.rate / case.batch, out=gradient)
            if case.momentum:
                np.multiply(velocity, case.momentum, out=velocity)
                np.add(velocity, gradient, out=velocity)
            np.subtract(parameter, velocity if case.momentum else gradient, out=parameter)


def _sigmoid_in_place(z: Rows) -> None:
    np.negative(z, out=z)
    np.exp(z, out=z)
    np.add(z, 1, out=z)
    np.reciprocal(z, out=z)


def _softmax_in_place(z: Rows) -> None:
    np.subtract(z, z.max(axis=1, keepdims=True), out=z)
    np.exp(z, out=z)
    np.divide(z, z.sum(axis=1, keepdims=True), out=z)


def _times_slope(delta: Rows, a: Rows) -> None:
    """delta * a * (1 - a); `a` is overwritten."""
    delta *= a
    np.subtract(1, a, out=a)
    delta *= a


def _cross_entropy(a: Rows, target: Rows) -> float:
    held = np.clip(a, 1e-7, 1 - 1e-7)
    return -float(np.vdot(target, np.log(held)) + np.vdot(1 - target, np.log1p(-held))) / len(target)
