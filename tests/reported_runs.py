"""Runs to report on: comparisons of pictures and of a table with names, and saved models."""

import json
import math
from typing import Any

import numpy as np

from stacked import Denoising, FeedforwardRegressor, Plain, StackedAutoencoder, TrainingConfig, save
from stacked.comparison import Run
from stacked.error_table import tabulate
from stacked.provenance import Provenance
from stacked.settings import to_json
from stacked.statistics import compare_pairs, summarise
from stacked.trial import Outcome
from stacked.trial_folder import TrialFolder

ARMS = ("denoising", "plain", "random")
SEEDS = 8


def image_comparison(folder, arms=ARMS, classes=tuple("0123456789"), **more):
    """A comparison on pictures of 8 x 8 in which the second arm has a failed run and the third collapsed ones."""
    rng = np.random.default_rng(0)
    runs = [run for arm, name in enumerate(arms) for run in error_rates(rng, arm, name)]
    data = {"source": "digits.npy", "rows": 1797, "labelled": 1797, "classes": list(classes), "test": ""}
    details = keep(folder, arms, rng, blobs(rng, 12), {"predicted": 3, "true": 5, "probability": 0.9987})
    write(folder, {**tabulate(arms, runs), "data": data, "details": details, **more})


def table_comparison(folder, columns, arms=ARMS):
    """A comparison by root mean square errors on a table whose columns have names."""
    rng = np.random.default_rng(1)
    values = {name: dict(enumerate((50 + 2 * i + rng.normal(0, 1, SEEDS)).tolist())) for i, name in enumerate(arms)}
    blank = {"collapsed_seeds": [], "failed": {}, "recalls": [], "seconds": [0.5] * SEEDS}
    figures = {name: {"rmse": list(of.values()), "seeds": list(of), **blank} for name, of in values.items()}
    summary = {"arms": {name: {**summarise(list(of.values())), "mean_r2": 0.5} for name, of in values.items()}}
    summary |= {"pairs": compare_pairs(values)}
    rows = rng.normal(size=(12, len(columns))) * 10.0 ** rng.integers(-2, 3, len(columns))
    details = keep(folder, arms, rng, rows, {"predicted": 151.25, "true": -75.0})
    data = {"source": "diabetes.csv", "rows": 442, "target": "progression", "columns": columns, "classes": []}
    told = {"conclusion": "denoising pretraining lowers the error", "test_to_train": 0.25, "data": data}
    write(folder, {"arms": figures, "summary": summary, "details": details, **told})


def experiment(folder):
    """What an experiment with figures of its own leaves."""
    curve = [9.0, 4.0, 2.5, math.nan]
    trial = {"hoyer": 0.7, "dead_units": 3, "loss_by_epoch": curve[:3], "cost_by_epoch": curve}
    arms = {name: {"figures": {"0": trial, "1": trial}, "failed": {}} for name in ("KL 30", "L1 & <b>")}
    summary = {
        name: {"hoyer": {**summarise([0.7, 0.7]), "failed": 0}, "dead_units": summarise([3, 3])} for name in arms
    }
    write(folder, {"arms": arms, "summary": summary})


def saved_stack(folder, n_inputs=64, **provenance):
    """A stack of two layers with some epochs, saved."""
    rows = np.random.default_rng(2).random((60, n_inputs), dtype=np.float32)
    training = TrainingConfig(epochs=4, batch_size=20, validation_fraction=0.2)
    stack = StackedAutoencoder([Denoising(9), Plain(4)], training).fit(rows, progress=False)
    stack.provenance = Provenance(**{"source": "rows.npy", "n_rows": 60, **provenance})
    save(stack, folder)


def saved_regressor(folder):
    """A regressor that was trained for one epoch, saved."""
    rng = np.random.default_rng(3)
    network = FeedforwardRegressor((5, 3, 1))
    network.fit(rng.random((40, 5)), rng.random(40), TrainingConfig(epochs=1, batch_size=20), progress=False)
    save(network, folder)


def error_rates(rng, arm, name):
    rates = 0.03 + 0.012 * arm + 0.004 * rng.random(SEEDS)
    runs = [Run(name, seed, rate, (0.9,) * 10, 1.5) for seed, rate in enumerate(rates.tolist())]
    if arm == 1:
        runs[4] = Run(name, 4, failure="layer 1: the loss became nan in epoch 1")
    if arm == 2:
        runs[1:3] = [Run(name, seed, 0.2, (0.9,) * 9 + (0.0,), 1.5) for seed in (1, 2)]
    return runs


def keep(folder, arms, rng, rows, worst):
    """Keep weights, reconstructions and the worst rows of the first seed, and return its details by arm."""
    kept, told = TrialFolder(folder, {}), {}
    for arm in arms:
        layers = [records(9 + len(arm), 12), records(3, 7)] if arm != arms[-1] else []
        histories = {"layers": layers, "fine_tuning": records(0.1 * len(arm), 15)}
        told[arm] = {"histories": histories, "worst": [{"row": 10 * i, **worst} for i in range(4)]}
        weights = {when: rng.normal(size=(20, rows.shape[1])) for when in ("before", "after")}
        arrays = {**weights, "originals": rows, "worst": rows[:4]}
        arrays |= {"reconstructions": rows + 0.1 * rng.normal(size=rows.shape)} if layers else {}
        kept.store(arm, 0, Outcome({"details": told[arm]}, arrays), arrays=True)
    return told


def records(start, epochs):
    losses = [start * (0.3 + 0.7 * math.exp(-epoch / 4)) for epoch in range(epochs)]
    return [
        {"epoch": epoch, "loss": loss, "validation_loss": 1.1 * loss, "seconds": 0.25}
        for epoch, loss in enumerate(losses, start=1)
    ]


def blobs(rng, n):
    """Pictures with a blob each, shape `(n, 64)`."""
    y, x = np.indices((8, 8))[:, None] - rng.uniform(2, 5, (2, n, 1, 1))
    return np.exp(-(x**2 + y**2) / 4).reshape(n, 64)


def write(folder, results: dict[str, Any]):
    settings = {"arms": to_json([Plain(9)]), "epochs": 3, "smoke": False, "note": None, "sizes": [64, 9, 10]}
    folder.mkdir(exist_ok=True)
    (folder / "results.json").write_text(
        json.dumps({"settings": settings, "versions": {"torch": "2.13.0"}, **results})
    )
