"""What a model was trained on: from where, how many rows, and what their columns and classes are called."""

from dataclasses import dataclass, replace

import numpy as np

from stacked.errors import check_count, check_flag, mismatch
from stacked.rows import Rows, within_0_and_1


@dataclass(frozen=True)
class Provenance:
    """What is known of the training rows of a model, besides their single values.

    Parameters
    ----------
    source : str
        The name of their table.
    n_rows, n_labelled : int
        How many there were, and how many of these with a label.
    columns : tuple of str
        Names of the columns, in the order of the inputs; empty where they have none.
    target : str
        The name of the column, dataset or file that held the labels.
    classes : tuple of str
        Names of the classes, in the order of the outputs; empty where they are known by number, or there are none.
    in_unit_range : bool
        Whether all values lay in [0, 1] as they came, without a scaling of the model.
    """

    source: str = ""
    n_rows: int = 0
    n_labelled: int = 0
    columns: tuple[str, ...] = ()
    target: str = ""
    classes: tuple[str, ...] = ()
    in_unit_range: bool = False

    def __post_init__(self) -> None:
        check_flag("in_unit_range", self.in_unit_range)
        for name in ("source", "target"):
            _check_text(name, getattr(self, name))
        for name in ("n_rows", "n_labelled"):
            check_count(name, getattr(self, name), least=0)
        for name in ("columns", "classes"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
            for one in getattr(self, name):
                _check_text(name, one)

    @property
    def without_classes(self) -> "Provenance":
        """The same for another head, which may tell other classes apart."""
        return replace(self, classes=())

    def check_like_training(self, rows: Rows, bounds: tuple[float, float], name: str) -> None:
        """Raise for whole numbers beyond [0, 1] where a model knows numbers within: bytes that were not divided."""
        if self.in_unit_range and np.dtype(rows.dtype).kind in "iu" and not within_0_and_1(bounds):
            expected, received = (
                "numbers from 0 to 1, as in training",
                f"whole ones from {bounds[0]:g} to {bounds[1]:g}",
            )
            raise mismatch(name, expected=expected, received=received, remedy="divide bytes of images by 255")


def _check_text(name: str, value: object) -> None:
    if not isinstance(value, str):
        raise mismatch(name, expected="text", received=repr(value)[:80], remedy="write it as text")
