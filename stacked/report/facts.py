"""Facts as text: what is known of the rows, and what a file tells of itself."""

from collections.abc import Mapping, Sequence
from typing import Any

from stacked.report.words import number, spelled, value_in_words

_MOST_NAMES = 40


def described_data(data: Mapping[str, Any]) -> dict[str, str]:
    """What a `Provenance`, as JSON, says of the rows, besides `scaling`; only what is known."""
    n_rows, n_labelled = (data.get(name) for name in ("n_rows", "n_labelled"))
    columns, classes = (list(map(str, data.get(name) or ())) for name in ("columns", "classes"))
    facts = {
        "source": data.get("source"),
        "rows": n_rows and number(n_rows),
        "labelled rows": n_labelled and number(n_labelled),
        "label": data.get("target"),
        "columns": columns and f"{len(columns):,}: {_first(columns)}",
        "classes": classes and f"{len(classes):,}: {_first(classes)}",
        "scaling": data.get("scaling"),
    }
    return {term: str(fact) for term, fact in facts.items() if fact}


def told(facts: Any) -> dict[str, str]:
    """Facts from a file as text; none where they are no such thing."""
    if not isinstance(facts, Mapping):
        return {}
    return {
        spelled(str(term)): value_in_words(fact)
        for term, fact in facts.items()
        if not isinstance(fact, Mapping | list)
    }


def _first(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMES:,} more" if len(names) > _MOST_NAMES else ""
    return ", ".join(names[:_MOST_NAMES]) + more
