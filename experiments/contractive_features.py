"""Contractive features against plain and denoising ones: Jacobians, their singular values, error after fine-tuning.

Source     Rifai, Vincent, Muller, Glorot and Bengio, "Contractive auto-encoders" (2011): a penalty on the encoder's
           Jacobian contracts the codes around the data, leaves few directions in which they move, and its features
           classify at least as well as denoising ones.
Command    python experiments/contractive_features.py
Settings   784-200, sigmoid, tied weights, cross-entropy, on 50,000 training images without labels; then 784-200-10,
           fine-tuned on the first 10,000 labels. Several weights of the penalty and several shares of masked pixels
           are tried; of each kind the one with the lowest mean error on the other 10,000 training images is compared.
Time       4 to 5 minutes on two cores
Expected   Smaller Jacobians, fewer directions, and an error at least as low as that of denoising.
Obtained   8 seeds, test error 7.02 % [6.92, 7.11] contractive (weight 10), 7.69 % denoising (masking 0.7), 8.32 %
           plain, 8.33 % random; all differences but that of plain and random are resolved. Jacobian norm 1.4 against
           8.9, 12.5 and 13.1; directions 4.6 against 35, 57 and 118; saturated codes 78 %, 69 %, 51 % and 8 %.
Measures   Of every 50th test image: mean Frobenius norm of the encoder's Jacobian, saturated codes (within 5 % of
           either end), and how many singular values carry 90 % of the Jacobian's squared norm. Test error of all.
"""

import functools
from pathlib import Path

import numpy as np
import torch
from common import command, console, mnist, split
from trials import Results, print_summary, run_trials

from stacked import (
    Adam,
    ClassifierSettings,
    Contractive,
    CosineDecay,
    Denoising,
    FeedforwardClassifier,
    LabelledImages,
    LayerSettings,
    Masking,
    Plain,
    StackedAutoencoder,
    TrainingConfig,
)
from stacked.autoencoders.contractive import SATURATED
from stacked.plots import Line, curves, error_distributions, filter_tiles
from stacked.printed import print_pairs
from stacked.rows import Array
from stacked.statistics import compare_pairs
from stacked.trial import Outcome

WIDTH, N_LABELLED, N_MEASURED = 200, 10_000, 200
COMMON = {"tied": True, "loss": "cross_entropy"}
KINDS: dict[str, dict[str, LayerSettings | None]] = {
    "random": {"random": None},
    "plain": {"plain": Plain(WIDTH, **COMMON)},
    "denoising": {f"masking {share}": Denoising(WIDTH, corruption=Masking(share), **COMMON) for share in (0.5, 0.7)},
    "contractive": {f"contractive {weight}": Contractive(WIDTH, weight=weight, **COMMON) for weight in (10.0, 30.0)},
}
"""The arms of every kind, among which validation rows decide."""
ARMS = {arm: layer for arms in KINDS.values() for arm, layer in arms.items()}


def training(smoke: bool) -> TrainingConfig:
    """Of the layer and of the classifier."""
    return TrainingConfig(epochs=1 if smoke else 8, batch_size=100, optimizer=Adam(0.001), schedule=CosineDecay())


