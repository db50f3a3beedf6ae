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
    #: The keys of the mapping that were left out, those with unset variables too.
    dropped: frozenset[str] = frozenset()
    problems: tuple[Problem, ...] = ()


def check_shape(model: type[M], document: Document, keys: Keys) -> Checked[M]:
    """Return the mapping at ``keys`` of ``document`` as ``model``; a missing one is an empty one."""
    raw = document.at(keys)
    raw = {} if raw is None and not (keys and isinstance(keys[-1], int)) else raw
    unset = document.unset_below(keys)
    try:
        value = model.model_validate(raw)
    except ValidationError as error:
        # The input stays out: it may be a secret, and the place is enough to find it.
        errors = error.errors(include_input=False, include_url=False)
        slips = [_Slip(at=tuple(e["loc"]), type=e["type"], about=e.get("ctx", {}), text=e["msg"]) for e in errors]
    else:
        return Checked(value=_salvage(model, raw, unset) if unset else value, dropped=unset)
    problems = tuple(
        document.problem((*keys, *slip.at), _message(model, document, keys, slip), on_key=slip.on_key)
        for slip in slips
        if not document.broken((*keys, *slip.at))
    )
    dropped = unset | {str(slip.at[0]) for slip in slips if slip.at}
    return Checked(value=_salvage(model, raw, dropped), dropped=dropped, problems=problems)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Slip:
    """One error of pydantic."""

    at: Keys
    type: str
    about: Mapping[str, Any]
    text: str

    @property
    def on_key(self) -> bool:
        return self.type == "extra_forbidden" or self.at[-1:] == ("[key]",)


def _salvage(model: type[M], raw: object, dropped: frozenset[str]) -> M | None:
    if not isinstance(raw, dict):
        return None
    try:
        return model.model_validate({key: value for key, value in raw.items() if key not in dropped})
    except ValidationError:
        return None


def _message(model: type[Shape], document: Document, keys: Keys, slip: _Slip) -> str:
    at = tuple(key for key in slip.at if key != "[key]")
    value = document.at(document.nearest((*keys, *at)))
    if slip.type == SAID:
        said = str(slip.about["message"])
    elif slip.type == "missing":
        said = "missing"
    elif slip.type == "extra_forbidden":
        names = _names(model, at[:-1])
        said = f"unknown key{did_you_mean(str(at[-1]), names) or '; known here: ' + ', '.join(names)}"
    elif slip.type in _BOUNDS:
        words, bound = _BOUNDS[slip.type]
        said = f"must be {words} {slip.about[bound]:g}"
    elif slip.type in _EXPECTED:
        said = f"expected {_EXPECTED[slip.type]}, found {kind(value)}{_quotes(slip.type, value)}"
    else:
        said = slip.text
    where = label((*keys, *at))
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
            written = document.at(keys)  # which still knows whether it came from the environment
            same = shown(written if isinstance(written, str) else name)
            message = f"id: another {what} has the id {same}, on line {place.line}; ids must differ"
            problems.append(document.problem(keys, message))
        else:
            first[name] = keys
    return tuple(problems)
