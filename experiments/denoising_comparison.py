"""Stacked denoising pretraining against plain pretraining and random initialisation: the classic comparison on MNIST.

Source     DeepLearnToolbox (R. B. Palm, 2012), stacked-autoencoder example: 784-100-100-10, sigmoid units, squared
           error, learning rate 1, momentum 0.5, batches of 100, one epoch a phase. Published test error: 9.33 %
           without, 8.26 % with masking of half the inputs of both layers; no random initialisation.
Command    python experiments/denoising_comparison.py
           python experiments/denoising_comparison.py --replay
Time       half a minute on two cores (10 seeds), 10 s for the replay, 5 minutes with --epochs 10
Expected   30 seeds of the toolbox itself: median 9.59 % plain, 8.54 % denoising, 17.21 % random; collapsed (some
           digit's recall below 5 %) 6, 9 and 21 of 30. Replay: 932 and 835 wrong of 10,000.
Obtained   30 seeds: median 9.61 %, 8.48 %, 24.99 %; collapsed 6, 9 and 24; no difference from the toolbox's
           distributions detected (Kolmogorov-Smirnov p = 0.59, 0.59, 0.39). Replay: 932 and 835.
"""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from common import (
    Device,
    Jobs,
    Out,
    Seeds,
    Smoke,
    Together,
    console,
    default_seeds,
    fingerprints,
    folder_for,
    launch,
    make_folder,
    mnist,
)
from report_table import print_arms
from toolbox_replay import PUBLISHED, TOOLBOX_WRONG, replayed_wrong

from stacked import (
    SGD,
    ClassifierSettings,
    Denoising,
    Masking,
    Plain,
    StackedAutoencoder,
    StackedError,
    TrainingConfig,
    load_mnist,
)
from stacked.campaign import default_jobs
from stacked.comparison import Arm, Recipe, Run, at_once, finished_runs
from stacked.error_table import tabulate
from stacked.plots import error_distributions, filter_tiles
from stacked.printed import print_pairs
from stacked.progress import counted
from stacked.results import versions, versions_that_matter, write_results
from stacked.settings import to_json
from stacked.statistics import same_distribution
from stacked.trial_folder import TrialFolder

ARMS = (
    Arm("plain", (Plain(100, random_bias=True),) * 2),
    Arm("denoising", (Denoising(100, corruption=Masking(0.5), random_bias=True),) * 2),
    Arm("random"),
)
NAMES = [arm.name for arm in ARMS]
TOOLBOX = json.loads((Path(__file__).parent / "toolbox_error_rates.json").read_text())


def recipe(epochs: int, device: str = "cpu") -> Recipe:
    """The toolbox's settings, with so many epochs a phase."""
    training = TrainingConfig(epochs=epochs, batch_size=100, optimizer=SGD(1.0, momentum=0.5))
    classifier = ClassifierSettings((784, 100, 100, 10), output="sigmoid", random_bias=True)
    return Recipe(classifier, pretraining=training, finetuning=training, device=device)


def run(
    out: Path, *, seeds: int, jobs: int, epochs: int, smoke: bool, device: str, together: int | None = None
) -> dict[str, Any]:
    """Run what is missing, write `results.json` and the pictures, and return the results."""
    data = mnist(smoke)
    settings = {
        "versions": versions_that_matter(),
        "arms": to_json(list(ARMS)),
        "recipe": to_json(recipe(epochs, device)),
        "data": fingerprints(data),
    }
    folder = TrialFolder(out, settings)
    at_a_time = min(jobs * (together or at_once(device)), seeds * len(ARMS))
    megabytes = at_a_time * StackedAutoencoder(ARMS[0].layers).disk_bytes(len(data.x_train)) / 1e6
    console.print(
        f"{len(ARMS)} arms x {seeds} seeds, {len(data.x_train):,} rows, {epochs} epoch(s) a phase, {jobs} jobs.\n"
        f"Codes take at most {megabytes:,.0f} MB of disk at a time and are removed.",
        highlight=False,
    )
    runs = finished_runs(ARMS, recipe(epochs, device), data, range(seeds), folder, jobs, together=together)
    finished = list(counted(runs, seeds * len(ARMS), _described))
    results = {
        "settings": {**settings, "seeds": seeds, "epochs": epochs, "smoke": smoke},
        "versions": versions(),
        **tabulate(NAMES, finished),
    }
    results["summary"]["toolbox"] = _toolbox(epochs, smoke, results["arms"])
    _draw(out, results, folder)
    write_results(out, results)
    return results


