"""Pictures: what they show, by what matplotlib was told to draw, and that it can be read."""

import itertools
import math

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from stacked import History
from stacked.plots import (
    Colours,
    code_map,
    column_errors,
    confusion_matrix,
    embedding,
    error_distributions,
    filter_tiles,
    loss_curves,
    page,
    picture_rows,
    weight_map,
)

ALIKE, UNLIKE = {"a": [0.1, 0.2], "b": [0.3, 0.4]}, {"a": [0.1], "b": [0.3, 0.4]}
RANDOM = np.random.default_rng(0)


@pytest.fixture
def drawn(monkeypatch, tmp_path):
    """Draws by a function of the package, and gives the figure."""
    figures = []
    written = page.write

    def write(figure, path):
        figures.append(figure)
        written(figure, path)

    def draw(function, *arguments, **options):
        path = tmp_path / "figure.png"
        monkeypatch.setitem(function.__globals__, "write", write)
        options = {"title": "title"} | options
        function(*arguments, path, **options)
        figure = figures[-1]
        with Image.open(path) as image:
            assert image.format == "PNG"
            assert image.size == pytest.approx(figure.get_size_inches() * 150, abs=1)
        return figure

    return draw


def legend(figure):
    return [text.get_text() for each in figure.legends for text in each.get_texts()]


def ticks(axis):
    return [label.get_text() for label in axis.get_ticklabels()]


def ticks_in_sight(axis):
    low, high = sorted(axis.get_view_interval())
    return [text for text, place in zip(ticks(axis), axis.get_ticklocs(), strict=True) if low <= place <= high]


def overlaps(texts, figure):
    """Pairs of texts one of which is written over the other."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    places = [(text.get_text(), text.get_window_extent(renderer)) for text in texts if text.get_text()]
    return [(a, b) for (a, here), (b, there) in itertools.combinations(places, 2) if here.overlaps(there)]


def assert_legible(figure):
    """No label of an axis is written over another, and nothing leaves the page."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    for panel in figure.axes:
        for axis in (panel.xaxis, panel.yaxis):
            assert overlaps(axis.get_ticklabels(), figure) == []
    inside = figure.get_tightbbox(renderer)
    width, height = figure.get_size_inches()
    assert min(inside.x0, inside.y0) > -0.1
    assert inside.x1 < width + 0.1
    assert inside.y1 < height + 0.1


@pytest.mark.parametrize(
    ("arms", "options", "texts"),
    [
        (ALIKE, {}, ["2 seeds"]),
        (UNLIKE, {}, ["runs"]),
        (ALIKE, {"reference": UNLIKE}, ["2 seeds", "reference, runs"]),
        (UNLIKE, {"reference": {"b": [0.2] * 5}, "reference_name": "toolbox"}, ["runs", "toolbox, 5 seeds"]),
        (ALIKE, {"reference": {"c": [0.2]}}, ["2 seeds"]),
        ({"a": [], "b": [0.1]}, {}, ["runs"]),
        ({"a": [], "b": []}, {}, []),
    ],
)
def test_the_legend_counts_the_seeds_where_all_arms_have_as_many(drawn, arms, options, texts):
    assert legend(drawn(error_distributions, arms, **options)) == texts


@pytest.mark.parametrize(
    ("arms", "options", "scale", "label", "largest"),
    [
        (ALIKE, {}, "log", "test error rate (logarithmic)", 40),
        ({"a": [0.0, 0.2]}, {}, "linear", "test error rate, per cent", 20),
        ({"a": [51.0, 59.0]}, {"error": "miles"}, "linear", "miles", 59),
    ],
)
def test_the_axis_shows_what_the_errors_are(drawn, arms, options, scale, label, largest):
    (axes,) = drawn(error_distributions, arms, **options).axes
    assert axes.get_xscale() == scale
    assert axes.get_xlabel() == f"{label}; the bar marks the median"
    assert max(dots.get_offsets()[:, 0].max() for dots in axes.collections if len(dots.get_offsets()) > 1) == largest


def places_of_names(figure):
    """The height on the page of every name of an arm, and of its dots."""
    (axes,), renderer = figure.axes, FigureCanvasAgg(figure).get_renderer()
    names = [label.get_window_extent(renderer) for label in axes.get_yticklabels()]
    dots = [each.get_offsets() for each in axes.collections if len(each.get_offsets()) > 1]
    heights = [axes.transData.transform(of)[:, 1] for of in dots]
    return [(name.y0 + name.y1) / 2 for name in names], heights


