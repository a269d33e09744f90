"""The page of a report: one file of HTML that needs no other, and no script."""

from collections.abc import Callable
from importlib.metadata import version
from importlib.resources import files

from stacked.report.background import data, environment, repeat, settings, use
from stacked.report.compared import compared
from stacked.report.contents import Contents
from stacked.report.curves import curves
from stacked.report.examples import mistakes, reconstructions
from stacked.report.html import Html, element, joined
from stacked.report.runs import runs
from stacked.report.weights import weights

SECTIONS: dict[str, Callable[[Contents], Html | None]] = {
    "What came out": compared,
    "Every run": runs,
    "Training": curves,
    "First-layer weights": weights,
    "Reconstructions": reconstructions,
    "Worst predictions": mistakes,
    "Data": data,
    "Environment": environment,
    "Settings": settings,
    "How to repeat it": repeat,
    "How to use it": use,
}
"""Heading to what stands below it, in this order; a section that has nothing is left out."""


def page(contents: Contents) -> str:
    """The whole page."""
    made = {heading: section(contents) for heading, section in SECTIONS.items()}
    there = {heading: body for heading, body in made.items() if body}
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", name="generator", content=f"stacked {version('stacked')}"),
        element("title", contents.title),
        element("style", Html(files("stacked.report").joinpath("style.css").read_text("utf-8"))),
    )
    sections = [_section(heading, body) for heading, body in there.items()]
    main = element("main", _summary(contents), _links(list(there)), *sections)
    return "<!DOCTYPE html>\n" + element("html", head, element("body", main, _foot()), lang="en") + "\n"


def _summary(contents: Contents) -> Html:
    sentences = [element("p", sentence) for sentence in contents.sentences]
    origin = element("p", "Report on ", element("code", contents.origin), class_="origin")
    return element("header", origin, element("h1", contents.title), element("div", *sentences, class_="summary"))


def _links(headings: list[str]) -> Html:
    links = [element("li", element("a", heading, href=f"#{_name(heading)}")) for heading in headings]
    return element("nav", element("ul", *links), aria_label="Sections")


def _section(heading: str, body: Html) -> Html:
    name = _name(heading)
    return element("section", element("h2", heading, id=name), body, aria_labelledby=name)


def _name(heading: str) -> str:
    return heading.lower().replace(" ", "-")


def _foot() -> Html:
    return joined(element("footer", element("p", f"Written by stacked {version('stacked')}.")))
