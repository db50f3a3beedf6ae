"""Checking: the plain values of a document against a shape, and every mistake in plain words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from worker.errors import Problem
from worker.settings.document import Document, Keys
from worker.settings.fields import SAID, Shape
from worker.settings.words import did_you_mean, kind, shown

M = TypeVar("M", bound=Shape)

_EXPECTED = {
    "string_type": "text",
    "list_type": "a list",
    "dict_type": "a mapping (key: value)",
    "model_type": "a mapping (key: value)",
    "int_type": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
}
_BOUNDS = {
    "greater_than_equal": ("at least", "ge"),
    "less_than_equal": ("at most", "le"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked(Generic[M]):
    """What a mapping says as far as it is right, and what is wrong with it."""

    #: Built without the keys that are wrong; ``None`` when nothing can be built.
    value: M | None
    #: The keys of the mapping that were left out.
    dropped: frozenset[str] = frozenset()
    problems: tuple[Problem, ...] = ()


def check_shape(model: type[M], document: Document, keys: Keys) -> Checked[M]:
    """Return the mapping at ``keys`` of ``document`` as ``model``; a missing one is an empty one."""
    raw = document.at(keys)
    raw = {} if raw is None and not isinstance(keys[-1:][0] if keys else None, int) else raw
    try:
        return Checked(value=model.model_validate(raw))
    except ValidationError as error:
        # The input stays out: it may be a secret, and the place is enough to find it.
        errors = error.errors(include_input=False, include_url=False)
    wrong = [(tuple(e["loc"]), e["type"], e.get("ctx", {}), e["msg"]) for e in errors]
    problems = tuple(
        document.problem((*keys, *at), _message(model, document, keys, at, name, about, text), on_key=_on_key(name, at))
        for at, name, about, text in wrong
        if not document.broken((*keys, *at))
    )
    dropped = frozenset(str(at[0]) for at, *_ in wrong if at)
    return Checked(value=_salvage(model, raw, dropped), dropped=dropped, problems=problems)


def _salvage(model: type[M], raw: object, dropped: frozenset[str]) -> M | None:
    if not isinstance(raw, dict):
        return None
    try:
        return model.model_validate({key: value for key, value in raw.items() if key not in dropped})
    except ValidationError:
        return None


def _on_key(name: str, at: Keys) -> bool:
    return name == "extra_forbidden" or at[-1:] == ("[key]",)


def _message(
    model: type[Shape],
    document: Document,
    keys: Keys,
    at: Keys,
    name: str,
    about: Mapping[str, Any],
    text: str,
) -> str:
    at = tuple(key for key in at if key != "[key]")
    where = label((*keys, *at))
    value = document.at(document.nearest((*keys, *at)))
    if name == SAID:
        said = str(about["message"])
    elif name == "missing":
        said = "missing; every item needs one"
    elif name == "extra_forbidden":
        said = f"unknown key{did_you_mean(str(at[-1]), _names(model, at[:-1])) or _known(model, at[:-1])}"
    elif name in _BOUNDS:
        words, bound = _BOUNDS[name]
        said = f"must be {words} {about[bound]:g}"
    elif name in _EXPECTED:
        said = f"expected {_EXPECTED[name]}, found {kind(value)}{_quotes(name, value)}"
    else:
        said = text
    return f"{where}: {said}" if where else said


def _quotes(name: str, value: object) -> str:
    return "; put it in quotes" if name == "string_type" and isinstance(value, bool | int | float) else ""


def label(keys: Keys) -> str:
    """Return the last key of ``keys`` with the indices behind it, as in ``groups[1]``."""
    text = ""
    for key in reversed(keys):
        if isinstance(key, str):
            return key + text
        text = f"[{key}]{text}"
    return text


def _known(model: type[Shape], at: Keys) -> str:
    names = _names(model, at)
    return f"; known here: {', '.join(names)}" if names else ""


def _names(model: type[Shape], at: Keys) -> list[str]:
    """Return the keys that the mapping at ``at`` inside ``model`` may have."""
    found: type[BaseModel] | None = model
    for key in at:
        if isinstance(key, str) and found and key in found.model_fields:
            found = _model_in(found.model_fields[key].annotation)
    return list(found.model_fields) if found else []


def _model_in(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_model_in, get_args(annotation))), None)


def repeated(document: Document, ids: Iterable[tuple[str, Keys]], what: str) -> tuple[Problem, ...]:
    """Return a problem for every id that stands in ``ids`` before; ``what`` names the things they are ids of."""
    first: dict[str, Keys] = {}
    problems: list[Problem] = []
    for name, keys in ids:
        if name in first:
            place = document.places[document.nearest(first[name])]
            message = f"id: another {what} has the id {shown(name)}, on line {place.line}; ids must differ"
            problems.append(document.problem(keys, message))
        else:
            first[name] = keys
    return tuple(problems)
