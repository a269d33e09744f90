"""Layers as text: "denoising:500:mask=0.3, sparse:200:target=0.05" for a stack of two.

A layer is its kind, its units, and any fields of its settings as name=value. A field that holds settings of its own,
the corruption or the penalty, is written as the fields of these; of each class that it may hold, the first field has
a name that tells the class.
"""

import dataclasses
import difflib
import typing
from collections.abc import Collection, Iterable
from typing import Any, NamedTuple

from stacked.autoencoders import KINDS, KLSparsity, L1Sparsity, LayerSettings, TopK
from stacked.corruption import Gaussian, Masking, SaltAndPepper
from stacked.errors import StackedError, mismatch

_KINDS = {kind.__name__.lower(): kind for kind in KINDS}
_PARTS: dict[str, dict[str, type]] = {
    "corruption": {"mask": Masking, "gaussian": Gaussian, "salt_and_pepper": SaltAndPepper},
    "penalty": {"weight": KLSparsity, "l1": L1Sparsity, "top_k": TopK},
}
"""For each field that holds settings, the classes of these, by the name that their first field has in the text."""

_TYPES = {int: "a whole number", float: "a number", bool: "true or false", str: "a word"}


class _Place(NamedTuple):
    """Where a value goes: a class of settings, and a field of it."""

    owner: type
    field: str


def layers_from(text: str) -> tuple[LayerSettings, ...]:
    """The settings of the layers that a text describes, bottom first.

    Parameters
    ----------
    text : str
        Layers with commas between them, each kind:units[:name=value...]. Kinds are plain, denoising, sparse,
        contractive and variational. Names are the fields of their settings; of a corruption mask=, gaussian= or
        salt_and_pepper= (with low=, high=); of a penalty weight=, target=, memory=, initial_mean= (`KLSparsity`), l1=
        (`L1Sparsity`), or top_k= (with initial_k=, annealing=).

    Raises
    ------
    StackedError
        For what is no such text; it names the layer, what is wrong with it, and what is known.
    """
    return tuple(_layer(number, part.strip()) for number, part in enumerate(text.split(","), start=1))


def _layer(number: int, text: str) -> LayerSettings:
    try:
        name, *more = (part.strip() for part in text.split(":"))
        _check_known("kind", name, _KINDS)
        kind = _KINDS[name]
        return _settings(kind, _units(more[0] if more else ""), more[1:])
    except StackedError as error:
        shown = text if len(text) <= 80 else f"{text[:80]}..."
        raise StackedError(f"layer {number}, {shown!r}: {error}") from error


def _units(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        remedy = "write it after the kind, such as denoising:500"
        raise mismatch("units", expected="a whole number", received=repr(text), remedy=remedy) from error


def _settings(kind: type[LayerSettings], n_units: int, pairs: Iterable[str]) -> LayerSettings:
    places = _places(kind)
    values: dict[type, dict[str, Any]] = {}
    for pair in pairs:
        name, equals, text = (part.strip() for part in pair.partition("="))
        if not equals:
            remedy = f"known names are {', '.join(places)}"
            raise mismatch("settings", expected="name=value", received=repr(pair), remedy=remedy)
        _check_known("name", name, places)
        owner, field = places[name]
        if field in values.setdefault(owner, {}):
            raise mismatch(name, expected="one value", received="several", remedy="leave one out")
        values[owner][field] = _value(name, text, typing.get_type_hints(owner)[field])
    own = values.pop(kind, {})
    return kind(n_units=n_units, **own, **_parts(kind, values))


def _places(kind: type) -> dict[str, _Place]:
    """Where the value of each name goes that a layer of this kind knows."""
    places: dict[str, _Place] = {}
    for field in dataclasses.fields(kind):
        for name, part in _PARTS.get(field.name, {}).items():
            first, *others = (inner.name for inner in dataclasses.fields(part))
            places |= {name: _Place(part, first)} | {other: _Place(part, other) for other in others}
        if field.name not in (*_PARTS, "n_units"):
            places[field.name] = _Place(kind, field.name)
    return places


def _parts(kind: type, values: dict[type, dict[str, Any]]) -> dict[str, Any]:
    """The fields of a kind that hold settings, as far as values are given for them."""
    made = {}
    for field in dataclasses.fields(kind):
        classes = _PARTS.get(field.name, {})
        given = {name: values[part] for name, part in classes.items() if part in values}
        if len(given) > 1:
            received = f"values of {' and '.join(classes[name].__name__ for name in given)}"
            remedy = "leave those of the others out"
            raise mismatch(field.name, expected="values of one class", received=received, remedy=remedy)
        for name, fields in given.items():
            made[field.name] = _part(name, classes[name], field.default, fields)
    return made


def _part(name: str, part: type, default: Any, values: dict[str, Any]) -> Any:
    """Settings inside those of a layer; what is not given is as in the layer's default, if that is of the class."""
    first = dataclasses.fields(part)[0].name
    if isinstance(default, part):
        values = {**vars(default), **values}
    if first not in values:
        expected, remedy = f"a value, which {', '.join(values)} goes with", f"write {name}= too"
        raise mismatch(name, expected=expected, received="none", remedy=remedy)
    try:
        return part(**values)
    except StackedError as error:
        if name == first:
            raise
        raise StackedError(f"{name}: {error}") from error  # which calls the field otherwise


def _value(name: str, text: str, kind: Any) -> Any:
    """The value of a field; `kind` is its type, or that or None."""
    (wanted,) = (one for one in _TYPES if one in (kind, *typing.get_args(kind)))
    try:
        return {"true": True, "false": False}[text.lower()] if wanted is bool else wanted(text)
    except (ValueError, KeyError) as error:
        remedy = f"write {name}= and such a value"
        raise mismatch(name, expected=_TYPES[wanted], received=repr(text), remedy=remedy) from error


def _check_known(what: str, name: str, known: Collection[str]) -> None:
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        remedy = f"perhaps you mean {near[0]!r}" if near else "choose one of these"
        raise mismatch(what, expected=f"one of {', '.join(known)}", received=repr(name), remedy=remedy)
