"""A JSON file that says what else lies in its folder, with its format and a checksum of itself.

It is read as a stranger's: a plain file of modest size, strict JSON, a format that is known, and every value in it as
it was written.
"""

import hashlib
import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from stacked.errors import StackedError, mismatch
from stacked.files import write_atomically
from stacked.paths import read_plain
from stacked.strict_json import MOST_BYTES, parse_json

_RESTORE = "restore it, or save again"
_VERSION = "load it with the version of stacked that wrote it"


def write_description(path: Path, version: int, fields: Mapping[str, Any]) -> None:
    """Write a description of this format; OSError when it cannot be written."""
    described = {"format": version, **fields}
    sealed = described | {"checksum": _checksum(described)}
    write_atomically(path, json.dumps(sealed, indent=1, allow_nan=False).encode())


def read_description(path: Path, what: str, version: int) -> dict[str, Any]:
    """What a description of this format says, without its format and checksum.

    Raises
    ------
    StackedError
        When it cannot be read, is of another format, or is not what was written; the message says it should be
        `what`.
    """
    described = _read(path, what)
    found = described.pop("format", None)
    if type(found) is not int or found != version:
        newer = type(found) is int and found > version
        expected = f"{what} of format {version}" + ", the newest that this version of stacked knows" * newer
        remedy = "update stacked" if newer else _VERSION
        raise mismatch(str(path), expected=expected, received=repr(found)[:80], remedy=remedy)
    if described.pop("checksum", None) != _checksum({"format": version, **described}):
        raise StackedError(f"{path}: expected {what} as it was written, but its checksum is another; {_RESTORE}")
    return described


def _read(path: Path, what: str) -> dict[str, Any]:
    try:
        described = parse_json(read_plain(path, MOST_BYTES))
    except OSError as error:
        reason = f"expected {what}, but it cannot be read: {error.strerror}"
        raise StackedError(f"{path}: {reason}; check the name of the folder") from error
    except ValueError as error:
        raise StackedError(f"{path}: expected {what}, but it is not whole: {error}; {_RESTORE}") from error
    if not isinstance(described, dict):
        received = f"JSON that is a {type(described).__name__}"
        raise mismatch(str(path), expected=what, received=received, remedy=_RESTORE)
    return described


def check_fields(path: Path, described: Mapping[str, Any], fields: Collection[str]) -> None:
    """Raise unless these are the fields, no more and no less."""
    surplus, missing = sorted(described.keys() - set(fields)), sorted(set(fields) - described.keys())
    if surplus or missing:
        received = f"unknown {surplus} and missing {missing}"[:300]
        raise mismatch(str(path), expected=f"exactly the fields {sorted(fields)}", received=received, remedy=_VERSION)


def _checksum(described: Mapping[str, Any]) -> str:
    """SHA-256 of the values, however the file spaces them, as hexadecimal digits."""
    return hashlib.sha256(json.dumps(described).encode()).hexdigest()