@pytest.mark.parametrize("reference", [None, {"arm 1": [0.2] * 30, "arm 3": [0.3] * 30}])
@pytest.mark.parametrize("n_seeds", [2, 3, 30])
def test_names_of_arms_are_level_with_their_dots(drawn, n_seeds, reference):
    arms = {f"arm {i}": RANDOM.uniform(0.1, 0.3, n_seeds) for i in range(5)}
    names, dots = places_of_names(drawn(error_distributions, arms, reference=reference))
    for name, heights in zip(names, dots, strict=False):
        assert heights.mean() == pytest.approx(name, abs=3)
    for name, heights in zip([names[1], names[3]], dots[5:], strict=False):
        assert heights.max() < name - 10, "a reference is below"


@pytest.mark.parametrize("ends", [(0.43, 0.71), (0.3, 0.3), (1e-4, 0.95), (0.04, 0.0401), (0.017, 0.09), (0.08, 0.6)])
def test_ticks_of_error_rates_are_legible_however_narrow_the_range(drawn, ends):
    figure = drawn(error_distributions, {"a": ends, "b": ends})
    shown = [float(text.removesuffix(" %")) for text in ticks(figure.axes[0].xaxis)]
    assert 2 <= len(shown) <= 7
    assert shown == sorted(shown)
    assert shown[-1] <= 100
    assert_legible(figure)


@pytest.mark.parametrize("errors", [(54.00001, 54.00003), (1e-9, 2e-9), (3e7, 4e7), (-3.0, 1e5)])
def test_other_errors_are_written_whole(drawn, errors):
    figure = drawn(error_distributions, {"a" * 90: errors, "b" * 90: []}, error="root mean square error")
    (axes,) = figure.axes
    assert "+" not in axes.xaxis.get_offset_text().get_text()
    assert [text.get_text() for text in axes.texts] == ["no run has finished"]
    assert axes.get_window_extent().width > 0.5 * figure.get_window_extent().width, "names leave room"
    assert_legible(figure)


# Losses


def history(losses, **others):
    named = {"loss": losses, **others}
    return History(
        [{"epoch": k + 1, **{name: values[k] for name, values in named.items()}} for k in range(len(losses))]
    )


def test_losses_are_drawn_by_epoch_and_the_best_epoch_is_ringed(drawn):
    first = history([3.0, 2.0, 1.0, 0.9], validation_loss=[2.0, 1.0, 1.5, 1.7])
    second = history([0.5, math.nan, 0.2])
    figure = drawn(loss_curves, {"layer 1": first, "layer 2": second})
    left, right = figure.axes
    training, validation, _, ring = left.lines
    np.testing.assert_array_equal(training.get_xydata(), [[1, 3], [2, 2], [3, 1], [4, 0.9]])
    np.testing.assert_array_equal(validation.get_xydata(), [[1, 2], [2, 1], [3, 1.5], [4, 1.7]])
    np.testing.assert_array_equal(ring.get_xydata(), [[2, 1]])
    assert [text.get_text() for text in left.texts] == ["best validation: 1 in epoch 2"]
    assert [text.get_text() for text in right.texts] == ["best training: 0.2 in epoch 3"]
    assert (left.get_title(), right.get_title()) == ("layer 1", "layer 2")
    assert legend(figure) == ["training loss, with noise and penalties", "validation loss, clean"]
    assert_legible(figure)


def test_error_rates_have_a_panel_and_steep_losses_a_logarithmic_axis(drawn):
    of = history([100.0, 1.0], validation_loss=[50.0, 1.0], validation_error_rate=[0.5, 0.25])
    figure = drawn(loss_curves, {"classifier": of})
    assert [panel.get_title() for panel in figure.axes] == ["classifier", "classifier"]
    assert [panel.get_ylabel() for panel in figure.axes] == ["loss", "error rate, per cent"]
    assert [panel.get_yscale() for panel in figure.axes] == ["log", "linear"]
    assert ticks(figure.axes[0].yaxis) == ["1", "3", "10", "30", "100"]
    assert figure.axes[1].texts[0].get_text() == "best validation: 25 in epoch 2"
    one = drawn(loss_curves, {"layer 1": history([1.0])})
    assert ticks_in_sight(one.axes[0].xaxis) == ["1"]
    assert len(one.axes[0].lines[0].get_xdata()) == 1
    nothing = drawn(loss_curves, {"layer 1": history([math.nan, math.inf])})
    assert len(nothing.axes[0].lines) == 1


