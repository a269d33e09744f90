"""Layers as text or as a TOML file, which has a table `[[layers]]` for each, bottom first:

[[layers]]
kind = "denoising"
units = 500
mask = 0.3
"""

import tomllib
from pathlib import Path
from typing import Any, cast

from stacked.autoencoders import LayerSettings
from stacked.errors import StackedError, mismatch
from stacked.layer_text import layers_from
from stacked.paths import read_plain

_MOST_BYTES = 2**20


def layers_named(text: str) -> tuple[LayerSettings, ...]:
    """The layers of a text, as `layers_from` reads it, or of the file that it names, if it ends in `.toml`.

    Raises
    ------
    StackedError
        For what is no such text or file.
    """
    if not text.strip().endswith(".toml"):
        return layers_from(text)
    path = Path(text.strip())
    try:
        return layers_from(", ".join(_as_text(table) for table in _tables(path)))
    except StackedError as error:
        raise StackedError(f"{path}: {error}") from error


def _tables(path: Path) -> list[dict[str, Any]]:
    try:
        content = tomllib.loads(read_plain(path, _MOST_BYTES).decode())
    except OSError as error:
        reason = f"expected a TOML file of layers, but it cannot be read: {error.strerror or error}"
        raise StackedError(f"{reason}; check the name of the file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise mismatch("layers", expected="a TOML file", received=error, remedy="mend it there") from error
    tables = content.get("layers")
    are_tables = isinstance(tables, list) and all(isinstance(table, dict) for table in tables)
    if not are_tables or not tables or content.keys() != {"layers"}:
        expected, remedy = "tables [[layers]] and nothing else", "write one for each layer"
        raise mismatch("layers", expected=expected, received=", ".join(content) or "nothing", remedy=remedy)
    return cast(list[dict[str, Any]], tables)


def _as_text(table: dict[str, Any]) -> str:
    """A layer as text: its kind, its units, and its other values by name."""
    named = {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in table.items()}
    kind, units = named.pop("kind", ""), named.pop("units", "")
    broken = [value for value in (kind, units, *named, *named.values()) if any(mark in value for mark in ",:=")]
    if broken:
        raise mismatch(
            "layers", expected="words and numbers", received=repr(broken[0]), remedy="write no ',', ':' or '='"
        )
    return ":".join([kind, units, *(f"{name}={value}" for name, value in named.items())])
