"""What differs between two trees of settings, as one sentence can say it."""

import re
from typing import Any

_SHOWN = 4


def differences(found: Any, wanted: Any) -> tuple[str, str]:
    """The values at which two trees of JSON differ, as "name = value, name = value": those wanted and those found."""
    flat_found, flat_wanted = dict(_leaves(found)), dict(_leaves(wanted))
    names = [name for name in {**flat_wanted, **flat_found} if _shown(name, flat_found) != _shown(name, flat_wanted)]
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    listed = (", ".join(_shown(name, flat) for name in names[:_SHOWN]) + more for flat in (flat_wanted, flat_found))
    wish, reality = listed
    return wish, reality


def _leaves(tree: Any, name: str = "") -> list[tuple[str, Any]]:
    """Every plain value with the way to it."""
    if isinstance(tree, dict | list) and tree:
        items = tree.items() if isinstance(tree, dict) else enumerate(tree, start=1)
        return [leaf for key, item in items for leaf in _leaves(item, f"{name} {key}".strip())]
    return [(name, tree)]


def _shown(name: str, flat: dict[str, Any]) -> str:
    if name not in flat:
        return f"no {name}"
    text = re.sub("^([0-9a-f]{8})[0-9a-f]{56}$", r"\1...", str(flat[name]))  # the start of a fingerprint will do
    return f"{name} = {text if len(text) <= 40 else text[:40] + '...'}"
