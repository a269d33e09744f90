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
           penalty reconstructs worse than the mean image; the other arms have no decay, and penalties of a weight
           that was set by hand so that few units are active a row, not tuned.
Measures   Mean code; mean Hoyer sparsity of the rows that have a code (1: one active code); active codes a row (relu:
           above 0, sigmoid: above 0.1) and units that are active on no test image, of 64; share of the pixels'
           variance that the reconstruction misses; the largest slope of the penalty by an encoder weight.
Time       5 to 6 minutes on two cores
Expected   Published: codes that are not sparse, with a penalty meant to make them so.
Obtained   2 seeds. With the published penalty 59 of 64 units are active a row and the Hoyer sparsity is 0.24, as
           without it; its largest slope is 3e-13, that of the right penalty 14. The right penalty at its published
           weight: 9 active, mean code 0.048, but 108 % of the variance missed. KL 30: 10 active, Hoyer 0.70, 39 %
           missed; L1: 10 active, 0.82, 47 %; top 6: 0.83, 50 %, with 44 dead units, 35 when annealed, 4 or 5 when
           revived, which misses 40 %. No penalty and no decay: 62 active, 0.14, 7 %.
"""

import functools
from pathlib import Path

import numpy as np
import torch
from common import command, mnist
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
    "top 6": Sparse(64, penalty=TopK(6), unit_norm=True, **RELU),
    "top 6, annealed": Sparse(64, penalty=TopK(6, initial_k=32, annealing=5), unit_norm=True, **RELU),
    "top 6, revived": Sparse(64, penalty=TopK(6), unit_norm=True, revive=True, **RELU),
}
SHAPE = (4, 16)


def training(smoke: bool) -> TrainingConfig:
    """The source's settings."""
    return TrainingConfig(epochs=2 if smoke else 50, batch_size=200 if smoke else 1024, optimizer=Adam(0.001))


def compute(data: LabelledImages, config: TrainingConfig, device: str, arm: str, seed: int, scratch: Path) -> Outcome:
    """Train one layer and measure the codes of the test images."""
    stack = StackedAutoencoder([ARMS[arm]], config, seed=seed, device=device)
    stack.fit(data.x_train, progress=False, run=scratch)
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
        "active_units": float((codes > active_above).sum(axis=1).mean()),
        "dead_units": int((codes <= active_above).all(axis=0).sum()),
        "empty_rows": float((codes == 0).all(axis=1).mean()),
    }


def run(out: Path, *, seeds: int, jobs: int, smoke: bool, device: str) -> None:
    """Train 784-64 with and without sparsity penalties, one of them without a gradient; draw and measure the codes.

    Writes results.json and codes.png. Finished seeds are kept and not computed again.
    """
    data, config = mnist(smoke), training(smoke)
    trial = functools.partial(compute, data, config, device)
    settings = {"arms": ARMS, "training": config}
    flags = {"seeds": seeds, "jobs": jobs, "smoke": smoke, "device": device}
    results = run_trials(out, trial, ARMS, data=data, settings=settings, **flags)
    results.write()
    columns = {
        "mean_activation": ("mean code", ".3f"),
        "hoyer": ("Hoyer sparsity", ".3f"),
        "active_units": ("active of 64", ".1f"),
        "empty_rows": ("rows without a code", ".1%"),
        "dead_units": ("dead", ".1f"),
        "unexplained": ("unexplained variance", ".1%"),
        "penalty_slope": ("largest slope of the penalty", ".1e"),
    }
    print_summary(results, columns)
    draw(out, results)


def draw(out: Path, results: Results) -> None:
    """The codes of the first ten test images as pictures, each arm as bright as its largest code."""
    rows = {arm: arrays["codes"] / arrays["codes"].max() for arm, arrays in results.arrays.items()}
    if rows:
        title = "Codes of the first ten test images, 64 units as 4 x 16 pixels"
        picture_rows(rows, out / "codes.png", title=title, image_shape=SHAPE)


if __name__ == "__main__":
    command(run, __file__, seeds=2)
