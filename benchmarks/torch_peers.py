"""What users write today in torch: a plain loop with autograd, on tensors in memory or through a DataLoader.

And the matrix products alone, which nobody can do without: the floor.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise

import torch
import torch.nn.functional as F
from cases import Case, Data
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


def products_of(case: Case, data: Data) -> Iterator[float]:
    """Epochs of the matrix products of every step and nothing else: forward, gradients, errors sent down."""
    widths, n = case.widths, case.batch
    x = torch.from_numpy(data.x)
    weights = [torch.rand(n_units, n_inputs) for n_inputs, n_units in pairwise(widths)]
    gradients = [torch.empty_like(weight) for weight in weights]
    units = [x[:n], *(torch.rand(n, width) for width in widths[1:])]
    deltas = [torch.rand(n, width) for width in widths]

    while True:
        for _ in range(len(x) // n):
            for layer, weight in enumerate(weights):
                torch.mm(units[layer], weight.t(), out=units[layer + 1])
            for layer in range(len(weights) - 1, -1, -1):
                torch.mm(deltas[layer + 1].t(), units[layer], out=gradients[layer])
                if layer > 0:
                    torch.mm(deltas[layer + 1], weights[layer], out=deltas[layer])
        yield 0.0


class Tied(nn.Module):
    """A layer that decodes with its transposed weights; its outputs are the weighted sums."""

    def __init__(self, n_inputs: int, n_units: int) -> None:
        super().__init__()
        self.encoder = nn.Linear(n_inputs, n_units)
        self.bias = nn.Parameter(torch.zeros(n_inputs))

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(torch.sigmoid(self.encoder(x)), self.encoder.weight.t(), self.bias)


def in_memory(case: Case, data: Data) -> Iterator[float]:
    """Epochs of a plain training loop on tensors in memory."""
    x, labels = torch.from_numpy(data.x), torch.from_numpy(data.labels)
    return _epochs(case, lambda: ((x[some], labels[some]) for some in torch.randperm(len(x)).split(case.batch)))


def with_loader(case: Case, data: Data) -> Iterator[float]:
    """The same through a DataLoader."""
    pairs = TensorDataset(torch.from_numpy(data.x), torch.from_numpy(data.labels))
    loader = DataLoader(pairs, batch_size=case.batch, shuffle=True)
    return _epochs(case, lambda: loader)


def _epochs(case: Case, minibatches: Callable[[], Iterable[tuple[Tensor, Tensor]]]) -> Iterator[float]:
    model = _model(case)
    optimizer = torch.optim.SGD(model.parameters(), lr=case.rate, momentum=case.momentum)
    while True:
        losses = [_step(case, model, optimizer, x, labels) for x, labels in minibatches()]
        yield sum(losses) / len(losses)


def _step(case: Case, model: nn.Module, optimizer: torch.optim.Optimizer, x: Tensor, labels: Tensor) -> float:
    corrupted = x * (torch.rand_like(x) > case.masking) if case.masking else x
    loss = _loss(case, model(corrupted), x, labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def _model(case: Case) -> nn.Module:
    layers: list[nn.Module] = []
    for n_inputs, n_units in pairwise(case.widths):
        layers += [nn.Linear(n_inputs, n_units), nn.Sigmoid()]
    model = Tied(*case.sizes) if case.tied else nn.Sequential(*layers[:-1])
    for layer, dense in enumerate(module for module in model.modules() if isinstance(module, nn.Linear)):
        nn.init.uniform_(dense.weight, -case.glorot_limit(layer), case.glorot_limit(layer))
        nn.init.zeros_(dense.bias)
    return model


def _loss(case: Case, logits: Tensor, x: Tensor, labels: Tensor) -> Tensor:
    if case.is_classifier:
        return F.cross_entropy(logits, labels)
    if case.cross_entropy:
        return F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / len(x)
    return (torch.sigmoid(logits) - x).square().sum() / (2 * len(x))
