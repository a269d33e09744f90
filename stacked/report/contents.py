"""What a report is about, wherever it was read; a part that a run has not left is empty, and is left out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from stacked.report.words import NBSP, number, percent
from stacked.rows import Array

Record = Mapping[str, Any]
"""The figures of one epoch, as `stacked.callbacks.Record`."""


SIGNED_RANK, RESAMPLED = "Wilcoxon signed-rank test", "corrected resampled t test (Nadeau and Bengio, 2003)"


@dataclass(frozen=True)
class Measure:
    """What runs are compared by: its name in words, and whether it is a share that is shown in per cent."""

    name: str
    is_share: bool = False

    def shown(self, value: object) -> str:
        """A value, without its unit."""
        return percent(value) if self.is_share else number(value)

    def tick(self, value: float) -> str:
        """A round value as it stands along an axis."""
        return number(100 * value if self.is_share else value, ".4g") + self.unit

    @property
    def unit(self) -> str:
        """What follows a value."""
        return f"{NBSP}%" if self.is_share else ""


@dataclass(frozen=True)
class ArmFigures:
    """The runs of one arm.

    Parameters
    ----------
    name : str
        Of the arm.
    values : mapping
        Seed to the figure of its run, of those that have one.
    summary : mapping
        As `statistics.summarise` gives it.
    collapsed : tuple of int
        Seeds whose run recognised hardly any row of some class.
    failed : mapping
        Seed to why its run has no figure.
    """

    name: str
    values: Mapping[int, float]
    summary: Mapping[str, Any]
    collapsed: tuple[int, ...] = ()
    failed: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Comparison:
    """Arms compared by one measure; `pairs` and `test_to_train` as for `statistics.compare_pairs`."""

    measure: Measure
    arms: Sequence[ArmFigures]
    pairs: Sequence[Mapping[str, Any]] = ()
    pairs_among_healthy: Sequence[Mapping[str, Any]] = ()
    test_to_train: float = 0.0

    @property
    def test(self) -> str:
        """The name of the test."""
        return RESAMPLED if self.test_to_train else SIGNED_RANK

    @property
    def counts_collapsed(self) -> bool:
        """Whether it was looked at which runs collapsed: those of classifiers, where somebody did."""
        return self.measure.is_share and any("collapsed" in arm.summary for arm in self.arms)


@dataclass(frozen=True)
class Reconstructed:
    """Some test rows, shape `(n, n_columns)`, and what each arm makes of them again, of the same shape."""

    rows: Array
    by_arm: Mapping[str, Array]


@dataclass(frozen=True)
class Mistakes:
    """The rows that one arm was most wrong about, the worst first.

    Parameters
    ----------
    numbers : sequence of int
        Which rows of the table they are.
    predicted, true : sequence of str
        Names of classes, or numbers as text.
    share : sequence of float
        How sure the prediction was, from 0 to 1; empty where numbers are predicted.
    rows : array or None
        The rows, shape `(n, n_columns)`.
    """

    numbers: Sequence[int]
    predicted: Sequence[str]
    true: Sequence[str]
    share: Sequence[float] = ()
    rows: Array | None = None


@dataclass(frozen=True)
class Contents:
    """All that a report says.

    Parameters
    ----------
    title : str
        The heading.
    origin : str
        Where it was read.
    sentences : sequence of str
        The summary.
    comparisons : sequence of Comparison
        One a measure.
    trainings : mapping
        What was trained to the records of its epochs, by arm; one arm without a name where there are none.
    filters : mapping
        What they are to weights of the first layer, shape `(n_units, n_columns)`.
    reconstructed, mistakes
        Some rows that were looked at; mistakes by arm.
    columns : sequence of str
        Their names, where they have any.
    data, environment : mapping
        Terms and what they are.
    settings : dict or list
        Fit for JSON.
    repeat, use : str
        The command that does it again; the program that uses what came of it.
    """

    title: str
    origin: str
    sentences: Sequence[str] = ()
    comparisons: Sequence[Comparison] = ()
    trainings: Mapping[str, Mapping[str, Sequence[Record]]] = field(default_factory=dict)
    filters: Mapping[str, Array] = field(default_factory=dict)
    reconstructed: Reconstructed | None = None
    mistakes: Mapping[str, Mistakes] = field(default_factory=dict)
    columns: Sequence[str] = ()
    data: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    settings: Any = None
    repeat: str = ""
    use: str = ""
