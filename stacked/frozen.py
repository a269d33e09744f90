"""The frozen layers of a classifier: computed once, not in every epoch, and into a file rather than memory."""

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from torch import nn

from stacked.cache import CodeCache
from stacked.cache_entry import FORMAT, Codes
from stacked.dense import Dense
from stacked.devices import numpy_dtype
from stacked.examples import Examples
from stacked.rows import BLOCK, map_rows
from stacked.state_files import fingerprint_of
from stacked.temporary_cache import cache_for_run


@contextlib.contextmanager
def examples_above(
    layers: Sequence[Dense], tables: Sequence[Examples], origins: Sequence[str], folder: Path | None
) -> Iterator[Callable[[], Sequence[Examples]]]:
    """What gives examples as the layers above these see them, computed when it is first asked.

    Parameters
    ----------
    layers : sequence of Dense
        The frozen ones, bottom first; maybe none.
    tables : sequence of Examples
        What the lowest is given.
    origins : sequence of str
        What tells the rows of each table from others.
    folder : Path, optional
        Of a run, where its outputs stay until it is finished.
    """
    if not layers:
        yield lambda: tables
        return
    with cache_for_run(None, folder) as cache:
        yield lambda: [_above(layers, *table, cache) for table in zip(tables, origins, strict=True)]


def _above(layers: Sequence[Dense], examples: Examples, origin: str, cache: CodeCache) -> Examples:
    chain, weight = nn.Sequential(*layers), layers[0].weight
    parts = [FORMAT, BLOCK, origin, weight.device.type, [layer.activation.name for layer in layers]]
    key = hashlib.sha256(json.dumps([*parts, fingerprint_of(chain.state_dict())]).encode()).hexdigest()
    outputs = Codes(key, (len(examples.rows), len(layers[-1].bias)), numpy_dtype(weight.dtype))
    rows = cache.get(outputs, lambda out: map_rows(chain, examples.rows, out, weight.device))
    return examples._replace(rows=rows)
