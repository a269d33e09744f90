"""Reports: the page is sound HTML that needs nothing else, says what the run left, and harms nobody."""

import base64
import io
import itertools
import json
import math
import re
from html.parser import HTMLParser

import numpy as np
import pytest
import reported_runs
from PIL import Image
from scipy import stats
from typer.testing import CliRunner

from stacked import Denoising, Plain, StackedError, load_stack
from stacked.cli import app
from stacked.comparison import Run
from stacked.error_table import tabulate
from stacked.report import write_report
from stacked.report.charts import Curve, legend
from stacked.report.html import Html, element, joined
from stacked.report.pictures import image_side, mosaic, png, signed_colours
from stacked.report.scales import Scale, scale_of
from stacked.report.trees import settings_tree
from stacked.report.words import DASH, MINUS, listed, number, p_value
from stacked.settings import to_json

COLUMNS = ["age", "sex", "body mass index", "blood pressure", "s1", "s2"]
RUNS = {
    "images": reported_runs.image_comparison,
    "table": lambda folder: reported_runs.table_comparison(folder, COLUMNS),
    "experiment": reported_runs.experiment,
    "stack": reported_runs.saved_stack,
    "regressor": reported_runs.saved_regressor,
}
VOID = {"meta", "img", "br"}
SCRIPT = "<script>alert('1')</script>"
BREAKING = '"><img src=x onerror=alert(1)>'


class Page(HTMLParser):
    """Every element with its attributes, and all text; fails where elements are not closed in order."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.text, self._open = [], [], []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        assert len(dict(attrs)) == len(attrs), "an attribute occurs twice"
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)

    def all(self, *tags):
        return [given for tag, given in self.elements if tag in tags]


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The page of every run, as text."""
    root = tmp_path_factory.mktemp("runs")
    made = {}
    for name, make in RUNS.items():
        make(root / name)
        made[name] = write_report(root / name).read_text("utf-8")
    return made


@pytest.fixture(params=RUNS)
def text(pages, request):
    return pages[request.param]


def report_on(folder, make, *arguments, **more):
    make(folder, *arguments, **more)
    return write_report(folder).read_text("utf-8")


