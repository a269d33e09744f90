"""Pictures: what the legend of error rates says."""

import pytest

from stacked.plots import distributions, error_distributions

ALIKE, UNLIKE = {"a": [0.1, 0.2], "b": [0.3, 0.4]}, {"a": [0.1], "b": [0.3, 0.4]}


def drawn(monkeypatch, tmp_path, *arguments, **options):
    """The figure."""
    figures = []
    monkeypatch.setattr(distributions, "write", lambda figure, path: figures.append(figure))
    error_distributions(*arguments, tmp_path / "errors.png", title="", **options)
    (figure,) = figures
    return figure


def legend(*arguments, **options):
    """The texts of the legend."""
    figure = drawn(*arguments, **options)
    return [text.get_text() for each in figure.legends for text in each.get_texts()]


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
def test_the_legend_counts_the_seeds_where_all_arms_have_as_many(monkeypatch, tmp_path, arms, options, texts):
    assert legend(monkeypatch, tmp_path, arms, **options) == texts


@pytest.mark.parametrize(
    ("arms", "options", "scale", "label", "largest"),
    [
        (ALIKE, {}, "log", "test error rate (logarithmic)", 40),
        ({"a": [0.0, 0.2]}, {}, "linear", "test error rate, per cent", 20),
        ({"a": [51.0, 59.0]}, {"error": "miles"}, "linear", "miles", 59),
    ],
)
def test_the_axis_shows_what_the_errors_are(monkeypatch, tmp_path, arms, options, scale, label, largest):
    (axes,) = drawn(monkeypatch, tmp_path, arms, **options).axes
    assert axes.get_xscale() == scale
    assert axes.get_xlabel() == f"{label}; the bar marks the median"
    assert max(dots.get_offsets()[:, 0].max() for dots in axes.collections if len(dots.get_offsets()) > 1) == largest


def test_the_picture_is_a_png(tmp_path):
    error_distributions(UNLIKE, tmp_path / "errors.png", title="both", reference=ALIKE)
    assert (tmp_path / "errors.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
