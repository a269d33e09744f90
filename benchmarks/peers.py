"""What users write today for a denoising layer 784-100: with autograd and a DataLoader, and by hand in NumPy.

All compute the same: masking of half the inputs, sigmoid units, 1/2 squared error, learning rate 1, momentum 0.5.
Each returns the mean loss of the epoch, so that the sides can be seen to agree.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

Rows = NDArray[np.float32]

BATCH, UNITS, MASKING, RATE, MOMENTUM = 100, 100, 0.5, 1.0, 0.5


def matrix_products(x: Tensor) -> None:
    """The five matrix products of every step of an epoch and nothing else: the floor."""
    batch, encoder, decoder = x[:BATCH], torch.rand(UNITS, x.shape[1]), torch.rand(x.shape[1], UNITS)
    codes, output, error = torch.rand(BATCH, UNITS), torch.rand(BATCH, x.shape[1]), torch.rand(BATCH, x.shape[1])
    code_error, gradient, decoder_gradient = (
        torch.rand(BATCH, UNITS),
        torch.rand_like(encoder),
        torch.rand_like(decoder),
    )
    for _ in range(len(x) // BATCH):
        torch.mm(batch, encoder.t(), out=codes)
        torch.mm(codes, decoder.t(), out=output)
        torch.mm(error.t(), codes, out=decoder_gradient)
        torch.mm(error, decoder, out=code_error)
        torch.mm(code_error.t(), batch, out=gradient)


def autograd_with_loader(x: Tensor) -> float:
    """A plain training loop of torch: DataLoader, two Linear, autograd, SGD."""
    width = x.shape[1]
    model = nn.Sequential(nn.Linear(width, UNITS), nn.Sigmoid(), nn.Linear(UNITS, width), nn.Sigmoid())
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE, momentum=MOMENTUM)
    total = 0.0
    for (batch,) in DataLoader(TensorDataset(x), batch_size=BATCH, shuffle=True):
        corrupted = batch * (torch.rand_like(batch) > MASKING)
        loss = (model(corrupted) - batch).square().sum() / (2 * len(batch))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item()
    return total / (len(x) // BATCH)


def by_hand_in_numpy(x: Rows) -> float:
    """Hand-derived gradients in NumPy, as one writes them down, the mask from random bytes."""
    random, weights, velocities = _start(x.shape[1])
    w1, b1, w2, b2 = weights
    order, total = random.permutation(len(x)), 0.0
    for start in range(0, len(x), BATCH):
        clean = x[order[start : start + BATCH]]
        keep = np.frombuffer(random.bytes(clean.size), np.uint8).reshape(clean.shape) >= MASKING * 256
        corrupted = clean * keep
        codes = 1 / (1 + np.exp(-(corrupted @ w1 + b1)))
        output = 1 / (1 + np.exp(-(codes @ w2 + b2)))
        error = output - clean
        total += 0.5 * float(np.sum(error * error)) / BATCH
        delta = error * output * (1 - output)
        code_delta = (delta @ w2.T) * codes * (1 - codes)
        gradients = corrupted.T @ code_delta, code_delta.sum(axis=0), codes.T @ delta, delta.sum(axis=0)
        _descend(weights, velocities, gradients)
    return total / (len(x) // BATCH)


def in_place_in_numpy(x: Rows) -> float:
    """The same, tuned: no temporary of the size of a batch."""
    random, weights, velocities = _start(x.shape[1])
    w1, b1, w2, b2 = weights
    clean, corrupted, delta = (np.empty((BATCH, x.shape[1]), np.float32) for _ in range(3))
    order, total = random.permutation(len(x)), 0.0
    for start in range(0, len(x), BATCH):
        np.take(x, order[start : start + BATCH], axis=0, out=clean, mode="clip")
        keep = np.frombuffer(random.bytes(clean.size), np.uint8).reshape(clean.shape) >= MASKING * 256
        np.multiply(clean, keep, out=corrupted)
        codes = _sigmoid_in_place(corrupted @ w1 + b1)
        output = _sigmoid_in_place(codes @ w2 + b2)
        np.subtract(output, clean, out=delta)
        total += 0.5 * float(np.vdot(delta, delta)) / BATCH
        delta *= output
        np.subtract(1, output, out=output)
        delta *= output
        code_delta = (delta @ w2.T) * codes * (1 - codes)
        gradients = corrupted.T @ code_delta, code_delta.sum(axis=0), codes.T @ delta, delta.sum(axis=0)
        _descend(weights, velocities, gradients)
    return total / (len(x) // BATCH)


def _start(width: int) -> tuple[np.random.Generator, list[Rows], list[Rows]]:
    random = np.random.default_rng(0)
    limit = 4 * np.sqrt(6 / (width + UNITS))
    w1, w2 = (random.uniform(-limit, limit, s).astype(np.float32) for s in ((width, UNITS), (UNITS, width)))
    weights = [w1, np.zeros(UNITS, np.float32), w2, np.zeros(width, np.float32)]
    return random, weights, [np.zeros_like(weight) for weight in weights]


def _descend(weights: list[Rows], velocities: list[Rows], gradients: Sequence[Rows]) -> None:
    for weight, velocity, gradient in zip(weights, velocities, gradients, strict=True):
        np.multiply(velocity, MOMENTUM, out=velocity)
        np.multiply(gradient, RATE / BATCH, out=gradient)
        np.add(velocity, gradient, out=velocity)
        np.subtract(weight, velocity, out=weight)


def _sigmoid_in_place(z: Rows) -> Rows:
    np.negative(z, out=z)
    np.exp(z, out=z)
    np.add(z, 1, out=z)
    return np.reciprocal(z, out=z)
