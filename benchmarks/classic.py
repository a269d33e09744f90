"""The whole classic run, one seed: from reading the files to the test error, one epoch a phase, one thread.

784-100-100-10 with masking of half the inputs; imports are excluded. Each timing is taken in a process of its own, as
a user's first run is. Against a plain loop of torch on tensors in memory. Command: python benchmarks/classic.py
"""

import subprocess
import sys
import time
from typing import Annotated

import torch
import typer
from common import Json, Repetitions, report
from torch import Tensor, nn

from stacked import (
    SGD,
    Denoising,
    FeedforwardClassifier,
    Masking,
    StackedAutoencoder,
    TrainingConfig,
    load_mnist,
)

BATCH = 100


def with_stacked() -> float:
    """Test error rate, by the library."""
    data = load_mnist(compact=True)
    training = TrainingConfig(epochs=1, batch_size=BATCH, optimizer=SGD(1.0, momentum=0.5))
    layer = Denoising(100, corruption=Masking(0.5), random_bias=True)
    stack = StackedAutoencoder([layer, layer], training, seed=0).fit(data.x_train)
    classifier = FeedforwardClassifier.from_stack(stack, 10, output="sigmoid", random_bias=True, seed=0)
    classifier.fit(data.x_train, data.y_train, training)
    return classifier.error_rate(data.x_test, data.y_test)


def with_autograd() -> float:
    """Test error rate, by a plain loop of torch; only reading the files is the library's."""
    torch.manual_seed(0)
    data = load_mnist()
    x, labels = torch.from_numpy(data.x_train), torch.from_numpy(data.y_train)
    encoders, rows = [], x
    for width in (784, 100):
        encoder = nn.Sequential(nn.Linear(width, 100), nn.Sigmoid())
        model = nn.Sequential(encoder, nn.Linear(100, width), nn.Sigmoid())
        _train(model, rows, rows, masking=0.5)
        with torch.no_grad():
            rows = encoder(rows)
        encoders.append(encoder)
    classifier = nn.Sequential(*encoders, nn.Linear(100, 10), nn.Sigmoid())
    _train(classifier, x, nn.functional.one_hot(labels, 10).float(), masking=0.0)
    with torch.no_grad():
        predicted = classifier(torch.from_numpy(data.x_test)).argmax(dim=1)
    return float((predicted != torch.from_numpy(data.y_test)).float().mean())


def _train(model: nn.Module, rows: Tensor, targets: Tensor, masking: float) -> None:
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0, momentum=0.5)
    for chosen in torch.randperm(len(rows)).split(BATCH):
        x = rows[chosen]
        corrupted = x * (torch.rand_like(x) > masking) if masking else x
        loss = (model(corrupted) - targets[chosen]).square().sum() / (2 * len(x))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


SIDES = {"stacked": with_stacked, "autograd": with_autograd}


def main(
    repetitions: Repetitions = 5,
    json: Json = None,
    once: Annotated[str, typer.Option(hidden=True, help="Time this side in this process.")] = "",
) -> None:
    """Time each side in fresh processes in turn."""
    torch.set_num_threads(1)
    if once:
        began = time.perf_counter()
        SIDES[once]()
        print(time.perf_counter() - began)
        return
    seconds: dict[str, list[float]] = {name: [] for name in SIDES}
    for _ in range(repetitions):
        for name, times in seconds.items():
            command = [sys.executable, __file__, "--once", name]
            times.append(float(subprocess.run(command, capture_output=True, text=True, check=True).stdout))
    report("The classic run, one seed, imports excluded", seconds, "stacked", json)


if __name__ == "__main__":
    typer.run(main)
