"""A drawing with its caption above it."""

from stacked.report.html import Html, Piece, element


def figure(title: str, note: str, *drawn: Piece) -> Html:
    """A figure: what it shows, how it is to be read, and the drawing with what belongs to it."""
    caption = element("figcaption", element("strong", title), element("span", note) if note else None)
    return element("figure", caption, *drawn)


def side_by_side(figures: list[Html]) -> Html:
    """Figures beside each other, as far as there is room."""
    return element("div", *figures, class_="charts")