def cells(text, caption):
    """Every line of the table with this caption, cell by cell."""
    table = re.search(rf"<caption><span>{re.escape(caption)}</span></caption>(.*?)</table>", text, re.DOTALL)[1]
    lines = re.findall(r"<tr>(.*?)</tr>", table, re.DOTALL)
    return [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", line) for line in lines]


def headings(text):
    return re.findall(r"<h2[^>]*>(.*?)</h2>", text)


# Sound HTML


def test_names_are_unique_and_links_lead_somewhere(text):
    page = Page(text)
    names = [given["id"] for _, given in page.elements if "id" in given]
    assert len(set(names)) == len(names) > 0
    assert {given["href"].removeprefix("#") for given in page.all("a")} == set(names)


def test_the_page_needs_no_other_file_and_no_script(text):
    page = Page(text)
    addresses = [given[key] for _, given in page.elements for key in ("src", "href") if key in given]
    assert all(address.startswith(("#", "data:image/png;base64,")) for address in addresses)
    assert page.all("script", "link", "iframe", "object", "form") == []
    assert not any(name.startswith("on") for _, given in page.elements for name in given)
    assert "http" not in text
    assert not re.search(r"@import|url\(", text)


def test_the_page_can_be_read_without_seeing_it(text):
    page = Page(text)
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert all(1 < level <= before + 1 for before, level in itertools.pairwise(levels))
    assert page.all("html") == [{"lang": "en"}]
    assert all(given["alt"] for given in page.all("img"))
    assert all(given["scope"] in ("col", "row") for given in page.all("th"))
    drawings = [given for given in page.all("svg") if "viewbox" not in given and "aria-hidden" not in given]
    assert all(given["role"] == "img" and given["aria-label"] for given in drawings)
    assert len(page.all("caption")) == len(page.all("table"))


def test_every_picture_is_a_png(text):
    addresses = re.findall(r'"data:image/png;base64,([^"]*)"', text)
    for address in addresses:
        Image.open(io.BytesIO(base64.b64decode(address, validate=True))).verify()


def test_text_is_escaped_and_html_is_not():
    made = element("p", SCRIPT, element("b", "1 & 2"), None, title=BREAKING, class_="a", hidden=True, lang=None)
    assert Page(made).elements == [("p", {"title": BREAKING, "class": "a", "hidden": None}), ("b", {})]
    assert "".join(Page(made).text) == SCRIPT + "1 & 2"
    assert joined(Html("<br>"), "<br>") == "<br>&lt;br&gt;"


@pytest.mark.parametrize("unsound", ["\0", "\x1b", "\x85", "\ud800", "\uffff"])
def test_what_no_page_may_hold_is_replaced(unsound):
    element("p", f"a{unsound}b").encode()
    assert element("p", f"a{unsound}b") == "<p>a\ufffdb</p>"


# What it says


def test_the_table_has_the_figures_of_the_results(pages, tmp_path):
    reported_runs.image_comparison(tmp_path)
    results = json.loads((tmp_path / "results.json").read_text())
    lines = cells(pages["images"], "Test error rate, per cent")
    assert [line[0] for line in lines[1:]] == list(reported_runs.ARMS)
    for line in lines[1:]:
        rates = [100 * rate for rate in results["arms"][line[0]]["error_rate"] if rate is not None]
        low, high = (100 * end for end in results["summary"]["arms"][line[0]]["interval_95"])
        assert line[1] == f"{np.mean(rates):.2f} [{low:.2f}, {high:.2f}]"
        assert line[2:4] == [f"{np.median(rates):.2f}", f"{min(rates):.2f} to {max(rates):.2f}"]
    assert [line[4:] for line in lines[1:]] == [["8", "0", "0"], ["7", "0", "1"], ["8", "2", "0"]]


def test_numbers_that_are_predicted_have_their_share_of_variance(pages):
    lines = cells(pages["table"], "Root mean square error on test rows")
    assert lines[0][4:] == ["mean R²", "seeds", "failed"]
    assert [line[4] for line in lines[1:]] == ["0.5000"] * 3


def test_the_test_is_named(pages):
    assert "p: Wilcoxon signed-rank test, with Holm" in pages["images"]
    assert "p: corrected resampled t test (Nadeau and Bengio, 2003), with Holm" in pages["table"]


def test_differences_stand_with_their_p_values(pages, tmp_path):
    reported_runs.image_comparison(tmp_path)
    pairs = json.loads((tmp_path / "results.json").read_text())["summary"]["pairs"]
    lines = cells(pages["images"], "Differences between arms with the same seed, points")[1:]
    assert [line[0] for line in lines[:3]] == [
        f"{first} {MINUS} {second}" for first, second in itertools.combinations(reported_runs.ARMS, 2)
    ]
    assert [float(line[4]) for line in lines[:3]] == [float(f"{pair['p_holm']:.2g}") for pair in pairs]
    assert [line[0] for line in lines[3:]] == [f"{line[0]}*" for line in lines[:3]]


def test_the_summary_says_what_came_out_how_sure_it_is_and_what_went_wrong(pages, tmp_path):
    reported_runs.image_comparison(tmp_path)
    arms = json.loads((tmp_path / "results.json").read_text())["arms"]
    rates = zip(arms["denoising"]["error_rate"], arms["plain"]["error_rate"], strict=True)
    low, middle, high = by_ranks([100 * (b - a) for a, b in rates if b is not None], beyond=3)  # of seven
    told = " ".join(Page(pages["images"]).text).replace("\N{NO-BREAK SPACE}", " ")
    assert "3 arms were compared, with 8 seeds each: denoising, plain and random." in told
    assert (
        "the test error rate was lowest with denoising, 3.20 %; it was 4.38 % with plain and 9.19 % with random."
        in told
    )
    better = f"by {middle:.2f} points [{low:.2f}, {high:.2f}], p = 0.031"
    assert f"denoising is typically better than plain {better}" in told
    assert "1 of 24 runs failed and has no figures." in told
    assert "2 of 24 runs collapsed" in told
    assert "layer 1: the loss became nan in epoch 1" in told


@pytest.mark.parametrize("test_to_train", [0.0, 0.25])
def test_what_is_tested_is_told_and_drawn(tmp_path, test_to_train):
    """Of 14 differences one is far off: the mean lies on the other side of 0 than what a rank test is about."""
    rates = {"a": [0.10 - 0.001 * seed for seed in range(13)] + [0.9], "b": [0.12] * 14}
    runs = [Run(name, seed, rate, (0.9,)) for name, of in rates.items() for seed, rate in enumerate(of)]
    results = tabulate(["a", "b"], runs, test_to_train=test_to_train)
    reported_runs.write(tmp_path, results | {"test_to_train": test_to_train})
    text = write_report(tmp_path).read_text().replace("\N{NO-BREAK SPACE}", " ").replace(MINUS, "-")
    differences = 100 * np.subtract(rates["a"], rates["b"])
    if test_to_train:
        assert "No difference between two arms was resolved: the smallest corrected p-value is" in text
        assert f"Mean differences: a - b {differences.mean():.2f} [" in text
    else:
        low, middle, high = by_ranks(differences, beyond=22)
        better = f"by {-middle:.2f} points [{-high:.2f}, {-low:.2f}], p = {stats.wilcoxon(differences).pvalue:.2g}"
        worse = f"but on average worse by {differences.mean():.2f} points ["
        assert f"Resolved: a is typically better than b {better}, {worse}" in text
        assert f"Pseudomedian differences: a - b {middle:.2f} [{low:.2f}, {high:.2f}]" in text


def by_ranks(differences, beyond):
    """The pseudomedian, and the averages of two differences of this number from either end around it."""
    averages = sorted((a + b) / 2 for a, b in itertools.combinations_with_replacement(differences, 2))
    return averages[beyond - 1], np.median(averages), averages[-beyond]


def test_a_conclusion_that_was_drawn_is_told(pages):
    assert "<p>Denoising pretraining lowers the error.</p>" in pages["table"]
    assert "Resolved" not in pages["table"]


def test_every_run_is_a_dot_and_a_number(pages):
    text = pages["images"]
    assert len(re.findall('<circle class="dot"', text)) == 3 * 8 - 1 - 2
    assert len(re.findall('<circle class="dot hollow"', text)) == 2
    titles = re.findall(r'cx="([\d.]+)%"[^>]*><title>seed \d: ([\d.]+)', text)
    places, rates = (np.array(column, float) for column in zip(*titles, strict=True))
    exact = np.polyfit(np.log(rates), places, 1)  # of a logarithmic axis
    assert np.abs(np.polyval(exact, np.log(rates)) - places).max() < 0.5
    lines = cells(text, "Test error rate of every run, per cent")
    assert len(lines) == 1 + 8
    assert lines[5][:3] == ["4", lines[5][1], "failed"]
    assert lines[2][3] == "20.00 (collapsed)"


def test_curves_have_a_point_for_each_epoch(pages):
    lines = [points.split() for points in re.findall(r'<polyline points="([^"]*)"', pages["images"])]
    assert sorted(map(len, lines)) == sorted([12] * 4 + [7] * 4 + [15] * 6)
    for points in lines:  # losses fall, and places count from above
        heights = [float(point.split(",")[1]) for point in points]
        assert heights == sorted(heights)


def test_sections_stand_in_order_and_those_without_contents_are_left_out(pages, tmp_path):
    compared = ["What came out", "Every run", "Training", "First-layer weights", "Reconstructions"]
    assert headings(pages["images"]) == [*compared, "Worst predictions", "Data", "Environment", "Settings"]
    assert headings(pages["experiment"]) == [*compared[:3], "Environment", "Settings"]
    behind = ["Data", "Environment", "Settings", "How to use it"]
    assert headings(pages["stack"]) == ["Training", "First-layer weights", *behind]


def test_what_a_run_has_not_left_is_left_out(tmp_path):
    reported_runs.image_comparison(tmp_path)
    for path in (tmp_path / "runs").iterdir():
        path.unlink()
    results = json.loads((tmp_path / "results.json").read_text())
    kept = {name: results[name] for name in ("arms", "summary")}
    (tmp_path / "results.json").write_text(json.dumps(kept))
    assert headings(write_report(tmp_path).read_text()) == ["What came out", "Every run", "Environment"]


def test_the_command_is_told_where_it_is_known(tmp_path):
    text = report_on(tmp_path, reported_runs.image_comparison, command="stacked compare 'a b.csv' --labels y")
    assert "<code>stacked compare &#x27;a b.csv&#x27; --labels y</code>" in text


def test_rows_that_are_no_pictures_are_told_in_numbers(pages):
    text = pages["table"]
    lines = cells(text, "Reconstructions by denoising")
    assert len(lines) == 1 + 12
    assert all(line[2].count("→") == 3 for line in lines[1:])
    assert [line[:3] for line in cells(text, "Largest residuals")[1:]] == [
        [str(10 * i), "151.2", f"{MINUS}75.00"] for i in range(4)
    ]
    assert all(f"<text x=\"-8\" y=\"{100 * (i + 0.5) / 6:.2f}%\" dy=\"0.33em\">{name}" in text
               for i, name in enumerate(COLUMNS))  # fmt: skip


def test_pictures_of_mistakes_say_what_was_taken_for_what(pages):
    page = Page(pages["images"])
    assert page.text.count("taken for 3 (99.9\N{NO-BREAK SPACE}%), is 5") == 3 * 4
    assert [given["alt"] for given in page.all("img")].count("Test row 1") == 1


def test_a_model_tells_its_figures(pages):
    assert "<h1>Stacked autoencoder 64-9-4</h1>" in pages["stack"]
    assert re.search(r"The loss of layer 1 went from [\d.]+ to [\d.]+ in 4 epochs\.", pages["stack"])
    assert [line[:2] for line in cells(pages["stack"], "The last epoch of each training")[1:]] == [
        ["layer 1", "4"],
        ["layer 2", "4"],
    ]
    assert "<polyline" not in pages["regressor"], "one epoch is no line"


def test_all_settings_are_told_with_their_names():
    settings = {
        "layers": to_json([Denoising(9), Plain(4)]),
        "note": None,
        "sizes": [64, 9],
        "runs": [],
        "smoke": True,
    }
    told = "".join(Page(joined(settings_tree(settings))).text)
    assert told.startswith("note none sizes 64, 9 runs none smoke yes layersDenoising n units 9 activation sigmoid")
    assert "corruptionMasking fraction 0.5 Plain n units 4" in told


def test_settings_nested_without_end_are_cut():
    settings: dict = {}
    for _ in range(900):
        settings = {"a": settings}
    assert settings_tree(settings).count("…") == 1


# Names from elsewhere


@pytest.mark.parametrize("hostile", [SCRIPT, BREAKING, "</style></title>", "&lt;b&gt;", "\x00\x1b"])
def test_names_from_data_are_text(tmp_path, hostile):
    arms = (hostile, "plain", "random")
    classes = (hostile,) * 10
    text = report_on(tmp_path / "a", reported_runs.image_comparison, arms, classes, command=hostile)
    table = report_on(tmp_path / "b", reported_runs.table_comparison, [hostile, *"abcd"], arms)
    stack = report_on(tmp_path / "c", reported_runs.saved_stack, 5, columns=(hostile, *"abcd"))
    for page in map(Page, (text, table, stack)):
        assert page.all("script") == []
        assert len(page.all("style")) == 1
        assert len(page.all("title")) == 1 + sum("class" in given for given in page.all("circle"))
        assert all(given["src"].startswith("data:") for given in page.all("img"))
    assert re.sub("[\x00\x1b]", "\ufffd", hostile) in Page(text).text


# What cannot be used


def test_only_a_page_is_replaced_by_a_page(tmp_path):
    table = tmp_path / "t.csv"
    table.write_text("a,b\n")
    with pytest.raises(
        StackedError, match=r"out: expected a name that ends in \.html, received .*t\.csv; add \.html"
    ):
        write_report(tmp_path, table)
    assert table.read_text() == "a,b\n"


def test_a_folder_without_a_run_is_told(tmp_path):
    with pytest.raises(StackedError, match="received a folder with neither; name the folder that a run wrote"):
        write_report(tmp_path)
    with pytest.raises(StackedError, match="received nothing"):
        write_report(tmp_path / "none")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "expected JSON, but it is not whole"),
        ("[" * 100_000, "expected JSON, but it is not whole"),
        ("[]", "expected the arms of a comparison"),
        ('{"arms": {}}', "expected the arms of a comparison"),
        ('{"arms": {"a": 3}}', "cannot be used"),
        ('{"arms": {"a": {"error_rate": [0.1], "seeds": [0, 1], "failed": {}}}}', "cannot be used"),
        ('{"arms": {"a": {"figures": {"0": {"x": 1}}, "failed": {}}}}', "cannot be used"),
    ],
)
def test_results_that_are_none_end_with_one_line(tmp_path, content, said):
    (tmp_path / "results.json").write_text(content)
    ended = CliRunner().invoke(app, ["report", str(tmp_path)])
    assert (ended.exit_code, ended.stdout, ended.stderr.count("\n")) == (2, "", 1)
    assert said in ended.stderr
    assert not (tmp_path / "report.html").exists()


