"""Tables of HTML: one line an item, its name at the left; wide ones scroll inside themselves."""

from collections.abc import Iterable, Sequence

from stacked.report.html import Html, Piece, element


def table(caption: str, head: Sequence[str], body: Iterable[Sequence[Piece]], *, class_: str = "") -> Html:
    """A table with names in its first column.

    Parameters
    ----------
    caption : str
        Above it.
    head : sequence of str
        What the columns are.
    body : iterable
        Line by line, as long as `head`.
    class_ : str
        "words" where the columns are not figures.
    """
    first = element("tr", *(element("th", name, scope="col") for name in head))
    lines = [element("tr", element("th", line[0], scope="row"), *map(_cell, line[1:])) for line in body]
    made = element(
        "table",
        element("caption", element("span", caption)),
        element("thead", first),
        element("tbody", *lines),
        class_=class_ or None,
    )
    return element("div", made, class_="scroll", role="region", aria_label=caption, tabindex=0)


def _cell(piece: Piece) -> Html:
    return element("td", piece)
