"""Reports in a real browser: legible on any screen, in the dark and on paper, and asking for nothing."""

import base64
import re

import pytest
import reported_runs
from browser import PROGRAM, Browser

from stacked.report import write_report

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="no Chromium is installed")

LONG = "an_arm_with_a_name_that_has_no_end_and_no_place_to_break_a_line_" * 2
RUNS = {
    "images": reported_runs.image_comparison,
    "table": lambda folder: reported_runs.table_comparison(folder, [LONG, "body mass index", *"abcd"]),
    "wide": lambda folder: reported_runs.image_comparison(
        folder, (LONG, "plain " * 20, "random"), (LONG,) * 10, command=f"stacked compare {LONG}.csv"
    ),
    "many": lambda folder: reported_runs.table_comparison(folder, ["age"], [f"arm {k}" for k in range(12)]),
    "stack": reported_runs.saved_stack,
}
OVERLAPS = """
[...document.querySelectorAll('svg')].flatMap(drawing => {
  const places = [...drawing.querySelectorAll('text')].map(one => [one.textContent, one.getBoundingClientRect()]);
  const cross = (a, b) => a.left < b.right && b.left < a.right && a.top + 3 < b.bottom && b.top + 3 < a.bottom;
  return places.flatMap(([text, here], i) =>
    places.slice(i + 1).filter(([_, there]) => cross(here, there)).map(([other]) => [text, other]));
})
"""
OPEN_ALL = "document.querySelectorAll('details').forEach(one => one.open = true)"
PAPER = 11 * 96 - 2 * 18 / 25.4 * 96  # pixels of the shorter kind of page, letter, between its margins
WIDTH = "document.scrollingElement.scrollWidth"
CONTRASTS = """
(() => {
  const numbers = colour => colour.match(/[\\d.]+/g).map(Number);
  const light = colour => numbers(colour).slice(0, 3).map(c => c / 255)
    .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = node => {
    const colour = getComputedStyle(node).backgroundColor;
    return numbers(colour)[3] === 0 && node.parentElement ? ground(node.parentElement) : colour;
  };
  const contrast = node => {
    const style = getComputedStyle(node), ink = node instanceof SVGElement ? style.fill : style.color;
    const [high, low] = [light(ink), light(ground(node))].sort((a, b) => b - a);
    return (high + 0.05) / (low + 0.05);
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), holders = [];
  while (walker.nextNode()) if (walker.currentNode.data.trim()) holders.push(walker.currentNode.parentElement);
  return holders.filter(one => one.localName !== 'title').map(contrast);
})()
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """One browser for all tests."""
    started = Browser(tmp_path_factory.mktemp("profile"))
    yield started
    started.close()


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    """The files of all reports."""
    root = tmp_path_factory.mktemp("runs")
    for name, make in RUNS.items():
        make(root / name)
    return {name: write_report(root / name) for name in RUNS}


@pytest.fixture(params=RUNS)
def page(browser, reports, request):
    """The browser with a report open."""
    browser.resize(1280)
    browser.prefer("light")
    browser.open(reports[request.param])
    return browser


def test_the_page_loads_in_silence_and_asks_for_nothing(page):
    page.ask(OPEN_ALL)
    told = [event["method"] for event in page.events]
    assert not {"Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"} & set(told)
    asked = [event["params"]["request"]["url"] for event in page.events if "request" in event.get("params", {})]
    assert len([url for url in asked if not url.startswith("data:image/png;base64,")]) == 1, "the page itself"
    assert page.ask("[...document.images].every(one => one.naturalWidth > 0)")
    assert page.ask("document.compatMode") == "CSS1Compat"


@pytest.mark.parametrize("width", [320, 375, 768, 1280])
def test_nothing_lies_beside_the_page(page, width):
    page.resize(width)
    assert page.ask("window.innerWidth") == width
    assert page.ask(WIDTH) == width
    page.ask(OPEN_ALL)
    assert page.ask(WIDTH) == width


def test_letters_of_drawings_keep_their_size(page):
    for width in (320, 1280):
        page.resize(width)
        heights = page.ask(
            "[...document.querySelectorAll('svg text')].map(one => one.getBoundingClientRect().height)"
        )
        assert all(12 <= height <= 20 for height in heights)


@pytest.mark.parametrize("width", [320, 1280])
def test_no_letters_of_drawings_are_written_over_others(page, width):
    page.resize(width)
    assert page.ask(OVERLAPS) == []


def test_letters_stand_out_by_day_and_by_night(page):
    page.ask(OPEN_ALL)
    colours = []
    for scheme in ("light", "dark"):
        page.prefer(scheme)
        contrasts = page.ask(CONTRASTS)
        assert len(contrasts) > 20
        assert min(contrasts) >= 4.5
        colours.append(page.ask("getComputedStyle(document.documentElement).backgroundColor"))
    assert sum(map(int, re.findall(r"\d+", colours[0]))) > 3 * 200
    assert sum(map(int, re.findall(r"\d+", colours[1]))) < 3 * 60


def test_lines_and_dots_stand_out_too(page):
    """3:1 is asked of what is no text; by day and by night."""
    colours = "['ink', 'c0', 'c1', 'c2', 'c3', 'c4', 'c5', 'c6', 'c7']"
    spans = f"document.body.innerHTML = {colours}.map(c => `<i style='color: var(--${{c}})'>x</i>`).join('')"
    page.ask(spans)
    for scheme in ("light", "dark"):
        page.prefer(scheme)
        contrasts = page.ask(CONTRASTS)
        assert len(contrasts) == 9
        assert min(contrasts) >= 3


def test_the_page_can_be_printed(page):
    page.prefer("dark")
    pdf = base64.b64decode(page.call("Page.printToPDF", preferCSSPageSize=True)["data"])
    assert pdf[:5] == b"%PDF-"
    assert len(re.findall(rb"/Type\s*/Page\b", pdf)) >= 1


def test_on_paper_figures_are_whole_and_all_is_open(page):
    page.call("Emulation.setEmulatedMedia", media="print")
    try:
        cut = (
            "[...document.querySelectorAll('figure, tr')].filter(one => getComputedStyle(one).breakInside != 'avoid')"
        )
        assert page.ask(f"{cut}.length") == 0
        outside = (
            "[...document.querySelectorAll('svg text')].filter(one => one.getBoundingClientRect().bottom"
            " > one.closest('figure').getBoundingClientRect().bottom)"
        )
        assert page.ask(f"{outside}.length") == 0
        heights = page.ask("[...document.querySelectorAll('svg')].map(one => one.getBoundingClientRect().height)")
        assert max(heights) < PAPER, "a drawing that is higher than a page would be cut"
        hidden = (
            "[...document.querySelectorAll('details > div')].filter(one => one.getBoundingClientRect().height === 0)"
        )
        assert page.ask(f"{hidden}.length") == 0
        assert page.ask("getComputedStyle(document.querySelector('nav')).display") == "none"
    finally:
        page.call("Emulation.setEmulatedMedia", media="")
