"""Did batch normalisation and residual connections make greedy pretraining unnecessary? Depth by depth.

Source     A claim often repeated: "greedy pretraining became unnecessary with batch normalisation (2014) and residual
           connections".
Command    python experiments/beyond_pretraining.py
Data       MNIST, the first 10,000 training images, for pretraining and fine-tuning alike; all 10,000 test images.
Settings   1 to 8 hidden layers of 100 units, sigmoid or relu; Adam at 0.001 in batches of 100; denoising layers
           (masking 0.3) of 5 epochs each where there is pretraining, then 10 epochs with labels. One rate and one
           length for all: no arm is tuned, so this shows what each does as it comes.
Measures   Test error; a run that recognises less than half of the test images has failed, and stays in the mean.
"""

import functools
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from common import command, console, fingerprints, mnist
from deep_networks import DeepNetwork
from report_table import bare_table, print_table
from trials import Results, run_trials

from stacked import (
    Adam,
    Denoising,
    FeedforwardClassifier,
    LabelledImages,
    Masking,
    StackedAutoencoder,
    TrainingConfig,
)
from stacked.batches import Batches
from stacked.classifier_settings import ClassifierSettings
from stacked.examples import Examples
from stacked.plots import Line, curves
from stacked.randomness import Seeded
from stacked.rows import BLOCK
from stacked.settings import to_json
from stacked.training import Streams, Training, measure
from stacked.trial import Outcome

ACTIVATIONS = ("sigmoid", "relu")
STARTS = ("random", "pretrained", "batch norm", "residual")
N_ROWS, WIDTH, FAILED_ABOVE = 10_000, 100, 0.5


class Net(NamedTuple):
    """One network of the comparison."""

    activation: str
    start: str
    depth: int

    @property
    def name(self) -> str:
        return f"{self.activation}, {self.start}, {self.depth}"


class Plan(NamedTuple):
    """Depths, and how layers and networks are trained."""

    depths: tuple[int, ...]
    layer: TrainingConfig
    network: TrainingConfig

    @property
    def nets(self) -> dict[str, Net]:
        """Every network by name."""
        nets = (Net(*parts) for parts in product(ACTIVATIONS, STARTS, self.depths))
        return {net.name: net for net in nets}


def plan(smoke: bool) -> Plan:
    """The settings of a full run, or of one of seconds."""
    layer, network = (
        TrainingConfig(epochs=epochs, batch_size=100, optimizer=Adam(0.001))
        for epochs in ((1, 1) if smoke else (5, 10))
    )
    return Plan((1, 3) if smoke else tuple(range(1, 9)), layer, network)


def compute(data: LabelledImages, plan: Plan, device: str, arm: str, seed: int) -> Outcome:
    """Train one network and test it."""
    net = plan.nets[arm]
    trained = dense_network if net.start in ("random", "pretrained") else modern_network
    error = trained(net, data, plan, device, seed)
    return Outcome({"error_rate": error, "failed": int(error > FAILED_ABOVE)})


def dense_network(net: Net, data: LabelledImages, plan: Plan, device: str, seed: int) -> float:
    """The test error of a plain network, from random or from pretrained weights."""
    sizes = (data.x_train.shape[1], *[WIDTH] * net.depth, 10)
    settings = ClassifierSettings(sizes, (net.activation,) * net.depth)
    classifier = FeedforwardClassifier(settings, seed=seed, device=device)
    if net.start == "pretrained":
        common = {"activation": net.activation, "corruption": Masking(0.3)}
        above = "sigmoid" if net.activation == "sigmoid" else "linear"
        layers = [Denoising(WIDTH, output="sigmoid" if k == 0 else above, **common) for k in range(net.depth)]
        stack = StackedAutoencoder(layers, plan.layer, seed=seed, device=device)
        classifier.transfer(stack.fit(data.x_train, progress=False))
    classifier.fit(data.x_train, data.y_train, plan.network, progress=False)
    return classifier.error_rate(data.x_test, data.y_test)


def modern_network(net: Net, data: LabelledImages, plan: Plan, device: str, seed: int) -> float:
    """The test error of a network with batch normalisation or residual connections, from random weights."""
    place, randomness = torch.device(device), Seeded(seed)
    model = DeepNetwork((data.x_train.shape[1], WIDTH, 10), net.depth, net.activation, net.start).to(place)
    model.draw(randomness.stream("fine-tuning", "weights"))
    streams = Streams.of(randomness, "fine-tuning", device=place)
    Training(model, plan.network, streams, name=net.name).fit(Examples.all_of(data.x_train, data.y_train))
    test = Batches(Examples.all_of(data.x_test, data.y_test), BLOCK, torch.float32, place)
    return measure(model, test)["validation_error_rate"]


def run(out: Path, *, seeds: int, jobs: int, smoke: bool, device: str) -> None:
    """Train networks of 1 to 8 hidden layers from random and pretrained weights, with batch norm and residuals.

    Writes results.json and depth.png. Finished seeds are kept and not computed again.
    """
    data, wanted = mnist(smoke), plan(smoke)
    data = data._replace(x_train=data.x_train[:N_ROWS], y_train=data.y_train[:N_ROWS])
    trainings = {"layer": to_json(wanted.layer), "network": to_json(wanted.network)}
    settings = {"data": fingerprints(data), "trainings": trainings, "rows": len(data.x_train), "width": WIDTH}
    compute_arm = functools.partial(compute, data, wanted, device)
    results = run_trials(
        out, compute_arm, wanted.nets, settings=settings, seeds=seeds, jobs=jobs, smoke=smoke, device=device
    )
    results.write()
    print_depths(results, wanted)
    draw(out, results, wanted)


def print_depths(results: Results, plan: Plan) -> None:
    """One row for every activation and start: the mean error at each depth, and how many runs failed."""
    depths = [f"depth {depth}" for depth in plan.depths]
    table = bare_table("Mean test error, per cent (failed runs)", ("activation", "start", *depths))
    for activation, start in product(ACTIVATIONS, STARTS):
        arms = [Net(activation, start, depth).name for depth in plan.depths]
        table.add_row(activation, start, *(described(results, arm) for arm in arms))
    print_table(console, table)


def described(results: Results, arm: str) -> str:
    """Mean error and failures; a run that diverged has no error, and is a failure."""
    trials = results.figures[arm].values()
    failed = len(results.failures[arm]) + sum(figures["failed"] for figures in trials)
    mean = f"{100 * np.mean([figures['error_rate'] for figures in trials]):.2f}" if trials else "-"
    return f"{mean} ({failed})" if failed else mean


def draw(out: Path, results: Results, plan: Plan) -> None:
    """The error by depth, a panel an activation, over the seeds in which no depth diverged."""
    charts: dict[str, dict[str, Line]] = {}
    for activation, start in product(ACTIVATIONS, STARTS):
        rates = [results.numbers("error_rate")[Net(activation, start, depth).name] for depth in plan.depths]
        seeds = sorted(set.intersection(*(set(by_seed) for by_seed in rates)))
        if seeds:
            heights = 100 * np.array([[by_seed[seed] for by_seed in rates] for seed in seeds])
            charts.setdefault(activation, {})[start] = Line(plan.depths, heights)
    labels = ("hidden layers", "test error, per cent (logarithmic)")
    if charts:
        curves(charts, out / "depth.png", title="Depth, and what is done about it", labels=labels, logarithmic=True)


if __name__ == "__main__":
    command(run, __file__, seeds=5)
