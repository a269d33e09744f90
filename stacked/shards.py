"""Codes that several ranks make together: each those of its rows, in a shard of its own.

A shard is an ordinary entry of the cache. It begins and ends where a block of rows does, so that together the shards
have the bits that one process computes. A small HDF5 file shows them as one virtual dataset.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stacked.cache import CodeCache
from stacked.codes import Ascent, code_key
from stacked.devices import numpy_dtype
from stacked.examples import Examples, Share
from stacked.files import blaming, locked, replacing
from stacked.hdf5 import create_joined
from stacked.joined_rows import JoinedRows
from stacked.ranks import Ranks
from stacked.rows import Array, Rows


class RowRange:
    """Neighbouring rows of a table, as rows; nothing is read before it is asked for.

    Parameters
    ----------
    rows : Rows
        The table.
    start, stop : int
        The first row, and that after the last.
    """

    def __init__(self, rows: Rows, start: int, stop: int) -> None:
        self._rows, self._start = rows, start
        self.shape, self.dtype = (stop - start, rows.shape[1]), np.dtype(rows.dtype)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: slice) -> Array:
        start, stop, _ = index.indices(len(self))
        return np.asarray(self._rows[self._start + start : self._start + stop])


class SharedAscent(Ascent):
    """Tables of rows on their way up a stack, whose codes the ranks make together.

    Parameters
    ----------
    tables, origins, cache
        As for `Ascent`; all ranks see the folder of the cache.
    ranks : Ranks
        Who makes them.
    folder : Path
        Where the virtual datasets go.
    """

    def __init__(
        self, tables: Sequence[Rows], origins: Sequence[str], cache: CodeCache, ranks: Ranks, folder: Path
    ) -> None:
        super().__init__(tables, origins, cache)
        self._ranks, self._folder = ranks, folder

    def examples(self) -> list[Examples]:
        """The rows of every table, or their codes after the layers so far; all ranks ask at the same time."""
        if not self._layers:
            return super().examples()
        tables = [self._shards(*table) for table in self._tables]
        for shards in tables:
            self._codes(shards[self._ranks.rank : self._ranks.rank + 1])
        self._ranks.wait()  # then all shards are there; what somebody removes is computed again
        joined = [self._codes(shards) for shards in tables]
        if self._ranks.leads:
            for name, shards, codes in zip(("x", "validation"), tables, joined, strict=False):
                self._show(self._folder / f"layer-{len(self._layers)}-{name}.h5", shards, codes)
        return list(map(Examples.all_of, joined))

    def _shards(self, rows: Rows, origin: str) -> list[tuple[Rows, str]]:
        """The rows of each rank, with what stands for their fingerprint; none for the last ranks of a small table."""
        ranges = [Share(rank, self._ranks.size).blocks_of(len(rows)) for rank in range(self._ranks.size)]
        return [
            (RowRange(rows, start, stop), f"{origin}, rows {start} to {stop - 1}")
            for start, stop in ranges
            if start < stop
        ]

    def _codes(self, shards: Sequence[tuple[Rows, str]]) -> JoinedRows:
        codes = JoinedRows(
            self._layers[-1].settings.n_units, numpy_dtype(self._layers[-1].encoder_layers[-1].weight.dtype)
        )
        for rows, origin in shards:
            codes.append(np.asarray(self._after(self._layers, rows, origin)))
        return codes

    def _show(self, path: Path, shards: Sequence[tuple[Rows, str]], codes: JoinedRows) -> None:
        """Write the file that shows the codes in these shards as one dataset."""
        entries = [self._cache.entry(code_key(origin, self._layers)) for _, origin in shards]
        sizes = [len(rows) for rows, _ in shards]
        with blaming(self._folder, "codes"):
            self._folder.mkdir(parents=True, exist_ok=True)
            with locked(path), replacing(path) as part:
                create_joined(part, "codes", dict(zip(entries, sizes, strict=True)), codes.n_columns, codes.dtype)


def ascent_of(
    tables: Sequence[Rows], origins: Sequence[str], cache: CodeCache, ranks: Ranks, folder: Path | None
) -> Ascent:
    """The tables on their way up, by one process or by several; these have a folder for what shows the codes."""
    if folder is None or ranks.size == 1:
        return Ascent(tables, origins, cache)
    return SharedAscent(tables, origins, cache, ranks, folder)