@pytest.mark.parametrize(
    "change", [{"before": np.zeros(3)}, {"worst": np.zeros((1, 64))}, {"before": np.array([["a"]])}]
)
def test_arrays_of_another_shape_are_told(tmp_path, change):
    reported_runs.image_comparison(tmp_path)
    kept = dict(np.load(tmp_path / "runs" / "plain-0.npz"))
    np.savez(tmp_path / "runs" / "plain-0.npz", **{**kept, **change})
    with pytest.raises(StackedError, match="what the first seed has left cannot be used"):
        write_report(tmp_path)


def test_numbers_that_are_none_do_no_harm(tmp_path):
    reported_runs.image_comparison(tmp_path)
    kept = dict(np.load(tmp_path / "runs" / "plain-0.npz"))
    bad = np.array([np.nan, np.inf, -np.inf, 1e308] * 16)
    np.savez(tmp_path / "runs" / "plain-0.npz", **{name: np.where(True, bad, kept[name]) for name in kept})
    Page(write_report(tmp_path).read_text())


# The verb


def test_the_verb_writes_beside_the_run_or_where_it_is_told(tmp_path):
    reported_runs.experiment(tmp_path / "run")
    told = CliRunner().invoke(app, ["report", str(tmp_path / "run")])
    path = tmp_path / "run" / "report.html"
    assert (told.exit_code, told.output) == (0, f"written to {path} ({path.stat().st_size / 1e6:.1f} MB)\n")
    other = tmp_path / "other.html"
    assert CliRunner().invoke(app, ["report", str(tmp_path / "run"), "--out", str(other)]).exit_code == 0
    assert other.read_bytes() == path.read_bytes()


