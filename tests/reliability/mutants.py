"""Damages files of one kind in many ways and reads each; a program, for what reads them might crash or hang.

    python -m tests.reliability.mutants KIND FIRST COUNT

writes a good file of the kind, and for every number from FIRST on damages it in the way that this number seeds. It
prints the number before reading, and at the end how often the damage was told, or was harmless because the values
read were the same, or was neither, and by how much memory grew.
"""

import hashlib
import json
import resource
import shutil
import signal
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
import torch

from stacked import (
    CodeCache,
    CodeIndex,
    Denoising,
    FeedforwardClassifier,
    Plain,
    StackedAutoencoder,
    StackedError,
    StackedWarning,
    TrainingConfig,
    datasets,
    load_classifier,
    load_hdf5,
    load_idx,
    load_index,
    load_mnist,
    load_stack,
    save,
)
from stacked.cache_entry import Codes
from stacked.checkpoint import model_key
from stacked.checkpoints import Checkpoints

SECONDS = 20
"""For one reading, most of which take a millisecond."""

MEMORY = 2**30
"""Bytes of address space beyond those at the start, for files of some kilobytes."""

X = np.random.default_rng(0).random((40, 6), dtype=np.float32)
ONE_EPOCH = TrainingConfig(1, 10)


class Kind(NamedTuple):
    """A kind of file.

    `write` makes good files in a folder, `read` gives what they say, in bytes. Where the format tells damage from
    data (`checked`), what is read must be right or refused; where it does not, reading must only come to an end.
    """

    write: Callable[[Path], object]
    read: Callable[[Path], bytes]
    checked: bool = True


def stack():
    return StackedAutoencoder([Denoising(5), Plain(4)], ONE_EPOCH).fit(X, progress=False)


def classifier():
    return FeedforwardClassifier((6, 5, 3)).fit(X, np.arange(40) % 3, ONE_EPOCH, progress=False)


def cached(folder):
    """The codes of a cache; where it cannot use its entry, it says so and computes, here always the same."""

    def compute(out):
        out[:] = X

    return CodeCache(folder).get(Codes("key", X.shape, X.dtype), compute).tobytes()


def read_index(folder):
    index = load_index(folder)
    return model_key(index.stack).encode() + index.codes(np.arange(len(index))).tobytes() + bytes([index.depth])


def write_images(folder, compress=lambda content: content, ending=""):
    """Images and labels under the names of MNIST's files."""
    pixels = np.random.default_rng(1).integers(0, 256, (30, 4, 5)).astype(np.uint8)
    labels = (np.arange(30) % 10).astype(np.uint8)
    for name in datasets._MNIST_SHA256:
        array = pixels if "images" in name else labels
        head = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
        content = head + array.tobytes()
        datasets._MNIST_SHA256[name] = hashlib.sha256(content).hexdigest()  # in this process these are MNIST
        (folder / f"{name}{ending}").write_bytes(compress(content))


def zipped(content):
    import gzip  # noqa: PLC0415

    return gzip.compress(content, mtime=0)


def read_images(load):
    return lambda folder: b"".join(np.ascontiguousarray(part).tobytes() for part in load(folder, compact=False))


def write_hdf5(libver="earliest", **options):
    def write(folder):
        with h5py.File(folder / "rows.h5", "w", libver=libver) as file:
            file.create_dataset("group/x", data=X, **options)
            file.create_dataset("other", data=X[:3])

    return write


def read_hdf5(folder):
    rows = load_hdf5(folder / "rows.h5", "group/x")
    parts = [f"{rows.shape} {rows.dtype}".encode()]
    # As the package reads: block by block, and none is kept here.
    parts += [hashlib.sha256(rows[first : first + 4096].tobytes()).digest() for first in range(0, len(rows), 4096)]
    return b"".join(parts)


STATE: dict[str, Any] = {"weights": torch.from_numpy(X), "rows": 7, "optimizer": [{"rate": 0.1}, None]}


def write_checkpoint(folder):
    Checkpoints(folder, "layer-1", "run", 0).write(STATE)


def read_checkpoint(folder):
    """The state in a checkpoint; where it cannot be used, a training says so and computes, here the same."""
    state = Checkpoints(folder, "layer-1", "run", 0).newest() or STATE
    weights = state["weights"].numpy().tobytes()
    return weights + json.dumps([state["rows"], state["optimizer"]]).encode()