# Weights


def test_a_heat_map_of_weights_has_a_line_for_each_named_column(drawn):
    weights = RANDOM.normal(size=(5, 4))
    figure = drawn(weight_map, weights, ["age", "size", "a name that goes on and on for long", "x"])
    panel = figure.axes[0]
    np.testing.assert_array_equal(panel.images[0].get_array(), weights.T)
    assert ticks(panel.yaxis) == ["age", "size", "a name that goes on and…", "x"]
    low, high = panel.images[0].get_clim()
    assert (-low, high) == (np.abs(weights).max(), np.abs(weights).max())
    assert (panel.get_xlabel(), panel.get_ylabel()) == ("5 units", "4 columns")
    assert_legible(figure)


def test_a_unit_has_a_whole_number_and_one_is_no_plural(drawn):
    weights = drawn(weight_map, np.ones((1, 1)), ["age"]).axes[0]
    assert ticks_in_sight(weights.xaxis) == ["1"]
    assert (weights.get_xlabel(), weights.get_ylabel()) == ("1 unit", "1 column")
    codes = drawn(code_map, RANDOM.random((9, 1)), bounds=(0.0, 1.0)).axes[0]
    assert (ticks_in_sight(codes.xaxis), codes.get_xlabel()) == (["1"], "1 unit, by mean value")


def test_names_that_begin_alike_stay_different(drawn):
    names = [f"a long name of some column, number {k}" for k in range(4)]
    shown = ticks(drawn(weight_map, np.ones((2, 4)), names).axes[0].yaxis)
    assert len(set(shown)) == 4
    assert [text[-1] for text in shown] == ["0", "1", "2", "3"]


def test_filters_take_no_more_room_than_they_need_and_say_their_scale(drawn):
    tiles = {"50 units": RANDOM.normal(size=(50, 64))}
    figure = drawn(filter_tiles, tiles, image_shape=(8, 8))
    assert figure.axes[0].images[0].get_array().shape == (7 * 9 - 1, 8 * 9 - 1)
    assert "each scaled to its own largest weight" in figure.get_supxlabel()


def test_few_pictures_are_not_blown_up(drawn):
    figure = drawn(picture_rows, {"rows": RANDOM.random((2, 784)), "rebuilt": RANDOM.random((2, 784))})
    assert figure.get_figheight() < 4


def test_of_many_weights_the_largest_columns_are_shown(drawn):
    weights = RANDOM.normal(size=(120, 300))
    weights[:, 100:160] *= 10
    figure = drawn(weight_map, weights, [])
    panel = figure.axes[0]
    np.testing.assert_array_equal(panel.images[0].get_array(), weights[:100, 100:160].T)
    assert ticks(panel.yaxis) == [str(k) for k in range(101, 161)]
    assert panel.get_xlabel() == "the first 100 of 120 units"
    assert panel.get_ylabel() == "the 60 with the largest weights of 300 columns"
    assert_legible(figure)
    assert drawn(weight_map, np.zeros((2, 3)), []).axes[0].images[0].get_clim() == (-1, 1)


# Codes


def test_codes_are_sorted_and_silent_units_marked(drawn):
    codes = RANDOM.uniform(0.2, 0.4, (201, 6))
    codes[:, 1], codes[:, 4] = 0.003, 0.999
    figure = drawn(code_map, codes, bounds=(0.0, 1.0))
    panel = figure.axes[0]
    order = np.argsort(-codes.mean(axis=0))
    np.testing.assert_allclose(panel.images[0].get_array(), np.sort(codes[:, order], axis=0)[::-1])
    dead, saturated = panel.collections
    assert (dead.get_label(), saturated.get_label()) == ("1 dead on every row", "1 saturated on every row")
    assert (dead.get_offsets()[0][0], saturated.get_offsets()[0][0]) == (6, 1)
    assert legend(figure) == ["1 dead on every row", "1 saturated on every row"]
    assert_legible(figure)


@pytest.mark.parametrize(("bounds", "shades"), [((0, math.inf), (0, 3)), ((-math.inf, math.inf), (-3, 3))])
def test_codes_on_both_sides_of_0_have_two_colours(drawn, bounds, shades):
    codes = np.array([[0.0, 1.0], [3.0, 2.0], [1.0, 0.0]])
    figure = drawn(code_map, codes, bounds=bounds)
    assert figure.axes[0].images[0].get_clim() == shades
    assert legend(figure) == []


