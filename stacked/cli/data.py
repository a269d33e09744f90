"""Rows and labels that a command line names, and what a model remembers of those it was trained on."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from stacked.errors import mismatch

if TYPE_CHECKING:
    from stacked.checkpoint import Model
    from stacked.provenance import Provenance
    from stacked.rows import Rows
    from stacked.targets import Target


class Labelled(NamedTuple):
    """Rows with what is known of their labels, if these are used, and of both."""

    rows: "Rows"
    target: "Target | None"
    provenance: "Provenance"


def read_labelled(
    name: str,
    labels: str | None,
    task: str = "auto",
    *,
    drop: Sequence[str] = (),
    like: "Provenance | None" = None,
) -> Labelled:
    """The rows of a table, with labels where these are named.

    Parameters
    ----------
    name : str
        Of the table.
    labels : str, optional
        Where the labels are; those of `like` by default, if the table has them.
    task : {"auto", "classification", "regression"}
        What the labels are.
    drop : sequence of str
        Columns to leave out.
    like : Provenance, optional
        Of the model that the rows are for, which knows their columns and classes.
    """
    from stacked.provenance import Provenance  # noqa: PLC0415 - slow to import
    from stacked.tables import Wanted, read_data  # noqa: PLC0415
    from stacked.targets import as_target  # noqa: PLC0415

    columns, classes = (like.columns, like.classes) if like is not None else ((), ())
    data = read_data(name, Wanted(labels, tuple(columns), tuple(drop)))
    target = None if data.target is None else as_target(data.target, task, classes, labels or "labels")
    return Labelled(
        data.rows,
        target,
        Provenance(
            source=name,
            n_rows=len(data.rows),
            n_labelled=0 if target is None else target.n_labelled,
            columns=data.columns,
            target=labels or "",
            classes=() if target is None else target.classes,
        ),
    )


def read_unlabelled(name: str, labels: str | None, drop: Sequence[str]) -> Labelled:
    """The rows of a table whose labels play no part, and may all be missing; their column is left out."""
    from stacked.provenance import Provenance  # noqa: PLC0415 - slow to import
    from stacked.tables import Wanted, read_data  # noqa: PLC0415

    rows, columns, _ = read_data(name, Wanted(labels, drop=tuple(drop)))
    return Labelled(rows, None, Provenance(name, len(rows), columns=columns, target=labels or ""))


def read_grouped(name: str, labels: str | None, like: "Provenance") -> Labelled:
    """The rows of a table, with any values that a picture tells them apart by: a column of the model's, or others."""
    from stacked.columns_in_files import read_values  # noqa: PLC0415 - slow to import
    from stacked.provenance import Provenance  # noqa: PLC0415
    from stacked.table_names import place_of  # noqa: PLC0415
    from stacked.tables import Wanted, is_part_of, read_data  # noqa: PLC0415
    from stacked.targets import as_groups  # noqa: PLC0415

    place, is_part = place_of(name), labels is not None and is_part_of(labels, name)
    is_input = is_part and labels in like.columns
    rows, columns, raw = read_data(name, Wanted(None if is_input else labels, like.columns))
    if is_input and place is not None:
        raw = read_values(place._replace(part=labels))
    target = None if raw is None else as_groups(raw, like.classes, labels or "labels")
    called = labels if is_part else Path((labels or "").rpartition(":")[2]).name
    return Labelled(rows, target, Provenance(name, len(rows), columns=columns, target=called or ""))


def rows_for(model: "Model", name: str) -> "Rows":
    """The rows of a table that a model is to work on: its columns, by name where they have names."""
    return read_labelled(name, None, like=model.provenance).rows


def labelled_for(model: "Model", name: str, labels: str | None) -> Labelled:
    """The rows and labels that a model is measured on."""
    known = known_of(model)
    task = "classification" if known.classes else "regression"
    return read_labelled(name, place_of_labels(model, name, labels), task, like=known)


def place_of_labels(model: "Model", rows: str, labels: str | None) -> str:
    """Where the labels of a table lie: by default in the column, or the folders, in which they lay in training.

    Those that lay beside the rows of the training, in another file or dataset, belong to these rows only.
    """
    from stacked.tables import is_part_of  # noqa: PLC0415 - slow to import

    known = model.provenance
    if labels is not None:
        return labels
    if is_part_of(known.target, rows) or (known.target and rows == known.source):
        return known.target
    remedy = "pass --labels NAME" + (f" ({known.target} has those of the training)" if known.target else "")
    raise mismatch("--labels", expected="where the labels are", received="nothing", remedy=remedy)


def known_of(model: "Model") -> "Provenance":
    """What a model knows of its rows; classes without names go by their numbers."""
    from stacked.classifier import FeedforwardClassifier  # noqa: PLC0415 - slow to import

    known = model.provenance
    if known.classes or not isinstance(model, FeedforwardClassifier):
        return known
    return replace(known, classes=tuple(map(str, range(model.settings.sizes[-1]))))


def loaded(name: str, device: str = "cpu", *kinds: str) -> Any:
    """The model of a folder; StackedError unless it is of one of the kinds, where some are named."""
    from stacked.checkpoint import load  # noqa: PLC0415 - slow to import
    from stacked.model_files import kind_of_model  # noqa: PLC0415
    from stacked.paths import named_path  # noqa: PLC0415

    kind = kind_of_model(named_path(name, "MODEL"))
    if kinds and kind not in kinds:
        remedy = "name the folder of such a model"
        raise mismatch(name, expected=f"a {' or a '.join(kinds)}", received=f"a {kind}", remedy=remedy)
    return load(name, device=device)
