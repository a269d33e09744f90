"""The random streams of one training."""

from typing import NamedTuple

import torch

from stacked.randomness import Randomness, Stream


class Streams(NamedTuple):
    """The random streams of one training, independent of each other."""

    shuffle: Stream
    noise: Stream
    validation: Stream

    @classmethod
    def of(cls, randomness: Randomness, *purpose: str | int, device: torch.device) -> "Streams":
        """The streams of the training named by `purpose`; noise is drawn on the device it is used on."""
        return cls(
            shuffle=randomness.stream(*purpose, "shuffle"),
            noise=randomness.stream(*purpose, "noise", device=device),
            validation=randomness.stream(*purpose, "validation"),
        )
