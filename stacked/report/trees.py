"""Terms and what they are, as lists of HTML: facts, and settings within settings."""

from collections.abc import Mapping, Sequence
from typing import Any

from stacked.report.html import Html, Piece, element
from stacked.report.words import spelled, value_in_words
from stacked.settings import TAG

_DEEPEST = 12


def facts_list(facts: Mapping[str, Piece]) -> Html:
    """Terms and what they are."""
    pairs = [element("div", element("dt", term), element("dd", fact)) for term, fact in facts.items()]
    return element("dl", *pairs, class_="facts")


def settings_tree(value: Any, depth: int = 0) -> Piece:
    """Settings, fit for JSON, as lists within lists; what is tagged with its class comes below that name."""
    if depth > _DEEPEST:
        return "…"
    if isinstance(value, Mapping):
        facts = {spelled(str(name)): settings_tree(one, depth + 1) for name, one in value.items() if name != TAG}
        return element("div", _class_name(value), facts_list(facts) if facts else None)
    if isinstance(value, Sequence) and not isinstance(value, str):
        if any(isinstance(one, Mapping | list) for one in value):
            return element("ol", *(element("li", settings_tree(one, depth + 1)) for one in value))
        return ", ".join(map(value_in_words, value)) or "none"
    return value_in_words(value)


def _class_name(value: Mapping[str, Any]) -> Html | None:
    return element("strong", str(value[TAG])) if TAG in value else None