CHUNKS = {"chunks": (8, 6)}
KINDS = {
    "cache entry": Kind(cached, cached),
    "checkpoint": Kind(write_checkpoint, read_checkpoint),
    "saved stack": Kind(lambda folder: save(stack(), folder), lambda folder: model_key(load_stack(folder)).encode()),
    "saved classifier": Kind(
        lambda folder: save(classifier(), folder), lambda folder: model_key(load_classifier(folder)).encode()
    ),
    "saved index": Kind(lambda folder: CodeIndex(stack()).add(X).save(folder), read_index),
    "MNIST, plain": Kind(write_images, read_images(load_mnist)),
    "IDX, gzip": Kind(lambda folder: write_images(folder, zipped, ".gz"), read_images(load_idx)),
    "IDX, plain": Kind(write_images, read_images(load_idx), checked=False),
    "HDF5, checksums": Kind(write_hdf5("latest", fletcher32=True, **CHUNKS), read_hdf5),
    "HDF5, checksums and gzip": Kind(write_hdf5("latest", fletcher32=True, compression="gzip", **CHUNKS), read_hdf5),
    "HDF5, contiguous": Kind(write_hdf5(), read_hdf5, checked=False),
    "HDF5, gzip": Kind(write_hdf5(compression="gzip", **CHUNKS), read_hdf5, checked=False),
}


def mutated(content: bytes, rng: np.random.Generator) -> bytes:
    """Other content: bits flipped, cut off, or pieces overwritten, put in, zeroed or exchanged."""
    damage = (flipped, flipped, truncated, spliced, inserted, zeroed, swapped)[rng.integers(7)]
    while (made := damage(bytearray(content), rng)) == content:
        damage = flipped
    return bytes(made)


def piece(content: bytearray, rng: np.random.Generator, most: int = 512) -> slice:
    first = int(rng.integers(len(content)))
    return slice(first, min(len(content), first + int(rng.integers(1, most))))


def flipped(content, rng):
    for _ in range(int(rng.integers(1, 9))):
        content[int(rng.integers(len(content)))] ^= 1 << int(rng.integers(8))
    return content


def truncated(content, rng):
    return content[: int(rng.integers(len(content)))]


def spliced(content, rng):
    taken = content[piece(content, rng)]
    first = int(rng.integers(len(content)))
    content[first : first + len(taken)] = taken
    return content


def inserted(content, rng):
    first = int(rng.integers(len(content)))
    content[first:first] = rng.bytes(int(rng.integers(1, 64)))
    return content


def zeroed(content, rng):
    page = int(rng.choice([16, 64, 512]))
    first = page * int(rng.integers(-(-len(content) // page)))
    n_bytes = len(content[first : first + page])
    content[first : first + n_bytes] = bytes(n_bytes)
    return content


def swapped(content, rng):
    size = int(rng.choice([1, 8, 64]))
    one, other = (size * int(rng.integers(-(-len(content) // size))) for _ in range(2))
    a, b = content[one : one + size], content[other : other + size]
    if len(a) == len(b):
        content[one : one + size], content[other : other + size] = b, a
    return content


def outcome(kind: Kind, folder: Path, expected: bytes) -> str:
    """What reading the damaged files comes to; a word, or what went wrong."""
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            values = kind.read(folder)
    except StackedError as error:
        return "detected" if _is_clear(str(error)) else f"unclear: {error}"
    except Exception as error:  # whatever it is, it should have been a StackedError
        return f"raised {error!r}"
    told = [warning for warning in caught if issubclass(warning.category, StackedWarning)]
    if told:
        return (
            "detected" if values == expected and "\n" not in str(told[0].message) else f"unclear: {told[0].message}"
        )
    return "harmless" if values == expected else "wrong values" if kind.checked else "undetectable"


def _is_clear(message: str) -> bool:
    return "\n" not in message and "; " in message


def main(name: str, first: int, count: int) -> None:
    """Read so many damaged files."""
    kind, found, bad = KINDS[name], dict[str, int](), list[tuple[int, str]]()
    with tempfile.TemporaryDirectory() as parent:
        good, folder = Path(parent) / "good", Path(parent) / "damaged"
        good.mkdir()
        kind.write(good)
        expected = kind.read(good)
        files = sorted(path.relative_to(good) for path in good.rglob("*") if path.is_file())
        _limit_memory()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for number in range(first, first + count):
            rng = np.random.default_rng(number)
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(good, folder)
            path = folder / files[int(rng.integers(len(files)))]
            path.write_bytes(mutated(path.read_bytes(), rng))
            print(number, flush=True)
            signal.alarm(SECONDS)
            result = outcome(kind, folder, expected)
            signal.alarm(0)
            word = result if result in ("detected", "harmless", "undetectable") else "bad"
            found[word] = found.get(word, 0) + 1
            if word == "bad":
                bad.append((number, result))
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(json.dumps({"found": found, "bad": bad, "grown_kilobytes": grown}))


def _limit_memory() -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


if __name__ == "__main__":
    arguments: Any = sys.argv
    main(arguments[1], int(arguments[2]), int(arguments[3]))
