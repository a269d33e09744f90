"""Settings as data: frozen dataclasses holding numbers as floats; to JSON and back, tagged with their class."""

import dataclasses
import math
from collections.abc import Iterable, Mapping
from numbers import Integral, Real
from typing import Any

from stacked.errors import StackedError, check_number, mismatch

TAG = "is"


def hold_number(settings: object, field: str, low: float, high: float = math.inf) -> None:
    """Raise unless a field is a finite number in [low, high], and hold it as a float, for torch takes no fraction."""
    check_number(field, getattr(settings, field), low, high)
    object.__setattr__(settings, field, float(getattr(settings, field)))


def to_json(value: Any) -> Any:
    """The JSON form of a settings object, of a plain value inside one, or of a mapping or sequence of them."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: to_json(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return {TAG: type(value).__name__, **fields}
    if isinstance(value, Mapping):
        return {str(name): to_json(item) for name, item in value.items()}
    if isinstance(value, tuple | list):
        return [to_json(item) for item in value]
    if isinstance(value, Integral) and not isinstance(value, bool):
        return int(value)
    return float(value) if isinstance(value, Real) and not isinstance(value, bool) else value


def from_json(data: Any, kinds: Iterable[type]) -> Any:
    """The settings object that `to_json` made `data` of.

    Only the classes in `kinds` are made, and each checks its own values, so a file from a stranger can name
    nothing else. Lists become tuples, as settings hold them.
    """
    by_name = {kind.__name__: kind for kind in kinds}
    if isinstance(data, list):
        return tuple(from_json(item, by_name.values()) for item in data)
    if not isinstance(data, dict):
        return data
    fields = {key: from_json(item, by_name.values()) for key, item in data.items() if key != TAG}
    name = data.get(TAG)
    if not isinstance(name, str) or name not in by_name:
        known = "settings of " + ", ".join(by_name)
        raise mismatch("settings", expected=known, received=repr(name), remedy="check the version of stacked")
    return _make(by_name[name], fields)


def _make(kind: type, fields: dict[str, Any]) -> Any:
    known = {f.name for f in dataclasses.fields(kind)}
    if fields.keys() != known:
        surplus, missing = sorted(fields.keys() - known), sorted(known - fields.keys())
        received = f"unknown {surplus} and missing {missing}"
        expected = f"exactly the fields {sorted(known)}"
        raise mismatch(kind.__name__, expected=expected, received=received, remedy="check the version of stacked")
    try:
        return kind(**fields)
    except TypeError as error:
        raise StackedError(f"{kind.__name__}: values of a wrong type in the stored settings ({error})") from error
