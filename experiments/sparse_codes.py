"""Sparse codes: no penalty, a published penalty that has no gradient, the penalty that was meant, and other ways.

Source     A Keras tutorial on sparse autoencoders: MNIST, 784-64 relu codes, sigmoid output, binary cross-entropy
           averaged over the pixels, KL sparsity with target 0.05 and weight 3, L2 0.001 (halved), Adam, batches of
           1024, 50 epochs; the codes of ten test images as 4 x 16 pictures, and the question "did they become
           sparse?".
Command    python experiments/sparse_codes.py
What was   The published code takes a softmax of the activations over the rows of the batch before averaging over
wrong      them. A softmax over the rows sums to 1 over the rows, whatever it is given, so every mean is exactly
           1 / batch, a constant: the penalty has no gradient, and the codes are those of no penalty. The arm
           "softmax penalty" runs it, and `penalty_slope` is the largest gradient that the penalty sends to any
           encoder weight, in float64. With relu codes the mean can also pass 1, where the divergence is undefined;
           the KL penalty that was meant needs sigmoid codes.
Units      Keras averages the cross-entropy over the pixels; our losses are sums over them, so the published weights
           count 784 times. The arms "published ..." have them. They are so heavy, the decay above all, that the right
           penalty reconstructs worse than the mean image; the other arms have no decay and penalties of a weight at
           which codes are sparse and still say something.
Measures   Mean code; mean Hoyer sparsity of the rows (1: one active code); codes above a tenth of the largest, of 64;
           units that are active (relu: above 0, sigmoid: above 0.1) on no test image; share of the pixels' variance
           that the reconstruction misses; the largest slope of the penalty by an encoder weight.
"""

import functools
from pathlib import Path

import numpy as np
import torch
from common import command, fingerprints, mnist
from published_penalty import SoftmaxPenalised, penalty_slope
from trials import Results, print_summary, run_trials

from stacked import (
    Adam,
    KLSparsity,
    L1Sparsity,
    LabelledImages,
    Plain,
    Sparse,
    StackedAutoencoder,
    TopK,
    TrainingConfig,
)
from stacked.autoencoders.sparse import ACTIVE_ABOVE
from stacked.losses import unexplained_variance
from stacked.measures import hoyer_sparsity
from stacked.plots import picture_rows
from stacked.rows import Array
from stacked.settings import to_json
from stacked.trial import Outcome

N_PIXELS = 784
CROSS_ENTROPY = {"loss": "cross_entropy"}
RELU = {"activation": "relu", **CROSS_ENTROPY}
DECAY = {"weight_decay": 0.001 * N_PIXELS}
WEIGHT = 3.0 * N_PIXELS
ARMS = {
    "published, without penalty": Plain(64, **RELU, **DECAY),
    "published, softmax penalty": SoftmaxPenalised(64, weight=WEIGHT, target=0.05, **RELU, **DECAY),
    "published weights, KL on sigmoid": Sparse(64, penalty=KLSparsity(WEIGHT, target=0.05), **CROSS_ENTROPY, **DECAY),
    "no penalty": Plain(64, **RELU),
    "KL 30 on sigmoid": Sparse(64, penalty=KLSparsity(30.0, target=0.05), **CROSS_ENTROPY),
    "L1 1, unit norm": Sparse(64, penalty=L1Sparsity(1.0), unit_norm=True, revive=True, **RELU),
    "top 6, unit norm": Sparse(64, penalty=TopK(6, initial_k=32, annealing=5), unit_norm=True, revive=True, **RELU),
}
SHAPE = (4, 16)


def training(smoke: bool) -> TrainingConfig:
    """The source's settings."""
    return TrainingConfig(epochs=2 if smoke else 50, batch_size=200 if smoke else 1024, optimizer=Adam(0.001))


def compute(data: LabelledImages, config: TrainingConfig, device: str, arm: str, seed: int) -> Outcome:
    """Train one layer and measure the codes of the test images."""
    stack = StackedAutoencoder([ARMS[arm]], config, seed=seed, device=device).fit(data.x_train, progress=False)
    x_test = np.asarray(data.x_test)
    codes = stack.encode(x_test)
    figures = {
        **code_figures(codes, 0 if ARMS[arm].activation == "relu" else ACTIVE_ABOVE),
        "unexplained": float(unexplained_variance(torch.as_tensor(stack.decode(codes)), torch.as_tensor(x_test))),
        "penalty_slope": penalty_slope(stack.layers[0], data.x_train[: config.batch_size]),
    }
    return Outcome(figures, {"codes": codes[:10]})


def code_figures(codes: Array, active_above: float) -> dict[str, float]:
    """How sparse the codes are."""
    return {
        "mean_activation": float(codes.mean(dtype=np.float64)),
        "hoyer": float(np.nanmean(hoyer_sparsity(codes))),
        "active_units": float((codes > 0.1 * codes.max()).sum(axis=1).mean()),
        "dead_units": int((codes <= active_above).all(axis=0).sum()),
    }


def run(out: Path, *, seeds: int, jobs: int, smoke: bool, device: str) -> None:
    """Train 784-64 with and without sparsity penalties, one of them without a gradient; draw and measure the codes.

    Writes results.json and codes.png. Finished seeds are kept and not computed again.
    """
    data, config = mnist(smoke), training(smoke)
    settings = {
        "data": fingerprints(data),
        "arms": {arm: to_json(layer) for arm, layer in ARMS.items()},
        "training": to_json(config),
    }
    compute_arm = functools.partial(compute, data, config, device)
    results = run_trials(
        out, compute_arm, ARMS, settings=settings, seeds=seeds, jobs=jobs, smoke=smoke, device=device
    )
    draw(out, results)
    results.write()
    columns = {
        "mean_activation": ("mean code", ".3f"),
        "hoyer": ("Hoyer sparsity", ".3f"),
        "active_units": ("active of 64", ".1f"),
        "dead_units": ("dead", ".1f"),
        "unexplained": ("unexplained variance", ".1%"),
        "penalty_slope": ("largest slope of the penalty", ".1e"),
    }
    print_summary(results, columns)


def draw(out: Path, results: Results) -> None:
    """The codes of the first ten test images as pictures, each arm as bright as its largest code."""
    kept = {arm: arrays["codes"] for arm in ARMS if (arrays := results.arrays(arm)) is not None}
    if kept:
        rows = {arm: codes / codes.max() for arm, codes in kept.items()}
        title = "Codes of the first ten test images, 64 units as 4 x 16 pixels"
        picture_rows(rows, out / "codes.png", title=title, image_shape=SHAPE)


if __name__ == "__main__":
    command(run, __file__, seeds=3)