def replay() -> dict[str, Any]:
    """Both published runs under MATLAB's random stream, in float64."""
    data = load_mnist(dtype="float64", compact=True)
    wrong = {masking: replayed_wrong(masking, recipe(1), data) for masking in PUBLISHED}
    for masking, count in wrong.items():
        console.print(
            f"masking {masking}: {count} wrong of {len(data.y_test):,} "
            f"(original toolbox under this stream: {TOOLBOX_WRONG[masking]}; published: {PUBLISHED[masking]:.2%})"
        )
    return {"settings": {"replay": True}, "versions": versions(), "wrong": {str(key): n for key, n in wrong.items()}}


def main(
    out: Out = None,
    seeds: Seeds = None,
    jobs: Jobs = None,
    smoke: Smoke = False,
    device: Device = "cpu",
    together: Together = None,
    epochs: Annotated[int, typer.Option(min=1, help="Epochs a phase.")] = 1,
    replayed: Annotated[
        bool,
        typer.Option("--replay", help="Replay the two published runs under MATLAB's random numbers, in float64."),
    ] = False,
) -> None:
    """Compare plain and denoising pretraining and random initialisation of 784-100-100-10 on MNIST.

    Prints error rates with their spread, writes results.json, errors.png and filters.png. Finished runs are kept: an
    interrupted comparison goes on where it stopped, and more seeds are added to those there are.
    """
    variant = "_replay" if replayed else "" if epochs == 1 else f"_{epochs}_epochs"
    folder = folder_for(out, __file__, smoke=smoke, variant=variant)
    if replayed:
        if smoke or epochs > 1 or device != "cpu" or seeds or jobs or together:
            raise StackedError("--replay: expected alone or with --out, for it has no seeds, jobs, epochs or device")
        make_folder(folder)
        write_results(folder, replay())
    else:
        seeds = default_seeds(seeds, smoke=smoke)
        spread = {"jobs": default_jobs(jobs, device), "together": together}
        results = run(folder, seeds=seeds, epochs=epochs, smoke=smoke, device=device, **spread)
        print_arms(console, results)
        print_pairs(console, results["summary"]["pairs"], results["summary"]["pairs_among_healthy"])
    console.print(f"written to {folder}")


def _described(run: Run) -> str:
    return f"{run.arm}, seed {run.seed}: " + ("failed" if run.error_rate is None else f"{run.error_rate:.2%}")


def _toolbox(epochs: int, smoke: bool, arms: dict[str, Any]) -> dict[str, Any]:
    """The toolbox's own figures by arm, where it was measured at this length.

    `ks_p` is the p-value of a Kolmogorov-Smirnov test for a difference; None where its runs are too few to show one.
    """
    lengths = {} if smoke else {1: "one_epoch", 10: "ten_epochs"}
    compared = {}
    for arm, measured in TOOLBOX.get(lengths.get(epochs), {}).items():
        ours = [rate for rate in arms[arm]["error_rate"] if rate is not None]
        theirs = measured["error_rate"]
        collapsed = len(measured["collapsed_seeds"]) if "collapsed_seeds" in measured else None
        ks_p = same_distribution(ours, theirs) if ours and len(theirs) >= 10 else None
        compared[arm] = {"error_rate": theirs, "collapsed": collapsed, "ks_p": ks_p}
    return compared


def _draw(out: Path, results: dict[str, Any], folder: TrialFolder) -> None:
    rates = {arm: [rate for rate in results["arms"][arm]["error_rate"] if rate is not None] for arm in NAMES}
    reference = {arm: compared["error_rate"] for arm, compared in results["summary"]["toolbox"].items()}
    epochs = results["settings"]["epochs"]
    title = f"MNIST, 784-100-100-10, {epochs} epoch{'s' * (epochs > 1)} a phase"
    error_distributions(
        rates, out / "errors.png", title=title, reference=reference, reference_name="DeepLearnToolbox"
    )
    kept = {arm: folder.arrays(arm, 0) or {} for arm in NAMES}
    tiles = {
        f"{arm}, {when} fine-tuning": weights[when]
        for when in ("before", "after")
        for arm, weights in kept.items()
        if when in weights
    }
    if tiles:
        filter_tiles(tiles, out / "filters.png", title="First-layer filters, seed 0")


if __name__ == "__main__":
    launch(main)
