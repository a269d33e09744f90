"""Facts as text: what is known of the rows, and what a file tells of itself."""

from collections.abc import Mapping, Sequence
from typing import Any

from stacked.report.words import value_in_words

_MOST_NAMES = 40
_TERMS = {
    "source": "source",
    "rows": "rows",
    "labelled": "rows with a label",
    "target": "label",
    "columns": "columns",
    "classes": "classes",
    "test": "tested on the rows of",
    "trained_on": "training rows a seed",
    "tested_on": "test rows a seed",
    "scaling": "scaling",
}


def described_data(data: Mapping[str, Any]) -> dict[str, str]:
    """What is known of the rows, in the order of a reader's questions, out of these facts.

    Parameters
    ----------
    data : mapping
        Some of `source`, `rows`, `labelled`, `target`, `columns`, `classes`, `test`, `trained_on`, `tested_on` and
        `scaling`: counts are numbers, columns and classes lists of names, all else text.
    """
    lists = {name: list(map(str, data.get(name) or ())) for name in ("columns", "classes")}
    facts = {name: f"{len(names):,}: {_first(names)}" for name, names in lists.items() if names}
    given = {**told({name: data[name] for name in _TERMS if name in data}), **facts}
    return {_TERMS[name]: given[name] for name in _TERMS if given.get(name) and data[name] not in (0, None)}


def told(facts: Any) -> dict[str, str]:
    """Facts from a file as text; none where they are no such thing."""
    if not isinstance(facts, Mapping):
        return {}
    return {str(term): value_in_words(fact) for term, fact in facts.items() if not isinstance(fact, Mapping | list)}


def _first(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMES:,} more" if len(names) > _MOST_NAMES else ""
    return ", ".join(names[:_MOST_NAMES]) + more