def compute(data: LabelledImages, config: TrainingConfig, device: str, arm: str, seed: int, scratch: Path) -> Outcome:
    """Pretrain, measure the features, fine-tune and test."""
    data, validation = split(data)
    settings = ClassifierSettings((data.x_train.shape[1], WIDTH, 10))
    classifier = FeedforwardClassifier(settings, seed=seed, device=device)
    if (layer := ARMS[arm]) is not None:
        stack = StackedAutoencoder([layer], config, seed=seed, device=device)
        classifier.transfer(stack.fit(data.x_train, progress=False, run=scratch / "layers"))
    features, arrays = measured(classifier, data.x_test[:: -(-len(data.x_test) // N_MEASURED)])
    labelled = data.x_train[:N_LABELLED], data.y_train[:N_LABELLED]
    classifier.fit(*labelled, config, progress=False, run=scratch / "classifier")
    figures = {
        **features,
        "validation_error": classifier.error_rate(*validation),
        "error_rate": classifier.error_rate(data.x_test, data.y_test),
    }
    return Outcome(figures, arrays)


def measured(classifier: FeedforwardClassifier, x: Array) -> tuple[dict[str, float], dict[str, Array]]:
    """Figures of the hidden layer's Jacobians at the rows, their mean singular values, and the first filters."""
    hidden = classifier.layers[0]
    codes = torch.from_numpy(classifier.hidden(x))
    weight, slopes = hidden.weight.detach().cpu().double(), hidden.activation.slope(codes).double()
    # J J' is 200 x 200; its eigenvalues are the squares of J's singular values.
    gram = slopes[:, :, None] * (weight @ weight.T) * slopes[:, None, :]
    squares = torch.linalg.eigvalsh(gram).flip(dims=[1]).clamp_(min=0).numpy()
    shares = squares.cumsum(axis=1) / squares.sum(axis=1, keepdims=True)
    saturated = (codes < SATURATED) | (codes > 1 - SATURATED)
    figures = {
        "jacobian_norm": float(np.sqrt(squares.sum(axis=1)).mean()),
        "saturated": float(saturated.double().mean()),
        "directions": float((shares < 0.9).sum(axis=1).mean() + 1),
    }
    return figures, {
        "singular_values": np.sqrt(squares).mean(axis=0),
        "filters": hidden.weight[:100].detach().cpu().numpy(),
    }


def run(out: Path, *, seeds: int, jobs: int, smoke: bool, device: str) -> None:
    """Compare contractive with plain and denoising features, before and after fine-tuning.

    Writes results.json, singular_values.png, errors.png and filters.png. Finished seeds are kept.
    """
    data, config = mnist(smoke), training(smoke)
    trial = functools.partial(compute, data, config, device)
    settings = {"arms": ARMS, "training": config, "rows": [N_LABELLED, N_MEASURED], "width": WIDTH}
    flags = {"seeds": seeds, "jobs": jobs, "smoke": smoke, "device": device}
    results = run_trials(out, trial, ARMS, data=data, settings=settings, **flags)
    chosen = picked(results)
    pairs = compare_pairs({arm: results.numbers("error_rate")[arm] for arm in chosen})
    results.write(picked=chosen, pairs=pairs)
    columns = {
        "jacobian_norm": ("Jacobian norm", ".3f"),
        "saturated": ("saturated codes", ".1%"),
        "directions": ("directions", ".1f"),
        "validation_error": ("validation error", ".2%"),
        "error_rate": ("test error", ".2%"),
    }
    print_summary(results, columns)
    console.print(f"picked on validation rows: {', '.join(chosen)}", highlight=False)
    print_pairs(console, pairs)
    draw(out, results, chosen)


def picked(results: Results) -> list[str]:
    """Of every kind the arm with the lowest mean validation error."""
    errors = {
        arm: np.mean(list(rates.values()) or [np.inf]) for arm, rates in results.numbers("validation_error").items()
    }
    return [min(arms, key=lambda arm: errors[arm]) for arms in KINDS.values()]


def draw(out: Path, results: Results, chosen: list[str]) -> None:
    """Singular values and filters of the first seed, and the errors of all, of the arms that were picked."""
    kept = {arm: arrays for arm, arrays in results.arrays.items() if arm in chosen}
    rates = {arm: list(results.numbers("error_rate")[arm].values()) for arm in chosen}
    error_distributions(rates, out / "errors.png", title="784-200-10 after fine-tuning on 10,000 labels")
    if kept:
        first = {arm: arrays["singular_values"][:100] for arm, arrays in kept.items()}
        lines = {arm: Line(range(1, len(values) + 1), values) for arm, values in first.items()}
        labels = ("rank", "mean singular value of the Jacobian")
        curves({"": lines}, out / "singular_values.png", title="Directions in which codes move", labels=labels)
        tiles = {arm: arrays["filters"] for arm, arrays in kept.items()}
        filter_tiles(tiles, out / "filters.png", title="Filters before fine-tuning, first seed")


if __name__ == "__main__":
    command(run, __file__, seeds=8)
