"""What all experiments share: flags, where results go, and how a run ends."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console

from stacked import LabelledImages, load_mnist
from stacked.campaign import default_jobs
from stacked.cli.guard import guarded
from stacked.devices import device_named
from stacked.files import blaming
from stacked.paths import named_path
from stacked.rows import fingerprint

Out = Annotated[
    str | None,
    typer.Option(help="Folder for results, made if need be.", metavar="FOLDER", show_default="results/NAME"),
]
Seeds = Annotated[int | None, typer.Option(min=1, help="Seeds, from 0.", show_default="10, or 2 with --smoke")]
Jobs = Annotated[int | None, typer.Option(min=1, help="Processes at a time.", show_default="one a core")]
Together = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Seeds of an arm that train as one computation.",
        show_default="16 on an accelerator, 1 on a CPU",
    ),
]
Smoke = Annotated[bool, typer.Option("--smoke", help="A run of seconds on little data, to see that all works.")]
Device = Annotated[str, typer.Option(help="cpu, cuda or mps.")]

console = Console()


def launch(main: Callable[..., None]) -> None:
    """Run an experiment as a command, which ends like those of the package."""
    interrupted = "interrupted; finished runs are kept: the same command goes on from there"
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(guarded(main, interrupted))
    app()


def command(run: Callable[..., None], script: str, *, seeds: int) -> None:
    """Make `run(out, *, seeds, jobs, smoke, device)` a command with the flags that all experiments share.

    Its help is the docstring of `run`; `script` is the file, `seeds` how many are run unless the user says otherwise.
    """
    default = f"{seeds}, or 1 with --smoke"

    def main(
        out: Out = None,
        number: Annotated[
            int | None, typer.Option("--seeds", min=1, help="Seeds, from 0.", show_default=default)
        ] = None,
        jobs: Jobs = None,
        smoke: Smoke = False,
        device: Device = "cpu",
    ) -> None:
        folder = folder_for(out, script, smoke=smoke)
        device_named(device)
        run(
            folder,
            seeds=number or (1 if smoke else seeds),
            jobs=default_jobs(jobs, device),
            smoke=smoke,
            device=device,
        )
        console.print(f"written to {folder}")

    main.__doc__ = run.__doc__
    launch(main)


def mnist(smoke: bool) -> LabelledImages:
    """MNIST, its pixels kept as bytes and read as numbers from 0 to 1; the first of it when smoke is all there is."""
    data = load_mnist(compact=True)
    if not smoke:
        return data
    return LabelledImages(data.x_train[:2000], data.y_train[:2000], data.x_test[:1000], data.y_test[:1000])


def split(data: LabelledImages) -> tuple[LabelledImages, tuple[Any, Any]]:
    """Without the last sixth of the training images; and these with their labels, to validate on."""
    n = len(data.x_train) - len(data.x_train) // 6
    return data._replace(x_train=data.x_train[:n], y_train=data.y_train[:n]), (data.x_train[n:], data.y_train[n:])


def fingerprints(data: LabelledImages) -> list[str]:
    """What tells these images and labels from all others, for settings that kept trials must share."""
    parts = (part if part.ndim == 2 else part[:, None] for part in map(np.asarray, data))
    return [fingerprint(part)[:12] for part in parts]


def folder_for(out: str | None, script: str, *, smoke: bool, variant: str = "") -> Path:
    """The folder asked for, or `results/NAME` in the working directory, with a name of its own for every variant."""
    if out is not None:
        return named_path(out, "--out")
    return Path("results") / (Path(script).stem + variant + ("_smoke" if smoke else ""))


def default_seeds(seeds: int | None, *, smoke: bool) -> int:
    """The seeds asked for, or ten, or two to see that all works."""
    return seeds or (2 if smoke else 10)


def make_folder(folder: Path) -> None:
    """Make the folder for results, before any work is done."""
    with blaming(folder, "results"):
        folder.mkdir(parents=True, exist_ok=True)