# Columns


def test_columns_stand_in_the_order_of_what_is_missed(drawn):
    missed = np.array([0.5, math.nan, 0.01, 3.0])
    figure = drawn(column_errors, missed, ["a", "constant", "b", "c"])
    panel = figure.axes[0]
    assert ticks(panel.yaxis) == ["b", "a", "c"]
    assert [text.get_text() for text in panel.texts] == ["1 %", "50 %", "300 %"]
    dots, arrows = panel.collections[1:]
    np.testing.assert_allclose(dots.get_offsets(), [[1, 0], [50, -1]])
    assert panel.get_xlabel().endswith("\narrows go beyond 125 %; 1 constant column left out")
    np.testing.assert_allclose(arrows.get_offsets(), [[125, -2]])
    assert len(arrows.get_paths()[0].vertices) < len(dots.get_paths()[0].vertices), "a triangle, not a circle"
    assert_legible(figure)


def test_columns_that_fit_have_no_arrows_and_large_figures_no_exponents(drawn):
    panel = drawn(column_errors, np.array([0.1, 1.25]), ["a", "b"]).axes[0]
    assert len(panel.collections[2].get_offsets()) == 0
    assert "arrow" not in panel.get_xlabel()
    (text,) = drawn(column_errors, np.array([1234.5]), ["a"]).axes[0].texts
    assert text.get_text() == "123,450 %"


def test_of_many_columns_the_best_and_the_worst_are_shown(drawn):
    figure = drawn(column_errors, np.linspace(0, 1, 200), [])
    panel = figure.axes[0]
    assert ticks(panel.yaxis) == [str(k) for k in (*range(1, 26), *range(176, 201))]
    assert "the 25 best and the 25 worst of 200 columns" in panel.get_xlabel()
    assert_legible(figure)
    drawn(column_errors, np.full(3, math.nan), [])


# Embeddings


def test_every_row_is_a_point_in_the_colour_and_shape_of_its_class(drawn):
    places, labels = RANDOM.normal(size=(200, 2)), np.arange(200) % 52 - 2
    names = [f"class {k}" for k in range(50)]
    figure = drawn(embedding, places, colours=Colours(labels, names, "batch"), axes=("one", "two"))
    points = [drawn for drawn in figure.axes[0].collections if len(drawn.get_offsets()) > 0]
    assert sorted(map(tuple, np.concatenate([each.get_offsets() for each in points]))) == sorted(map(tuple, places))
    looks = {}
    for each in points[1:]:  # after those without label
        for place, colour in zip(each.get_offsets(), each.get_facecolors(), strict=True):
            number = labels[(places == place).all(axis=1)][0]
            looks.setdefault((tuple(colour), each.get_paths()[0].vertices.tobytes()), set()).add(number)
    assert sorted(map(sorted, looks.values())) == [[k] for k in range(50)]
    assert legend(figure) == ["without label", *names]
    assert figure.legends[0].get_title().get_text() == "batch"
    assert (figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel()) == ("one", "two")
    assert overlaps([text for each in figure.legends for text in each.get_texts()], figure) == []
    assert_legible(figure)


def test_a_number_is_a_colour_on_a_scale(drawn):
    places, target = RANDOM.normal(size=(30, 2)), RANDOM.normal(size=30)
    target[:4] = math.nan
    figure = drawn(embedding, places, colours=Colours(target, name="age"))
    unknown, known = figure.axes[0].collections
    assert figure.axes[1].get_ylabel() == "age"
    assert known.get_clim() == (target[4:].min(), target[4:].max())
    np.testing.assert_array_equal(unknown.get_offsets(), places[:4])
    np.testing.assert_array_equal(known.get_offsets(), places[4:])
    np.testing.assert_array_equal(known.get_array(), target[4:])
    assert len(figure.axes) == 2
    assert ticks(figure.axes[0].xaxis) == []
    assert len(drawn(embedding, places).axes[0].collections[0].get_offsets()) == 30


def test_of_very_many_classes_the_largest_have_looks_of_their_own(drawn):
    labels = np.concatenate([np.repeat(np.arange(50) + 7, 3), np.arange(7), [-1]])
    places, names = RANDOM.normal(size=(len(labels), 2)), [f"class {k}" for k in range(60)]
    figure = drawn(embedding, places, colours=Colours(labels, names))
    assert legend(figure) == ["without label", "7 smaller classes", *names[7:57]]
    assert len(figure.axes[0].collections[1].get_offsets()) == 7
    assert_legible(figure)


