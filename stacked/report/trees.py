"""Terms and what they are, as HTML: facts, and settings within settings."""

from collections.abc import Mapping, Sequence
from typing import Any

from stacked.report.html import Html, Piece, element, joined
from stacked.report.words import spelled, value_in_words
from stacked.settings import TAG

_DEEPEST = 12


def facts_list(facts: Mapping[str, Piece]) -> Html:
    """Terms and what they are."""
    pairs = [element("div", element("dt", term), element("dd", fact)) for term, fact in facts.items()]
    return element("dl", *pairs, class_="facts")


def settings_tree(value: Any, depth: int = 0) -> Piece:
    """Settings, fit for JSON: plain values in a line after the name of their class, others below, moved in."""
    if depth > _DEEPEST:
        return "…"
    if isinstance(value, Mapping):
        fields = {name: one for name, one in value.items() if name != TAG}
        line = [_pair(str(name), one) for name, one in fields.items() if not _is_nested(one)]
        below = [_below(str(name), one, depth) for name, one in fields.items() if _is_nested(one)]
        name = element("strong", f"{value[TAG]} ") if TAG in value else None
        return joined(element("p", name, *line) if name or line else None, *below)
    if _is_nested(value):
        return element("ol", *(element("li", settings_tree(one, depth + 1)) for one in value))
    return _plain(value)


def _is_nested(value: Any) -> bool:
    is_list = isinstance(value, Sequence) and not isinstance(value, str)
    return isinstance(value, Mapping) or (is_list and any(isinstance(one, Mapping | list) for one in value))


def _below(name: str, value: Any, depth: int) -> Html:
    return element("div", element("span", spelled(name), class_="key"), settings_tree(value, depth + 1))


def _pair(name: str, value: Any) -> Html:
    """A field and its plain value, which stay together."""
    return joined(
        element("span", element("span", f"{spelled(name)} ", class_="key"), _plain(value), class_="pair"), " "
    )


def _plain(value: Any) -> str:
    """A value, or several."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(value_in_words, value)) or "none"
    return value_in_words(value)
