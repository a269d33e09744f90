"""Training, encoding and evaluation straight from a file larger than the memory that the process may take.

Every side runs in a fresh process on one thread, those that read a file under a limit on the memory of their own
(RLIMIT_DATA, to which the pages of mapped files do not count). The disk cache is warm. "memory" trains on the first
rows, as many as fit, in so many epochs that it sees as many. Command: python benchmarks/large_rows.py
"""

import json as text
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import h5py
import numpy as np
import torch
import typer
from common import Json, Repetitions, keep, report
from peaks import PEAKS, watched_peaks
from rich import print as say

from stacked import SGD, Denoising, FeedforwardClassifier, Masking, StackedAutoencoder, TrainingConfig, load_hdf5

WIDTH, UNITS, CLASSES, BLOCK = 784, 100, 10, 10_000
TASKS = ("train", "encode", "evaluate")
FILES = {".npy map": "rows.npy", "HDF5, contiguous": "plain.h5", "HDF5, gzip chunks": "packed.h5"}
SIDES = ("memory", *FILES)
Figures = dict[str, float]


def main(
    repetitions: Repetitions = 3,
    json: Json = None,
    gigabytes: Annotated[float, typer.Option(help="Size of the file.")] = 6.0,
    limit: Annotated[float, typer.Option(help="Gigabytes of its own that a process may take.")] = 1.5,
    in_memory: Annotated[int, typer.Option(help="Rows that fit.")] = 300_000,
    once: Annotated[str, typer.Option(hidden=True, help="A side and a folder: measure in this process.")] = "",
) -> None:
    """Time each side in fresh processes in turn; a first round, which warms the disk cache, is not counted."""
    n_rows = max(1, round(gigabytes * 1e9 / (4 * WIDTH)))
    if once:
        print(text.dumps(_measured(*once.split(":"), n_rows, in_memory, limit)))
        return
    with tempfile.TemporaryDirectory() as folder:
        _write(Path(folder), n_rows)
        command = [sys.executable, __file__, "--gigabytes", str(gigabytes), "--limit", str(limit)]
        command += ["--in-memory", str(in_memory), "--once"]
        rounds = [{side: _run([*command, f"{side}:{folder}"]) for side in SIDES} for _ in range(repetitions + 1)][1:]
    seconds = {task: {side: [1e6 / one[side][task] for one in rounds] for side in SIDES} for task in TASKS}
    for task in TASKS:
        report(f"{task}: seconds a million rows, of {n_rows:,}", seconds[task], "memory", None)
    for side in SIDES:
        peaks = ", ".join(f"{name} {max(one[side][name] for one in rounds):,.0f} MB" for name in PEAKS)
        say(f"{side}: peak {peaks}")
    sides = {side: {"seconds": seconds["train"][side]} for side in SIDES}
    keep(json, title="large rows", n_rows=n_rows, sides=sides, rounds=rounds)


def _run(command: list[str]) -> Figures:
    figures: Figures = text.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)
    return figures


def _measured(side: str, folder: str, n_rows: int, in_memory: int, limit: float) -> Figures:
    """Rows per second of every task, and the peaks of this process in megabytes."""
    torch.set_num_threads(1)
    if side != "memory":
        resource.setrlimit(resource.RLIMIT_DATA, (int(limit * 1e9),) * 2)
    with watched_peaks() as peaks:
        rows = _rows(side, Path(folder), in_memory)
        epochs = max(1, round(n_rows / len(rows)))
        training = TrainingConfig(epochs=epochs, batch_size=100, optimizer=SGD(1.0, momentum=0.5))
        layer = Denoising(UNITS, corruption=Masking(0.5))
        stack = StackedAutoencoder([layer], training).fit(rows, progress=False)
        with tempfile.TemporaryFile(dir=folder) as file:
            codes = np.memmap(file, np.float32, "w+", shape=(len(rows), UNITS))
            encode = _seconds(lambda: stack.encode(rows, out=codes))
        classifier = FeedforwardClassifier.from_stack(stack, CLASSES)
        labels = np.arange(len(rows)) % CLASSES
        evaluate = _seconds(lambda: classifier.error_rate(rows, labels))
    trained = epochs * len(rows) / float(np.sum(stack.histories[0]["seconds"]))
    return {"train": trained, "encode": len(rows) / encode, "evaluate": len(rows) / evaluate, **peaks}


def _rows(side: str, folder: Path, in_memory: int) -> Any:
    if side == "memory":
        return np.array(np.load(folder / FILES[".npy map"], mmap_mode="r")[:in_memory])
    path = folder / FILES[side]
    return np.load(path, mmap_mode="r") if path.suffix == ".npy" else load_hdf5(path, "x")


def _write(folder: Path, n_rows: int) -> None:
    """The same rows in three files, block by block: most values zero and 256 levels, as in pictures of digits."""
    random, shape = np.random.default_rng(0), (n_rows, WIDTH)
    paths = [folder / name for name in FILES.values()]
    mapped = np.lib.format.open_memmap(paths[0], "w+", np.float32, shape)
    with h5py.File(paths[1], "w") as plain, h5py.File(paths[2], "w") as packed:
        chunks = {"chunks": (min(1000, n_rows), WIDTH), "compression": "gzip", "compression_opts": 1}
        tables = [file.create_dataset("x", shape, np.float32, **how) for file, how in ((plain, {}), (packed, chunks))]
        for start in range(0, n_rows, BLOCK):
            levels = random.integers(0, 256, (min(BLOCK, n_rows - start), WIDTH), np.uint8)
            levels[random.integers(0, 5, levels.shape, np.uint8) > 0] = 0
            for table in (mapped, *tables):
                table[start : start + len(levels)] = levels / np.float32(255)


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    typer.run(main)
