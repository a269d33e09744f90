"""Names that fit beside a drawing, and still differ."""

import numpy as np
import pytest

from stacked.short_names import short_names

FLOWERS = [f"the measured {part} (cm) of the flower" for part in ("sepal length", "sepal width", "petal length")]


@pytest.mark.parametrize(
    ("names", "most", "short"),
    [
        (["age", "sex"], 3, ["age", "sex"]),
        (["age at diagnosis", "sex"], 8, ["age at…", "sex"]),
        (FLOWERS, 20, ["…sepal length (cm)…", "…sepal width (cm) o…", "…petal length (cm)…"]),
        ([f"a place of some kind, number {k}" for k in (1, 2)], 12, ["…d, number 1", "…d, number 2"]),
        (["a" * 30 + "1", "a" * 30 + "2", "b"], 10, ["aaaaaaa… 1", "aaaaaaa… 2", "b"]),
        ([], 10, []),
    ],
)
def test_names_are_cut_where_they_can_still_be_told_apart(names, most, short):
    assert short_names(names, most) == short


@pytest.mark.parametrize("seed", range(30))
def test_different_names_stay_different_and_fit(seed):
    rng = np.random.default_rng(seed)
    words = ["the", "mean", "measured", "length", "x", "sepal"]
    names = sorted({" ".join(rng.choice(words, rng.integers(1, 9))) for _ in range(12)})
    short = short_names(names, 14)
    assert len(set(short)) == len(names)
    assert max(map(len, short)) <= 14