def test_a_place_that_cannot_be_written_is_told(tmp_path):
    reported_runs.experiment(tmp_path / "run")
    told = CliRunner().invoke(app, ["report", str(tmp_path / "run"), "--out", str(tmp_path / "none" / "a.html")])
    assert told.exit_code == 2
    assert "the report a.html cannot be written there" in told.stderr


# Small parts


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_pictures_are_read_as_they_were_written(channels):
    pixels = np.random.default_rng(channels).integers(0, 256, (5, 7, channels), np.uint8)
    read = np.asarray(Image.open(io.BytesIO(png(pixels))))
    assert np.array_equal(read.reshape(pixels.shape), pixels)


def test_a_mosaic_has_its_pictures_in_place():
    made = mosaic(np.arange(3.0)[:, None, None] * np.ones((3, 2, 2)), 2, (0.0, 2.0))
    assert made[..., 0].tolist() == [[0, 0, 0, 127, 127], [0, 0, 0, 127, 127], [0] * 5, [255, 255, 0, 0, 0],
                                     [255, 255, 0, 0, 0]]  # fmt: skip
    assert (made[..., 1] > 0).sum() == 3 * 4


def test_signs_have_colours_and_sizes_strengths():
    made = signed_colours(np.array([[-2.0, 1.0, 0.0]]))
    assert made[0, :, 3].tolist() == [255, 128, 0]
    assert made[0, 0, 2] > made[0, 0, 0]
    assert made[0, 1, 0] > made[0, 1, 2]


