"""Tables of named columns, in files of separated values and in Parquet, read block by block.

Only this file imports pyarrow. Cells of text are read as text and made numbers here, so that one that is none can be
named with its line; where all cells of a column in a block are plain numbers, that takes one pass.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from stacked.cells import FALSE, MISSING, TRUE, no_number
from stacked.collected import collected
from stacked.columns import check_names
from stacked.csv_layout import is_zipped, layout_of, line_of, ragged_line
from stacked.empty_lines import WithoutLastLines
from stacked.errors import StackedError, mismatch
from stacked.extras import needing
from stacked.paths import open_plain
from stacked.rows import Array
from stacked.table_names import Place

with needing("tables of text and Parquet", "tables"):
    import pyarrow as pa  # type: ignore[import-untyped]
    import pyarrow.compute as pc  # type: ignore[import-untyped]
    import pyarrow.csv  # type: ignore[import-untyped]
    import pyarrow.parquet  # type: ignore[import-untyped]

_BLOCK_BYTES = 2**22  # of text that is read at a time; a line must fit
_CELL_BYTES = 128  # more than a number takes
_BLOCK_CELLS = 2**20  # of Parquet
_PAGE_BYTES = 2**16  # that are read ahead of a column, where pyarrow would read all of it
_NARROW = (pa.bool_(), pa.int8(), pa.uint8(), pa.int16(), pa.uint16(), pa.float16(), pa.float32())
"""Types of Parquet whose numbers float32 holds exactly."""
_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
_PLAIN = r"^(0|[1-9][0-9]*)$"
"""A whole number that gives itself back; others are codes, of places or products, where 07 is not 7."""


class Table(Protocol):
    """A file with named columns."""

    path: Path
    names: tuple[str, ...]

    def batches(self, columns: list[str]) -> Iterator[Any]:
        """Some columns, so many rows at a time, as `pyarrow.RecordBatch`."""
        ...

    def place(self, row: int) -> str:
        """What people call the place of a row, the first of which is 0."""
        ...

    def dtype_of(self, columns: tuple[str, ...]) -> str:
        """What holds the numbers of these columns exactly: "float32" where that is known before, or "float64"."""
        ...


class TextTable:
    """A file of separated values, `.gz` or not.

    Raises
    ------
    StackedError
        When it cannot be read, holds no rows, or names two columns alike.
    """

    def __init__(self, path: Path) -> None:
        self.path, self._layout = path, layout_of(path)
        self.names = self._layout.names

    def batches(self, columns: list[str]) -> Iterator[Any]:
        reading = pyarrow.csv.ReadOptions(
            column_names=list(self.names),
            skip_rows_after_names=self._layout.n_before,
            block_size=max(_BLOCK_BYTES, _CELL_BYTES * len(self.names)),
        )
        parsing = pyarrow.csv.ParseOptions(
            delimiter=self._layout.separator,
            newlines_in_values=True,
            ignore_empty_lines=not self._layout.is_column,
        )
        converting = pyarrow.csv.ConvertOptions(
            column_types=dict.fromkeys(columns, pa.string()), include_columns=columns, strings_can_be_null=False
        )
        try:
            with (
                pa.input_stream(str(self.path), compression="gzip" if is_zipped(self.path) else None) as file,
                pyarrow.csv.open_csv(
                    WithoutLastLines(file) if self._layout.is_column else file, reading, parsing, converting
                ) as reader,
            ):
                yield from reader
        except (pa.ArrowException, OSError) as error:
            raise self._explained(error) from error

    def place(self, row: int) -> str:
        line = line_of(self.path, self._layout, row)
        return f"row {row}" if line is None else f"line {line}"

    def dtype_of(self, columns: tuple[str, ...]) -> str:
        return "float64"

    def _explained(self, error: Exception) -> StackedError:
        found = ragged_line(self.path, self._layout)
        if found is None:
            return _damaged(self.path, "a whole table of separated values", error)
        expected, remedy = f"{len(self.names)} cells, as in the first line", "write as many in every line"
        return mismatch(f"{self.path}, line {found[0]}", expected=expected, received=f"{found[1]}", remedy=remedy)


class ParquetTable:
    """A Parquet file.

    Raises
    ------
    StackedError
        When it cannot be read, holds no rows, or names two columns alike.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with _parquet(path) as file:
            self._schema, n_rows = file.schema_arrow, file.metadata.num_rows
        self.names = tuple(self._schema.names)
        check_names(self.names, str(path))
        if n_rows == 0:
            raise mismatch(str(path), expected="at least one row", received="none", remedy="check the source")

    def batches(self, columns: list[str]) -> Iterator[Any]:
        with _parquet(self.path) as file:
            yield from file.iter_batches(max(1, _BLOCK_CELLS // len(columns)), columns=columns)

    def place(self, row: int) -> str:
        return f"row {row}"

    def dtype_of(self, columns: tuple[str, ...]) -> str:
        return "float32" if all(self._schema.field(name).type in _NARROW for name in columns) else "float64"


@contextlib.contextmanager
def _parquet(path: Path) -> Iterator[Any]:
    try:
        open_plain(path).close()
        with pyarrow.parquet.ParquetFile(path, buffer_size=_PAGE_BYTES, pre_buffer=False) as file:
            yield file
    except (pa.ArrowException, OSError) as error:
        raise _damaged(path, "a Parquet file", error) from error


def open_table(place: Place) -> Table:
    """The table in a file of text or in Parquet."""
    return TextTable(place.path) if place.format == "text" else ParquetTable(place.path)


def read_columns(
    table: Table, inputs: tuple[str, ...], target: str | None, *, may_go: bool = True
) -> tuple[Array, Array | None]:
    """The columns that are the rows, as numbers, and the raw values of the target, in one pass.

    Parameters
    ----------
    table : Table
        The file.
    inputs : tuple of str
        Columns of the table, one at least, every cell of which must be a finite number.
    target : str or None
        Another column.
    may_go : bool
        Whether inputs may be left out, which is a remedy then for what they say.

    Returns
    -------
    array, array or None
        Rows of shape `(n, len(inputs))`, which no rounding has changed, for a scaling is still to be learnt on them;
        in memory or as a map that is only read, as `collected` has them. And values of shape `(n,)`, as
        `read_column` has them.
    """
    targets: list[Any] = []
    dtype = table.dtype_of(inputs)

    def blocks() -> Iterator[Array]:
        start = 0
        for batch in table.batches(list(dict.fromkeys([*inputs, *([target] if target else [])]))):
            if target is not None:
                targets.append(_plain(table, batch, target))
            yield _numbers_of(table, batch, inputs, start, dtype, may_go=may_go)
            start += batch.num_rows

    rows = collected(blocks())
    return rows, None if target is None else _values(targets)


def read_column(table: Table, name: str) -> Array:
    """The values of one column, shape `(n,)`: float64, NaN where missing, or text, None where missing."""
    return _values([_plain(table, batch, name) for batch in table.batches([name])])


def _numbers_of(table: Table, batch: Any, inputs: tuple[str, ...], start: int, dtype: str, *, may_go: bool) -> Array:
    """The numbers of a block whose first row is number `start`, shape `(n, len(inputs))`."""
    block = np.empty((batch.num_rows, len(inputs)), dtype)
    for place, name in enumerate(inputs):
        block[:, place] = _numbers(_plain(table, batch, name))
    finite = np.isfinite(block)
    if not finite.all():
        row, place = np.argwhere(~finite)[0]
        cell = batch.column(inputs[place])[int(row)].as_py()
        raise no_number(f"{table.path}, {table.place(start + int(row))}", inputs[place], cell, may_go=may_go)
    return block


def _plain(table: Table, batch: Any, name: str) -> Any:
    """A column as float64 if it holds numbers, else as text."""
    cells, kind = batch.column(name), batch.column(name).type
    try:
        if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
            return cells.cast(pa.float64(), safe=False)
        return pc.if_else(cells, TRUE[0], FALSE[0]) if pa.types.is_boolean(kind) else cells.cast(pa.string())
    except pa.ArrowException as error:
        subject, remedy = f"{table.path}, column {name!r}", "convert it, or leave it out of the table"
        raise mismatch(subject, expected="one number a row", received=f"{kind}", remedy=remedy) from error


def _numbers(cells: Any) -> Array:
    """Cells as float64, NaN where they are missing or say something else."""
    if pa.types.is_string(cells.type):
        try:
            cells = cells.cast(pa.float64())
        except pa.ArrowInvalid:
            cells = _cleaned(cells).cast(pa.float64())
    numbers: Array = cells.to_numpy(zero_copy_only=False)
    return numbers


def _cleaned(cells: Any) -> Any:
    """Cells of text that read as numbers, null for all others; true is 1, false is 0."""
    cells = pc.utf8_trim_whitespace(cells)
    cells = pc.if_else(pc.is_in(cells, pa.array(TRUE)), "1", cells)
    cells = pc.if_else(pc.is_in(cells, pa.array(FALSE)), "0", cells)
    return pc.utf8_ltrim(_only(cells, pc.match_substring_regex(cells, _NUMBER)), "+")


def _values(chunks: list[Any]) -> Array:
    """The values of a target: numbers if all cells that are not missing are, and no codes; else text."""
    cells = pa.chunked_array(chunks)
    if pa.types.is_string(cells.type):
        cells = pc.utf8_trim_whitespace(cells)
        cells = _only(cells, pc.invert(pc.is_in(cells, pa.array(MISSING))))
        if not _all_match(cells, _NUMBER) or (_all_match(cells, "^[0-9]+$") and not _all_match(cells, _PLAIN)):
            return _objects(cells)
        cells = pc.utf8_ltrim(cells, "+").cast(pa.float64())
    values: Array = cells.to_numpy()
    return values


def _all_match(cells: Any, pattern: str) -> bool:
    """Whether all cells that are not missing do."""
    return bool(pc.all(pc.match_substring_regex(cells, pattern), min_count=0).as_py())


def _objects(cells: Any) -> Array:
    """Text as an array of objects, one for each different text, so that many rows take little memory."""
    encoded = cells.combine_chunks().dictionary_encode()
    texts = np.array([*encoded.dictionary.to_pylist(), None], object)
    places: Array = encoded.indices.fill_null(len(texts) - 1).to_numpy(zero_copy_only=False)
    return texts[places]


def _only(cells: Any, which: Any) -> Any:
    """The cells, null where `which` is not true."""
    return pc.if_else(pc.fill_null(which, False), cells, pa.scalar(None, pa.string()))


def _damaged(path: Path, expected: str, error: Exception) -> StackedError:
    reason = getattr(error, "strerror", None) or error
    received, remedy = f"what does not read as one ({reason})", "check the name of the file, and that it is whole"
    return mismatch(str(path), expected=expected, received=received, remedy=remedy)
