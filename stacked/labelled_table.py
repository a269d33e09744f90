"""A table of one's own with labels, and how it is parted for a comparison, seed by seed.

Rows without a label belong to the training side of every split: they are pretrained on, and nothing else.
"""

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stacked.errors import check_number, mismatch
from stacked.picked_rows import picked
from stacked.randomness import Seeded, Stream
from stacked.rows import Array, Rows, as_rows, fingerprint
from stacked.splits import Split
from stacked.targets import Target, labels_of
from stacked.wording import counted


@dataclass(frozen=True, eq=False)
class LabelledTable:
    """Rows with labels, some maybe without.

    Parameters
    ----------
    rows : Rows
        Shape `(n, n_inputs)`, in memory or not.
    target : Target
        Classes or numbers, one a row or none.
    test : (Rows, Target), optional
        What every seed is tested on; of its rows those without a label are left out. Without it every seed draws
        its own test rows.
    test_fraction : float
        Share of the labelled rows that is drawn for testing, up to a half; of every class as much.
    validation_fraction : float
        Share of the labelled rows of the training side that is kept from training, in the same way, to measure on
        after every epoch.

    Raises
    ------
    StackedError
        When rows and labels do not fit, or are too few to be parted.
    """

    rows: Rows
    target: Target
    test: tuple[Rows, Target] | None = None
    test_fraction: float = 0.2
    validation_fraction: float = 0.0

    def __post_init__(self) -> None:
        _check_lengths("labels", as_rows(self.rows, "rows"), self.target)
        check_number("test_fraction", self.test_fraction, 0.01, 0.5)
        check_number("validation_fraction", self.validation_fraction, 0, 0.5)
        if self.test is not None:
            self._check_test(*self.test)
        self._check_shares()
        self._check_classes()

    @property
    def is_fixed(self) -> bool:
        """Whether all seeds have the same split."""
        return self.test is not None and self.validation_fraction == 0

    @property
    def n_tested(self) -> int:
        """Rows that a seed is tested on."""
        return _share(self.target.n_labelled, self.test_fraction) if self.test is None else self.test[1].n_labelled

    @property
    def n_trained(self) -> int:
        """Labelled rows of the training side, those to validate on among them."""
        return self.target.n_labelled - (self.n_tested if self.test is None else 0)

    @property
    def n_validated(self) -> int:
        """Labelled rows of the training side that a seed validates on."""
        return _share(self.n_trained, self.validation_fraction)

    @property
    def test_to_train(self) -> float:
        """Rows tested on for each trained on, where every seed draws its own; 0 where all have the same."""
        return self.n_tested / self.n_trained if self.test is None else 0.0

    def split(self, seed: int) -> Split:
        """The split of a seed, the same at every call and for every arm."""
        randomness = Seeded(seed)
        labelled, all_rows = np.flatnonzero(self.target.labelled), np.arange(len(self.target.values))
        tested = labelled[:0]
        if self.test is None:
            tested = self._drawn(labelled, self.test_fraction, randomness.stream("split", "test"))
        rest = np.setdiff1d(labelled, tested)
        validating = self._drawn(rest, self.validation_fraction, randomness.stream("split", "validation"))
        training = np.setdiff1d(all_rows, np.concatenate([tested, validating]))
        source, target, numbers = self.rows, self.target, tested
        if self.test is not None:
            (source, target), numbers = self.test, np.flatnonzero(self.test[1].labelled)
        return Split(
            picked(self.rows, training),
            labels_of(self.target, training),
            picked(source, numbers),
            labels_of(target, numbers),
            numbers,
            (picked(self.rows, validating), labels_of(self.target, validating)) if len(validating) else None,
            self.target.classes,
        )

    def fingerprints(self) -> dict[str, str]:
        """What tells the rows and labels from all others."""
        tables = {"rows": self.rows, "labels": self.target.values[:, None]}
        if self.test is not None:
            tables |= {"test rows": self.test[0], "test labels": self.test[1].values[:, None]}
        return {name: fingerprint(table)[:12] for name, table in tables.items()}

    def _drawn(self, numbers: NDArray[np.int64], fraction: float, stream: Stream) -> NDArray[np.int64]:
        classes = self.target.values[numbers] if self.target.is_classes else np.zeros(len(numbers))
        drawn: NDArray[np.int64] = numbers[drawn_share(classes, fraction, stream)]
        return drawn

    def _check_shares(self) -> None:
        """Whether each part that is drawn has rows, and leaves some."""
        n_labelled = self.target.n_labelled
        drawn = [("test_fraction", self.test_fraction, self.n_tested, n_labelled)] if self.test is None else []
        if self.validation_fraction > 0:
            drawn.append(("validation_fraction", self.validation_fraction, self.n_validated, self.n_trained))
        for name, fraction, n_drawn, n in drawn:
            if not 0 < n_drawn < n:
                expected, received = "labelled rows for both sides", f"{fraction} of {n} rows"
                raise mismatch(name, expected=expected, received=received, remedy="label more rows, or change it")

    def _check_classes(self) -> None:
        """Whether every class keeps a row to train on, whatever the seed draws."""
        if not self.target.is_classes:
            return
        counts = np.bincount(self.target.values[self.target.labelled], minlength=len(self.target.classes))
        rarest = int(counts.argmin())
        if self._left_of(int(counts[rarest])) < 1:
            least = next(n for n in itertools.count(1) if self._left_of(n) >= 1)
            received = f"{counts[rarest]} of class {self.target.classes[rarest]!r}"
            expected = f"at least {counted(least, 'row')} of every class, to part them"
            remedy = "add rows of this class, leave it out, or draw smaller shares"
            raise mismatch("labels", expected=expected, received=received, remedy=remedy)

    def _left_of(self, n: int) -> int:
        """How many of a class of `n` rows are left to train on where most are drawn."""
        if self.test is None:
            n -= _most(n, self.n_tested, self.target.n_labelled)
        return n - _most(n, self.n_validated, self.n_trained)

    def _check_test(self, rows: Rows, target: Target) -> None:
        _check_lengths("test labels", as_rows(rows, "test rows", self.rows.shape[1]), target)
        if target.classes != self.target.classes:
            expected = f"classes {self.target.classes}" if self.target.is_classes else "numbers, as for training"
            remedy = "read them with the classes of the training labels"
            received = f"classes {target.classes}" if target.is_classes else "numbers"
            raise mismatch("test labels", expected=expected, received=received, remedy=remedy)