@pytest.mark.parametrize(
    ("n", "names", "side"),
    [
        (784, (), 28),
        (64, (), 8),
        (64, ("pixel_0_1",) * 64, 8),
        (64, ("7",) * 64, 8),
        (64, ("age",) * 64, None),
        (49, (), None),
        (65, (), None),
    ],
)
def test_pictures_are_told_from_other_rows(n, names, side):
    assert image_side(n, names) == side


def test_many_differences_are_several_drawings_with_one_axis(tmp_path):
    reported_runs.table_comparison(tmp_path / "run", ["age"], [f"arm {k}" for k in range(12)])
    text = write_report(tmp_path / "run").read_text()
    drawn = [part.split("</svg>")[0] for part in text.split("<svg")[1:] if 'class="interval"' in part]
    assert [part.count('class="interval"') for part in drawn] == [15, 15, 15, 15, 6]
    below = [re.findall(r'<g class="across".*?</g>', part)[0].split("<text")[1:] for part in drawn]
    assert all(
        [re.sub(r'y="\d+"', "", tick) for tick in ticks] == [re.sub(r'y="\d+"', "", tick) for tick in below[0]]
        for ticks in below
    )


def test_lines_of_many_arms_look_different():
    curves = [Curve(f"arm {k}", k, is_dashed, [(0, 0), (1, 1)]) for k in range(16) for is_dashed in (False, True)]
    looks = re.findall(r'<g class="(curve[^"]*)"', str(legend(curves)))
    assert len(set(looks)) == len(curves)


