"""Filters of the tied denoising autoencoder, with and without noise: what masking does to features.

Source     The Theano deep learning tutorial, "Denoising autoencoders (dA)" (LISA lab, 2010-2015): 784-500, tied
           weights, sigmoid units, cross-entropy summed over the pixels, gradient descent at 0.1, batches of 20, 15
           epochs on the first 50,000 training images of MNIST; masking 0 and 0.3. It shows the filters and claims
           that with noise they turn into edge and stroke detectors.
Command    python experiments/denoising_filters.py
Time       3 to 4 minutes on two cores
Expected   Without noise many filters are noise; with masking 0.3 they are strokes and blobs.
Obtained   2 seeds, masking 0, 0.3 and 0.5: noise filters 78 %, 17 % and 9 %; spread 9.0, 7.5 and 7.1 pixels (11.4 if
           evenly over the image); no dead unit. Noise costs reconstruction: 52, 70 and 98 nats on clean validation
           rows.
Measures   Of the weights of pixels that are lit on at least 1 % of the training images (the others keep their random
           initial weights): `spread`, the root mean square distance of a filter's squared weights from their centre,
           in pixels, small for a local detector; `noise`, filters whose neighbouring weights correlate by less than
           0.5; `dead`, units whose codes vary by a standard deviation of less than 0.01 over the test images.
"""

import functools
from pathlib import Path

import numpy as np
from common import command, mnist, split
from trials import Results, print_summary, run_trials

from stacked import SGD, Denoising, LabelledImages, Masking, StackedAutoencoder, TrainingConfig
from stacked.measures import filter_spread, neighbour_correlation
from stacked.plots import curves, filter_tiles
from stacked.rows import Array
from stacked.trial import Outcome

ARMS = {
    f"masking {fraction:g}": Denoising(500, corruption=Masking(fraction), tied=True, loss="cross_entropy")
    for fraction in (0.0, 0.3, 0.5)
}
SHAPE = (28, 28)
LIT, NOISE_BELOW, DEAD_BELOW = 0.01, 0.5, 0.01


def training(smoke: bool) -> TrainingConfig:
    """The tutorial's settings."""
    return TrainingConfig(epochs=1 if smoke else 15, batch_size=20, optimizer=SGD(0.1))


def compute(data: LabelledImages, config: TrainingConfig, device: str, arm: str, seed: int, scratch: Path) -> Outcome:
    """Train one layer on all but the last sixth of the training images, and measure its filters."""
    data, (x_validation, _) = split(data)
    stack = StackedAutoencoder([ARMS[arm]], config, seed=seed, device=device)
    stack.fit(data.x_train, validation=x_validation, progress=False, run=scratch)
    history = stack.histories[0]
    filters = stack.encoder_layers[0].weight.detach().cpu().numpy()
    lit = (np.asarray(data.x_train) > 0).mean(axis=0) >= LIT
    figures = {
        "training_cost": history["loss"][-1],
        "validation_loss": history["validation_loss"][-1],
        "validation_loss_by_epoch": history["validation_loss"],
        **filter_figures(filters, lit),
        "dead": float((stack.encode(data.x_test).std(axis=0) < DEAD_BELOW).mean()),
    }
    return Outcome(figures, {"filters": filters[:100], "lit": lit})


def filter_figures(filters: Array, lit: Array) -> dict[str, float]:
    """How local the filters are, and how many are mere noise."""
    correlation = neighbour_correlation(np.where(lit, filters, np.nan), SHAPE)
    return {
        "spread": float(np.median(filter_spread(filters * lit, SHAPE))),
        "noise": float((correlation < NOISE_BELOW).mean()),
    }


def run(out: Path, *, seeds: int, jobs: int, smoke: bool, device: str) -> None:
    """Train the tied 784-500 denoising autoencoder with masking 0, 0.3 and 0.5; draw and measure its filters.

    Writes results.json, filters.png and losses.png. Finished seeds are kept and not computed again.
    """
    data, config = mnist(smoke), training(smoke)
    trial = functools.partial(compute, data, config, device)
    settings = {"arms": ARMS, "training": config, "limits": [NOISE_BELOW, DEAD_BELOW, LIT]}
    flags = {"seeds": seeds, "jobs": jobs, "smoke": smoke, "device": device}
    results = run_trials(out, trial, ARMS, data=data, settings=settings, **flags)
    results.write()
    columns = {
        "training_cost": ("training cost, nats", ".2f"),
        "validation_loss": ("on clean rows", ".2f"),
        "spread": ("spread, pixels", ".2f"),
        "noise": ("noise filters", ".1%"),
        "dead": ("dead units", ".1%"),
    }
    print_summary(results, columns)
    draw(out, results)


def draw(out: Path, results: Results) -> None:
    """The first hundred filters of the first seed side by side; the validation loss of all seeds."""
    tiles = {arm: arrays["filters"] * arrays["lit"] for arm, arrays in results.arrays.items()}
    if tiles:
        title = "784-500 tied: the first 100 filters, pixels lit on 1 % of the images"
        filter_tiles(tiles, out / "filters.png", title=title)
    labels = ("epoch", "cross-entropy of clean validation rows, nats")
    lines = results.lines("validation_loss_by_epoch")
    curves({"": lines}, out / "losses.png", title="Reconstruction of clean images", labels=labels)


if __name__ == "__main__":
    command(run, __file__, seeds=2)