def drawn_share(classes: Array, fraction: float, stream: Stream) -> NDArray[np.bool_]:
    """Which of some rows are drawn, shape `(n,)`: a share of all, rounded, and of each class to within one row.

    The rows are put in random order within their classes, and these in random order too; so many are then taken at
    even distances from a random start. So every row is as likely to be drawn, those of small classes as any other.
    """
    n, (known, of_class) = len(classes), np.unique(classes, return_inverse=True)
    order = stream.permutation(n).numpy()
    places = stream.permutation(len(known)).numpy()
    order = order[np.argsort(places[of_class[order]], kind="stable")]
    start = int(stream.permutation(n)[0])
    reached = (np.arange(n + 1) * _share(n, fraction) + start) // n
    drawn = np.zeros(n, bool)
    drawn[order] = np.diff(reached) > 0
    return drawn


def _most(n: int, n_drawn: int, n_all: int) -> int:
    """The most of `n` rows that `drawn_share` takes where it takes so many of all."""
    return -(-n * n_drawn // n_all)


def _share(n: int, fraction: float) -> int:
    return int(n * fraction + 0.5)


def _check_lengths(name: str, rows: Rows, target: Target) -> None:
    if len(target.values) != len(rows):
        expected, received = f"one for each of {len(rows)} rows", f"{len(target.values)}"
        raise mismatch(name, expected=expected, received=received, remedy="pass the labels of these very rows")
