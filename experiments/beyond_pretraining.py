"""Did batch normalisation and residual connections make greedy pretraining unnecessary? Depth by depth.

Source     A claim often repeated: "greedy pretraining became unnecessary with batch normalisation (2014) and residual
           connections".
Command    python experiments/beyond_pretraining.py
Data       MNIST, the first 10,000 training images, for pretraining and fine-tuning alike; all 10,000 test images.
Settings   1 to 8 hidden layers of 100 units, sigmoid or relu; Adam at 0.001 in batches of 100; denoising layers
           (masking 0.3) of 4 epochs each where there is pretraining, then 8 epochs with labels. One rate and one
           length for all: no arm is tuned, so this shows what each does as it comes.
Measures   Test error, and its paired differences from that of the pretrained networks, seed by seed.
Time       6 minutes on two cores
Expected   The claim: with batch normalisation or residual connections pretraining gains nothing.
Obtained   No run failed. Sigmoid: pretraining has the lowest error up to 4 layers (6.17 % at 4, against 6.65 %
           random, 7.91 % batch norm, 7.00 % residual, all told apart from it); at 6 it is level with all but both
           together, at 8 worst but one. Relu: it is worse than every other start at 1 and 2 layers (5.68 % at 2,
           against 5.20 % random, 4.90 % batch norm) and told apart from none of them deeper. So on these rows relu
           alone leaves pretraining nothing to gain, and with sigmoid units up to 4 layers neither remedy reaches it.
"""

import functools
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from common import command, console, mnist
from deep_networks import DeepNetwork
from trials import Results, run_trials

from stacked import (
    Adam,
    Denoising,
    FeedforwardClassifier,
    LabelledImages,
    Masking,
    RunDirectory,
    StackedAutoencoder,
    TrainingConfig,
)
from stacked.evaluation import Evaluation
from stacked.examples import Examples
from stacked.feedforward_settings import ClassifierSettings
from stacked.plots import Line, curves
from stacked.printed import bare_table, print_table
from stacked.randomness import Seeded
from stacked.statistics import compare_pairs, holm
from stacked.streams import Streams
from stacked.training import Training
from stacked.trial import Outcome

ACTIVATIONS = ("sigmoid", "relu")
PRETRAINED = "pretrained"
STARTS = (PRETRAINED, "random", "batch norm", "residual", "batch norm, residual")
N_ROWS, WIDTH = 10_000, 100


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
        for epochs in ((1, 1) if smoke else (4, 8))
    )
    return Plan((1, 3) if smoke else (1, 2, 4, 6, 8), layer, network)


def compute(data: LabelledImages, plan: Plan, device: str, arm: str, seed: int, scratch: Path) -> Outcome:
    """Train one network and test it."""
    net = plan.nets[arm]
    trained = dense_network if net.start in ("random", PRETRAINED) else modern_network
    return Outcome({"error_rate": trained(net, data, plan, device, seed, scratch)})


def dense_network(net: Net, data: LabelledImages, plan: Plan, device: str, seed: int, scratch: Path) -> float:
    """The test error of a plain network, from random or from pretrained weights."""
    sizes = (data.x_train.shape[1], *[WIDTH] * net.depth, 10)
    settings = ClassifierSettings(sizes, (net.activation,) * net.depth)
    classifier = FeedforwardClassifier(settings, seed=seed, device=device)
    if net.start == PRETRAINED:
        stack = StackedAutoencoder(layers(net), plan.layer, seed=seed, device=device)
        classifier.transfer(stack.fit(data.x_train, progress=False, run=scratch / "layers"))
    classifier.fit(data.x_train, data.y_train, plan.network, progress=False, run=scratch / "network")
    return classifier.error_rate(data.x_test, data.y_test)


def layers(net: Net) -> list[Denoising]:
    """The layers that are pretrained; those above relu codes have a linear output."""
    above = "sigmoid" if net.activation == "sigmoid" else "linear"
    common = {"activation": net.activation, "corruption": Masking(0.3)}
    return [Denoising(WIDTH, output="sigmoid" if k == 0 else above, **common) for k in range(net.depth)]