def test_differences_of_long_names_stay_different(tmp_path):
    arms = [f"pretraining by a denoising autoencoder, variant {k}" for k in "abc"]
    reported_runs.table_comparison(tmp_path / "run", ["age"], arms)
    text = write_report(tmp_path / "run").read_text()
    names = re.findall(r'class="name"[^>]*>([^<]*)<', text)
    assert len(names) == 6
    assert len(set(names)) == 6
    assert all(
        name.count(letter) for name, letters in zip(names, ("ab", "ac", "bc"), strict=False) for letter in letters
    )
    assert max(map(len, names)) <= 36


def test_a_map_of_weights_names_its_columns_apart_and_tells_its_range(tmp_path):
    columns = [f"the measured {part} of the flower" for part in ("length of a sepal", "length of a petal")]
    reported_runs.saved_stack(tmp_path / "stack", 2, columns=tuple(columns))
    text = write_report(tmp_path / "stack").read_text()
    shown = re.findall(r'<g class="down"[^>]*>(.*?)</g>', text)[-1]
    names = re.findall(r">([^<]+)<", shown)
    assert len(set(names)) == 2
    weights = load_stack(tmp_path / "stack").layers[0].encoder_layers[0].weight.detach().numpy()
    assert f"From {weights.min():.3g} to {weights.max():.3g}.".replace("-", MINUS) in text


@pytest.mark.parametrize("seed", range(50))
def test_ticks_are_few_round_and_between_the_ends(seed):
    rng = np.random.default_rng(seed)
    values = (rng.normal(size=3) * 10.0 ** rng.integers(-6, 6, 3)).tolist()
    for scale in (scale_of(values), scale_of(map(abs, values)), scale_of(values[:1])):
        ticks = scale.ticks()
        assert 2 <= len(ticks) <= 6
        assert all(0 <= scale.place(tick) <= 100 for tick in ticks)
        assert all(float(f"{tick:.3g}") == tick or not scale.logarithmic for tick in ticks)


def test_places_are_linear_or_logarithmic():
    assert Scale(2, 6).place(3) == 25
    assert Scale(1, 1000, logarithmic=True).place(10) == pytest.approx(100 / 3)
    assert not scale_of([1, 5]).logarithmic
    assert scale_of([0.01, 5]).logarithmic
    assert not scale_of([0, 5]).logarithmic


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (12345, "12,345"),
        (-0.5, f"{MINUS}0.5000"),
        (50.2, "50.20"),
        (12345.6, "12,346"),
        (1234.5, "1234"),
        (1e-7, f"1.000e{MINUS}07"),
        (None, DASH),
        (True, DASH),
        (math.nan, "nan"),
        (-math.inf, f"{MINUS}inf"),
    ],
)
def test_numbers_are_written_for_people(value, text):
    assert number(value) == text


def test_p_values_and_lists_in_words():
    assert [p_value(p) for p in (None, 0.0001, 0.0305, 1.0)] == [DASH, "< 0.001", "0.03", "1"]
    assert [listed(names) for names in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == ["", "a", "a and b", "a, b and c"]
