"""Narrow codes as embeddings: 32 codes, 2 codes, a deep bottleneck of 2, sparse codes, and principal components.

Source     A Keras tutorial on undercomplete autoencoders: MNIST, 784-32 relu codes, a deep 784-...-2 bottleneck
           against a shallow 784-2, a sparse layer of 32, t-SNE of the codes as a scatter of ten classes, against
           principal components.
Command    python experiments/undercomplete_embedding.py
What was   The published code standardises the pixels and then reconstructs them by a sigmoid output with
wrong      cross-entropy: targets outside [0, 1], which the loss does not admit. Here pixels are in [0, 1].
Measures   Accuracy of the five nearest neighbours among the codes of the training images, on the test images;
           trustworthiness (Venna and Kaski, 2001) with ten neighbours on 2,000 test images: whether neighbours in
           the codes are neighbours in the pixels; share of the pixels' variance that the reconstruction misses.
"""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import command, fingerprints, mnist
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
from stacked.settings import to_json
from stacked.trial import Outcome

RELU, LINEAR = {"activation": "relu"}, {"activation": "linear"}
PIXELS, SUMS = {"loss": "cross_entropy"}, {"output": "linear"}
STACKS: dict[str, tuple[LayerSettings, ...]] = {
    "784-32": (Plain(32, **RELU, **PIXELS),),
    "784-32 sparse": (Sparse(32, penalty=L1Sparsity(2.0), unit_norm=True, revive=True, **RELU, **PIXELS),),
    "784-2": (Plain(2, **LINEAR, **PIXELS),),
    "784-256-64-2 unrolled": (Plain(256, **RELU, **PIXELS), Plain(64, **RELU, **SUMS), Plain(2, **LINEAR, **SUMS)),
}
COMPONENTS = {"32 components": 32, "2 components": 2}
ARMS = (*STACKS, *COMPONENTS)
N_SHOWN = 2000


def training(smoke: bool) -> TrainingConfig:
    """Of every layer, and of the unrolled stack."""
    return TrainingConfig(epochs=1 if smoke else 20, batch_size=256, optimizer=Adam(0.001), schedule=CosineDecay())


class Embedding:
    """Rows to codes and back."""

    def __init__(self, encode: Callable[[Any], Array], decode: Callable[[Array], Array]) -> None:
        self.encode, self.decode = encode, decode


def trained(arm: str, x: Array, config: TrainingConfig, device: str, seed: int) -> Embedding:
    """The embedding of an arm; a stack of several layers is trained one by one and then as a whole."""
    if arm in COMPONENTS:
        from sklearn.decomposition import PCA  # noqa: PLC0415 - slow to import

        components = PCA(COMPONENTS[arm], random_state=seed).fit(x)
        return Embedding(components.transform, components.inverse_transform)
    stack = StackedAutoencoder(STACKS[arm], config, seed=seed, device=device).fit(x, progress=False)
    if len(stack.layers) > 1:
        stack.fine_tune(x, config, progress=False)
    return Embedding(stack.encode, stack.decode)


def compute(data: LabelledImages, config: TrainingConfig, device: str, arm: str, seed: int) -> Outcome:
    """Learn an embedding of the training images and take its measure on the test images."""
    from sklearn.manifold import trustworthiness  # noqa: PLC0415 - slow to import

    x, x_test = np.asarray(data.x_train), np.asarray(data.x_test)
    embedding = trained(arm, x, config, device, seed)
    codes = embedding.encode(x_test)
    rebuilt = np.asarray(embedding.decode(codes), np.float32)
    n = min(N_SHOWN, len(x_test) // 2)
    figures = {
        "accuracy": neighbour_accuracy(embedding.encode(x), data.y_train, codes, data.y_test),
        "trustworthiness": float(trustworthiness(x_test[:n], codes[:n], n_neighbors=10)),
        "unexplained": float(unexplained_variance(torch.from_numpy(rebuilt), torch.from_numpy(x_test))),
    }
    return Outcome(figures, in_a_plane(codes[:n], seed) if seed == 0 else {})


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
    data, config = mnist(smoke), training(smoke)
    arms = {arm: to_json(layers) for arm, layers in STACKS.items()} | COMPONENTS
    settings = {"data": fingerprints(data), "arms": arms, "training": to_json(config)}
    compute_arm = functools.partial(compute, data, config, device)
    results = run_trials(
        out, compute_arm, ARMS, settings=settings, seeds=seeds, jobs=jobs, smoke=smoke, device=device
    )
    draw(out, results, data)
    results.write()
    columns = {
        "accuracy": ("5-neighbour accuracy", ".2%"),
        "trustworthiness": ("trustworthiness", ".4f"),
        "unexplained": ("unexplained variance", ".1%"),
    }
    print_summary(results, columns)


def draw(out: Path, results: Results, data: LabelledImages) -> None:
    """Test images as points, in the places that the first seed gives them."""
    kept = {arm: arrays for arm in ARMS if (arrays := results.arrays(arm)) is not None}
    shown = {f"{arm}: {what}": places for arm, arrays in kept.items() for what, places in arrays.items()}
    if shown:
        n = len(next(iter(shown.values())))
        scatters(shown, data.y_test[:n], out / "embeddings.png", title="Test images, coloured by digit")


if __name__ == "__main__":
    command(run, __file__, seeds=3)
