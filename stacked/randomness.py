"""Random numbers as an argument: every consumer is handed a stream, and nothing touches the global state.

A stream is named by a seed and a purpose, such as "corruption of layer 1". Streams of different
purposes are independent: a change in how one is used leaves the others as they were.
"""

import functools
import hashlib
from abc import ABC, abstractmethod

import numpy as np
import torch
from torch import Tensor

from stacked.errors import check_count


class Stream(ABC):
    """A source of the random numbers that training needs."""

    @abstractmethod
    def permutation(self, n: int) -> Tensor:
        """A random order of the integers 0..n-1, int64, on the CPU."""

    @abstractmethod
    def uniform_(self, out: Tensor, low: float, high: float) -> Tensor:
        """Fill `out` with numbers uniform in [low, high)."""

    @abstractmethod
    def normal(self, like: Tensor) -> Tensor:
        """Standard normal numbers in the shape, dtype and place of `like`."""

    @abstractmethod
    def keep_mask(self, like: Tensor, drop: float) -> Tensor:
        """Ones, each with probability `drop` replaced by a zero, in the shape, dtype and place of `like`."""

    @abstractmethod
    def state(self) -> Tensor:
        """All that the numbers to come depend on."""

    @abstractmethod
    def restore(self, state: Tensor) -> None:
        """Go on as the stream did whose state it was."""


class Randomness(ABC):
    """Where the streams of a run come from."""

    @abstractmethod
    def stream(self, *purpose: str | int, device: torch.device | str = "cpu") -> Stream:
        """The stream for one purpose, whose numbers are drawn on `device`."""


class Seeded(Randomness):
    """Streams that are independent of each other and determined by a seed.

    Parameters
    ----------
    seed : int
        From 0. Equal seeds give equal numbers on one kind of device.
    """

    def __init__(self, seed: int) -> None:
        check_count("seed", seed, least=0)
        self.seed = int(seed)

    def stream(self, *purpose: str | int, device: torch.device | str = "cpu") -> Stream:
        name = "/".join(str(part) for part in (self.seed, *purpose))
        place = torch.device(device)
        return HostStream(name) if place.type == "cpu" else DeviceStream(name, place)


def randomness_of(seed: int | Randomness) -> Randomness:
    """The source of streams that a `seed` argument means."""
    return seed if isinstance(seed, Randomness) else Seeded(seed)


class HostStream(Stream):
    """A stream for tensors on the CPU, drawn from NumPy's SFC64, which is several times faster than torch's there."""

    def __init__(self, name: str) -> None:
        self._bits = np.random.SFC64(_seed_of(name))
        self._generator = np.random.Generator(self._bits)

    def permutation(self, n: int) -> Tensor:
        return torch.from_numpy(self._generator.permutation(n))

    def uniform_(self, out: Tensor, low: float, high: float) -> Tensor:
        return out.copy_(torch.from_numpy(self._generator.uniform(low, high, tuple(out.shape))))

    def normal(self, like: Tensor) -> Tensor:
        numbers = self._generator.standard_normal(tuple(like.shape), dtype=np.float32)
        return torch.from_numpy(numbers).to(like.dtype)

    def keep_mask(self, like: Tensor, drop: float) -> Tensor:
        words = self._bits.random_raw(_n_words(like, drop))
        bits = words.view(np.int8 if _n_bits(drop) == 8 else np.int16)[: like.numel()]
        return _compared(torch.from_numpy(bits), like, drop)

    def state(self) -> Tensor:
        held = self._bits.state
        words = [*held["state"]["state"].view(np.int64), held["has_uint32"], held["uinteger"]]
        return torch.tensor(words, dtype=torch.int64)

    def restore(self, state: Tensor) -> None:
        *words, has_half, half = state.tolist()
        held = self._bits.state
        held["state"]["state"] = np.array(words, np.int64).view(np.uint64)
        held["has_uint32"], held["uinteger"] = has_half, half
        self._bits.state = held


class DeviceStream(Stream):
    """A stream for tensors on an accelerator, drawn there by torch."""

    def __init__(self, name: str, device: torch.device) -> None:
        self._generator = torch.Generator(device).manual_seed(_seed_of(name))

    def permutation(self, n: int) -> Tensor:
        return torch.randperm(n, generator=self._generator, device=self._generator.device).cpu()

    def uniform_(self, out: Tensor, low: float, high: float) -> Tensor:
        return out.uniform_(low, high, generator=self._generator)

    def normal(self, like: Tensor) -> Tensor:
        return torch.empty_like(like).normal_(generator=self._generator)

    def keep_mask(self, like: Tensor, drop: float) -> Tensor:
        words = torch.empty(_n_words(like, drop), dtype=torch.int64, device=like.device)
        words.random_(-(2**63), None, generator=self._generator)
        bits = words.view(torch.int8 if _n_bits(drop) == 8 else torch.int16)[: like.numel()]
        return _compared(bits, like, drop)

    def state(self) -> Tensor:
        return self._generator.get_state()

    def restore(self, state: Tensor) -> None:
        """Also after a recording that failed, and left its generator unfit for use."""
        self._generator = torch.Generator(self._generator.device)
        self._generator.set_state(state)

    def register(self, graph: torch.cuda.CUDAGraph) -> None:
        """Have the graph draw the stream's next numbers whenever it is replayed."""
        graph.register_generator_state(self._generator)


def _seed_of(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")


# Masks come from comparing random bits, several times faster on a CPU than bernoulli_ or rand. Eight bits an element
# serve where they give the probability exactly; otherwise 16 round it to a multiple of 2**-16.


@functools.cache
def _n_bits(drop: float) -> int:
    return 8 if float(drop * 2**8).is_integer() else 16


def _n_words(like: Tensor, drop: float) -> int:
    return -(-like.numel() * _n_bits(drop) // 64)


def _compared(bits: Tensor, like: Tensor, drop: float) -> Tensor:
    """Ones where the random bits of an element are not among the lowest share `drop` of their values, else zeros."""
    n_bits = _n_bits(drop)
    return bits.view(like.shape).to(like.dtype).ge_(round(drop * 2**n_bits) - 2 ** (n_bits - 1))