def modern_network(net: Net, data: LabelledImages, plan: Plan, device: str, seed: int, scratch: Path) -> float:
    """The test error of a network with batch normalisation or residual connections, from random weights."""
    place, randomness = torch.device(device), Seeded(seed)
    parts = {"batch_norm": "batch norm" in net.start, "residual": "residual" in net.start}
    model = DeepNetwork((data.x_train.shape[1], WIDTH, 10), net.depth, net.activation, **parts).to(place)
    model.draw(randomness.stream("fine-tuning", "weights"))
    streams = Streams.of(randomness, "fine-tuning", device=place)
    training = Training(model, plan.network, streams, name=net.name)
    with RunDirectory(scratch).opened({"network": net.name, "seed": seed}) as trainings:
        trainings.train("network", training, lambda: [Examples.all_of(data.x_train, data.y_train)])
    test = Examples.all_of(data.x_test, data.y_test)
    return Evaluation(model, test).figures()["validation_error_rate"]


def run(out: Path, *, seeds: int, jobs: int, smoke: bool, device: str) -> None:
    """Train networks of 1 to 8 hidden layers from random and pretrained weights, with batch norm and residuals.

    Writes results.json and depth.png. Finished seeds are kept and not computed again.
    """
    data, wanted = mnist(smoke), plan(smoke)
    data = data._replace(x_train=data.x_train[:N_ROWS], y_train=data.y_train[:N_ROWS])
    trial = functools.partial(compute, data, wanted, device)
    stacks = {name: layers(net) for name, net in wanted.nets.items() if net.start == PRETRAINED}
    settings = {"plan": wanted, "layers": stacks, "width": WIDTH}
    flags = {"seeds": seeds, "jobs": jobs, "smoke": smoke, "device": device}
    results = run_trials(out, trial, wanted.nets, data=data, settings=settings, **flags)
    pairs = {
        f"{activation}, {depth}": against_pretrained(results, activation, depth)
        for activation, depth in product(ACTIVATIONS, wanted.depths)
    }
    results.write(against_pretrained=pairs)
    print_depths(results, wanted, pairs)
    draw(out, results, wanted)


def against_pretrained(results: Results, activation: str, depth: int) -> dict[str, Any]:
    """The paired difference of every other start from pretraining at one depth, corrected for their number."""
    rates = {start: results.numbers("error_rate")[Net(activation, start, depth).name] for start in STARTS}
    pairs = [pair for pair in compare_pairs(rates) if pair["pair"][0] == PRETRAINED]
    corrected = holm([pair["p"] for pair in pairs])
    return {pair["pair"][1]: {**pair, "p_holm": p} for pair, p in zip(pairs, corrected, strict=True)}


def print_depths(results: Results, plan: Plan, pairs: dict[str, dict[str, Any]]) -> None:
    """One row for every activation and start: the mean error at each depth, marked where pretraining differs."""
    depths = [f"depth {depth}" for depth in plan.depths]
    table = bare_table("Mean test error, per cent", ("activation", "start", *depths))
    for activation, start in product(ACTIVATIONS, STARTS):
        cells = []
        for depth in plan.depths:
            p = pairs[f"{activation}, {depth}"].get(start, {}).get("p_holm")
            cells.append(described(results, Net(activation, start, depth).name) + ("*" if p and p < 0.05 else ""))
        table.add_row(activation, start, *cells)
    print_table(console, table)
    console.print(
        "* differs from pretrained at this depth: signed-rank test over the seeds, p < 0.05 after Holm.",
        soft_wrap=True,
    )
    console.print(
        "in brackets: runs that recognise less than half of the test images; diverged ones are among them.",
        soft_wrap=True,
    )


def described(results: Results, arm: str) -> str:
    """The mean error, and how many runs recognise less than half; one that diverged has no error to average."""
    rates = list(results.numbers("error_rate")[arm].values())
    bad = len(results.failures[arm]) + sum(rate > 0.5 for rate in rates)
    mean = f"{100 * np.mean(rates):.2f}" if rates else "-"
    return f"{mean} ({bad})" if bad else mean


def draw(out: Path, results: Results, plan: Plan) -> None:
    """The error by depth, a panel an activation, over the seeds in which no depth diverged."""
    charts: dict[str, dict[str, Line]] = {}
    for activation, start in product(ACTIVATIONS, STARTS):
        rates = [results.numbers("error_rate")[Net(activation, start, depth).name] for depth in plan.depths]
        seeds = sorted(set.intersection(*(set(by_seed) for by_seed in rates)))
        if seeds:
            heights = 100 * np.array([[by_seed[seed] for by_seed in rates] for seed in seeds])
            charts.setdefault(activation, {})[start] = Line(plan.depths, heights)
    labels = ("hidden layers", "test error, per cent")
    if charts:
        curves(charts, out / "depth.png", title="Depth, and what is done about it", labels=labels)


if __name__ == "__main__":
    command(run, __file__, seeds=8)
