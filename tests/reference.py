"""The DeepLearnToolbox's computations in NumPy, float64, with the bias as the first column of every weight matrix."""

import numpy as np


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def with_ones(a):
    return np.hstack([np.ones((len(a), 1)), a])


ACTIVATIONS = {
    "sigmoid": (sigmoid, lambda a: a * (1 - a)),
    "scaled_tanh": (lambda z: 1.7159 * np.tanh(2 / 3 * z), lambda a: 1.7159 * 2 / 3 * (1 - a**2 / 1.7159**2)),
}


def forward(weights, x, activation="sigmoid", output="sigm"):
    """Activations of every layer, inputs first."""
    activations = [x]
    for i, w in enumerate(weights):
        z = with_ones(activations[-1]) @ w.T
        if i < len(weights) - 1:
            a = ACTIVATIONS[activation][0](z)
        elif output == "sigm":
            a = sigmoid(z)
        elif output == "softmax":
            e = np.exp(z - z.max(axis=1, keepdims=True))
            a = e / e.sum(axis=1, keepdims=True)
        else:
            a = z
        activations.append(a)
    return activations


def loss(a, y, output="sigm"):
    return -np.sum(y * np.log(a)) / len(y) if output == "softmax" else 0.5 * np.sum((y - a) ** 2) / len(y)


class Toolbox:
    """`nntrain` of the toolbox, a step at a time."""

    def __init__(self, weights, *, lr, momentum, l2=0.0, activation="sigmoid", output="sigm", sparsity=None, p0=0.0):
        self.weights = [w.copy() for w in weights]
        self.velocities = [np.zeros_like(w) for w in weights]
        self.lr, self.momentum, self.l2 = lr, momentum, l2
        self.activation, self.output, self.sparsity = activation, output, sparsity
        self.p = [np.full(len(w), p0) for w in weights[:-1]]

    def step(self, x, y):
        a = forward(self.weights, x, self.activation, self.output)
        value = loss(a[-1], y, self.output)
        d = a[-1] - y
        if self.output == "sigm":
            d = d * a[-1] * (1 - a[-1])
        gradients = []
        for i in reversed(range(len(self.weights))):
            gradients.insert(0, d.T @ with_ones(a[i]) / len(x))
            if i > 0:
                back = d @ self.weights[i][:, 1:]
                if self.sparsity:
                    beta, rho = self.sparsity
                    self.p[i - 1] = 0.99 * self.p[i - 1] + 0.01 * a[i].mean(axis=0)
                    back = back + beta * (-rho / self.p[i - 1] + (1 - rho) / (1 - self.p[i - 1]))
                d = back * ACTIVATIONS[self.activation][1](a[i])
        for w, v, g in zip(self.weights, self.velocities, gradients, strict=True):
            decayed = g + self.l2 * np.hstack([np.zeros((len(w), 1)), w[:, 1:]])
            v[:] = self.momentum * v + self.lr * decayed
            w[:] = w - v
        return value
