"""HTML put together from pieces: text is escaped wherever it comes from, and only what was made here stands as it is.

element("p", "1 < 2", class_="note")  ->  <p class="note">1 &lt; 2</p>
"""

import html
import re

_VOID = {"meta", "img", "br"}
_UNSOUND = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")  # no page may hold these characters


class Html(str):
    """Text that is HTML already, every other text in it escaped."""

    __slots__ = ()


Piece = str | None
"""What stands in an element: `Html` as it is, any other text escaped, and None not at all."""


def element(name: str, /, *inner: Piece, **attributes: str | float | bool | None) -> Html:
    """An element of HTML or SVG.

    Parameters
    ----------
    name : str
        Of the element; never from data.
    *inner : Html, str or None
        What it holds.
    **attributes
        By name, where `class_` is class and `aria_label` is aria-label. True stands without a value; None and False
        are left out.
    """
    given = "".join(_attribute(key, value) for key, value in attributes.items())
    return Html(f"<{name}{given}>" if name in _VOID else f"<{name}{given}>{joined(*inner)}</{name}>")


def joined(*pieces: Piece) -> Html:
    """The pieces one after the other."""
    return Html("".join(piece if isinstance(piece, Html) else _escaped(piece) for piece in pieces if piece))


def _attribute(key: str, value: str | float | bool | None) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    if value is True:
        return f" {name}"
    return f' {name}="{_escaped(value if isinstance(value, str) else f"{value:.6g}")}"'


def _escaped(text: str) -> str:
    return html.escape(_UNSOUND.sub("\ufffd", str(text)), quote=True)