def test_many_dates_are_times_on_a_scale_and_few_are_classes(drawn):
    dates = [f"2024-{month:02d}-15" for month in range(1, 13)]
    labels, places = np.append(np.arange(12), -1), RANDOM.normal(size=(13, 2))
    figure = drawn(embedding, places, colours=Colours(labels, dates, "date"))
    shown = figure.axes[0].collections[1].get_array()
    assert np.diff(shown).tolist() == [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30]
    assert legend(figure) == ["without label"]
    assert_legible(figure)
    assert legend(drawn(embedding, places[:3], colours=Colours(labels[:3], dates[:3]))) == dates[:3]
    assert len(legend(drawn(embedding, places[:12], colours=Colours(labels[:12], [*dates[:11], "unknown"])))) == 12


@pytest.mark.parametrize(
    ("outliers", "extend"), [([], "neither"), ([1e6], "max"), ([-1e6], "min"), ([-1e6, 1e6], "both")]
)
def test_an_outlier_does_not_take_the_colours_from_all_others(drawn, outliers, extend):
    target = np.concatenate([np.linspace(0, 1, 500), outliers])
    figure = drawn(embedding, RANDOM.normal(size=(len(target), 2)), colours=Colours(target))
    image = figure.axes[0].collections[-1]
    low, high = image.get_clim()
    assert 0 <= low < 0.02
    assert 0.98 < high <= 1
    assert image.colorbar.extend == extend


def test_nobody_labelled_among_those_drawn_is_no_mistake(drawn):
    places = RANDOM.normal(size=(5, 2))
    for colours in (Colours(np.full(5, -1), ["a", "b"]), Colours(np.full(5, math.nan))):
        assert legend(drawn(embedding, places, colours=colours)) == ["without label"]


def test_codes_of_one_unit_are_spread_beside_their_line(drawn):
    places = np.column_stack([RANDOM.normal(size=40), np.zeros(40)])
    figure = drawn(embedding, places, axes=("component 1", "component 2 (0 % of the variance)"))
    (points,) = figure.axes[0].collections
    np.testing.assert_array_equal(points.get_offsets()[:, 0], places[:, 0])
    assert len(set(points.get_offsets()[:, 1])) == 40
    assert (figure.axes[0].get_ylabel(), ticks(figure.axes[0].yaxis)) == ("", [])
    assert figure.get_figheight() < 4


# Confusions


@pytest.mark.parametrize(
    ("n", "name"),
    [(2, "{}"), (3, "a class of name {}"), (10, "{}"), (11, "a class of name {}"), (20, "{}"), (50, "{}")],
)
def test_the_numbers_of_every_cell_fit_into_it(drawn, n, name):
    confused = RANDOM.integers(0, 12_000, (n, n)) * (RANDOM.random((n, n)) < 10 / n)
    counts = confused + np.diag(np.full(n, 2_000_000))
    title = "97.4 % of 12,000,000 rows are recognised"
    figure = drawn(confusion_matrix, counts, [name.format(k) for k in range(n)], title=title)
    panel = figure.axes[0]
    renderer = FigureCanvasAgg(figure).get_renderer()
    cell = panel.get_window_extent(renderer).width / n
    for text in panel.texts[: 2 * n]:
        extent = text.get_window_extent(renderer)
        assert max(extent.width, extent.height) < cell
    left_of = figure.axes[1].get_window_extent(renderer).x0
    assert panel.get_tightbbox(renderer).x1 < left_of
    assert_legible(figure)


def test_a_cell_says_how_many_and_which_share_of_its_line(drawn):
    counts = np.array([[1, 999], [0, 0]])
    panel = drawn(confusion_matrix, counts, ["cat", "a dog of some kind or other"]).axes[0]
    np.testing.assert_allclose(panel.images[0].get_array(), [[0.001, 0.999], [0, 0]])
    assert [text.get_text() for text in panel.texts] == ["1\n<1 %", "999\n100 %"]
    assert ticks(panel.yaxis) == ["cat  (1,000)", "a dog of some kin…  (0)"]
    assert drawn(confusion_matrix, np.eye(60, dtype=int), list(map(str, range(60)))).axes[0].texts[:] == []
