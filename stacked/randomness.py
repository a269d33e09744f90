"""Random numbers as an argument: every consumer is handed a stream, and nothing touches the global state.

A stream is named by a seed and a purpose, such as "corruption of layer 1". Streams of different
purposes are independent: a change in how one is used leaves the others as they were.
"""

import hashlib
import math
from abc import ABC, abstractmethod

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
        return GeneratorStream("/".join(str(part) for part in (self.seed, *purpose)), device)


def randomness_of(seed: int | Randomness) -> Randomness:
    """The source of streams that a `seed` argument means."""
    return seed if isinstance(seed, Randomness) else Seeded(seed)


class GeneratorStream(Stream):
    """A stream drawn from a `torch.Generator` of its own, seeded by a hash of the stream's name."""

    def __init__(self, name: str, device: torch.device | str = "cpu") -> None:
        digest = hashlib.sha256(name.encode()).digest()
        # torch's generator for the CPU takes 32 bits of a seed.
        self.generator = torch.Generator(device).manual_seed(int.from_bytes(digest[:4], "little"))

    def permutation(self, n: int) -> Tensor:
        order = torch.randperm(n, generator=self.generator, device=self.generator.device)
        return order.cpu()

    def uniform_(self, out: Tensor, low: float, high: float) -> Tensor:
        return out.uniform_(low, high, generator=self.generator)

    def normal(self, like: Tensor) -> Tensor:
        return torch.empty_like(like).normal_(generator=self.generator)

    def keep_mask(self, like: Tensor, drop: float) -> Tensor:
        # Comparing random bits is several times faster on a CPU than bernoulli_ or rand. Eight bits an element
        # serve where they give the probability exactly; otherwise 16 round it to a multiple of 2**-16.
        bits = 8 if (drop * 2**8).is_integer() else 16
        words = torch.empty(math.ceil(like.numel() * bits / 64), dtype=torch.int64, device=like.device)
        words.random_(-(2**63), None, generator=self.generator)
        mask = torch.empty_like(like)
        mask.view(-1).copy_(words.view(torch.int8 if bits == 8 else torch.int16)[: like.numel()])
        return mask.ge_(round(drop * 2**bits) - 2 ** (bits - 1))
