"""A process that asks a shared cache for codes it knows, at random, and says in a file of its own what it does.

Each line of the log is an event and a key: `computing` and `computed` come from the computation, `got` once the codes
are delivered and checked. The last line of a killed process says where it was killed. Anything else that goes wrong,
a warning too, is a line `failed` with the reason, and the end of the process.
"""

import contextlib
import os
import random
import signal
import time
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np

from stacked.cache import CodeCache
from stacked.cache_entry import Codes

SHAPE = (400, 64)
_GETS_OF_ONE_CACHE = 40  # after which another object is made, which checks all values again


class Orders(NamedTuple):
    """What a process does: in which folder, until when, with which bound, and how it names its keys."""

    folder: Path
    until: float
    max_bytes: int
    n_keys: int
    seconds_of_keys: float  # after which all keys are new
    deaths: float  # the fraction of computations that kill their process
    one_computation: bool  # whether an entry that is there must not be computed


def codes_of(key: str) -> Codes:
    """What is asked for under a key."""
    return Codes(key, SHAPE, np.dtype("f4"))


def values_of(key: str) -> np.ndarray:
    """The codes of a key."""
    return np.random.default_rng(list(key.encode())).random(SHAPE, dtype=np.float32)


def hammer(orders: Orders, log: Path, seed: int) -> None:
    """Ask until the time is over."""
    warnings.simplefilter("error")
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def say(event: str, what: str) -> None:
        os.write(descriptor, f"{event} {what}\n".encode())

    try:
        _ask(orders, random.Random(seed), say)
    except BaseException as error:
        say("failed", repr(error))
        raise


def _ask(orders: Orders, draw: random.Random, say) -> None:
    while time.time() < orders.until:
        cache = CodeCache(orders.folder, orders.max_bytes)
        for _ in range(_GETS_OF_ONE_CACHE):
            generation = int(time.time() / orders.seconds_of_keys)
            key = f"{generation}-{draw.randrange(orders.n_keys)}"
            values = cache.get(codes_of(key), _computation(orders, key, draw.random() < orders.deaths, say))
            assert np.array_equal(values, values_of(key)), f"wrong codes of {key}"
            say("got", key)


def _computation(orders: Orders, key: str, deadly: bool, say):
    def compute(out: np.ndarray) -> None:
        say("computing", key)
        if orders.one_computation:
            assert not (orders.folder / f"{key}.h5").exists(), f"{key} is there, and computed again"
        values = values_of(key)
        half = len(values) // 2
        out[:half] = values[:half]
        time.sleep(0.002)  # so that others ask meanwhile
        if deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        out[half:] = values[half:]
        say("computed", key)

    return compute


def events_in(log: Path) -> list[tuple[str, str]]:
    """What a process said, in order."""
    with contextlib.suppress(FileNotFoundError):
        return [tuple(line.split(" ", 1)) for line in log.read_text().splitlines()]
    return []
