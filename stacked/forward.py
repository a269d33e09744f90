"""What a feedforward network does with rows: outputs, and those of its hidden layers."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from stacked.dense import Dense
from stacked.destinations import check_apart, destination
from stacked.devices import numpy_dtype
from stacked.errors import check_count, mismatch
from stacked.feedforward_settings import FeedforwardSettings
from stacked.heads import Head
from stacked.network import Network
from stacked.provenance import Provenance
from stacked.rows import Array, Rows, as_rows, map_rows, value_range, within_0_and_1
from stacked.scaling import Scaling, maybe_scaled


class Forward(ABC):
    """Dense layers, the last of which a head reads.

    Results beyond memory go where `out` says, as in `Coding`.
    """

    settings: FeedforwardSettings
    layers: list[Dense]
    scaling: Scaling | None
    provenance: Provenance
    dtype: torch.dtype
    device: torch.device

    @abstractmethod
    def head(self) -> Head:
        """What the outputs stand for."""

    @property
    def encoder_layers(self) -> list[Dense]:
        """The hidden layers, bottom first."""
        return self.layers[:-1]

    def outputs(self, x: Any, *, out: Any = None) -> Array:
        """Values of the output units, shape `(n, n_outputs)`."""
        return self._map(self.values(), x, self.settings.sizes[-1], out)

    def hidden(self, x: Any, depth: int | None = None, *, out: Any = None) -> Array:
        """Outputs of hidden layer `depth`, by default the last: before fine-tuning, the codes of the stack."""
        hidden = self.hidden_layers(depth)
        return self._map(torch.nn.Sequential(*hidden), x, len(hidden[-1].bias), out)

    encode = hidden
    """As a stack does, for its encoders are the hidden layers."""

    def n_codes(self, depth: int | None = None) -> int:
        """Columns of `encode`."""
        return len(self.hidden_layers(depth)[-1].bias)

    def hidden_layers(self, depth: int | None = None) -> list[Dense]:
        """The `depth` lowest hidden layers, all by default; StackedError when there are none, or not so many."""
        n_hidden = len(self.layers) - 1
        wanted = max(1, n_hidden) if depth is None else depth
        check_count("depth", wanted)
        if wanted > n_hidden:
            expected, remedy = f"at most the {n_hidden} hidden layers there are", "leave it out for the last, if any"
            raise mismatch("depth", expected=expected, received=str(wanted), remedy=remedy)
        return self.layers[:wanted]

    def values(self) -> Callable[[Tensor], Tensor]:
        """What turns scaled rows into values of the output units."""
        network = self.network(above=0)
        return lambda x: network.head.output.values(network.logits(x))

    def network(self, above: int) -> Network:
        """The layers above the lowest so many, as a model."""
        settings = self.settings
        return Network(self.layers[above:], self.head(), settings.dropout, settings.weight_decay, on_codes=above > 0)

    def rows_of(self, x: Any, name: str = "x") -> Rows:
        """`x` as rows of its inputs, scaled and finite."""
        return self.measured(x, name)[0]

    def measured(self, x: Any, name: str = "x") -> tuple[Rows, bool]:
        """The same, and whether all values lie in [0, 1] as they came."""
        given = self.given(x, name)
        rows = maybe_scaled(given, self.scaling, self.dtype)
        bounds = value_range(rows, name, self.dtype)
        self.provenance.check_like_training(given, bounds, name)
        return rows, self.scaling is None and within_0_and_1(bounds)

    def given(self, x: Any, name: str = "x") -> Rows:
        """`x` as rows of its inputs; those of a frame by the names that they had in training."""
        return as_rows(x, name, self.settings.sizes[0], self.provenance.columns)

    def _map(self, function: Callable[[Tensor], Tensor], x: Any, width: int, out: Any) -> Array:
        given = self.given(x)
        place = destination(out, (len(given), width), numpy_dtype(self.dtype))
        check_apart(given, place)
        return map_rows(function, self.rows_of(given), place, self.device)
