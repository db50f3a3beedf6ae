"""``topics.yaml``, or the file of ``--topics``: what is watched for."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, TypeVar

from pydantic import Field

from worker.errors import Problem
from worker.model import Near, Topic
from worker.settings.document import Document, Keys
from worker.settings.fields import (
    AtLeastOne,
    Flag,
    Fraction,
    Groups,
    Id,
    Languages,
    Names,
    OneOrMany,
    Shape,
    Texts,
    choice,
)
from worker.settings.part import Part, Placed
from worker.settings.refining import refining_problems
from worker.settings.rules import rule_problems
from worker.settings.shape import Checked, check_shape, repeated
from worker.settings.words import listed

T = TypeVar("T")

_NOT_A_WORD = re.compile(r"[^\w]+")
_LONGEST_ID = 60
#: What can be found by itself; ``anchors`` and ``none`` only restrict.
_POSITIVE = ("topic", "any", "all", "near", "query", "meaning")


class _Near(Shape):
    groups: Groups
    within: AtLeastOne = 12
    negated: Flag = False


class _Examples(Shape):
    match: Texts = Field(default_factory=list)
    ignore: Texts = Field(default_factory=list)


class _Topic(Shape):
    id: Id | None = None
    topic: str = ""
    anchors: Groups = Field(default_factory=list)
    any: Texts = Field(default_factory=list)
    all: Texts = Field(default_factory=list)
    none: Texts = Field(default_factory=list)
    near: Annotated[list[_Near], OneOrMany] = Field(default_factory=list)
    query: str = ""
    meaning: Names = Field(default_factory=list)
    unlike: Names = Field(default_factory=list)
    require: Annotated[str, choice("either", "both")] = "either"
    on_opposite: Annotated[str, choice("ignore", "alert")] = "ignore"
    threshold: Fraction = 0.5
    languages: Languages = Field(default_factory=list)
    outlets: Names = Field(default_factory=list)
    channels: Names = Field(default_factory=list)
    urgent: Flag = False
    refines: Names = Field(default_factory=list)
    examples: _Examples = Field(default_factory=_Examples)


class _File(Shape):
    topics: list[object] = Field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Topics:
    """The topics of a file as far as they are right."""

    topics: tuple[Placed[Topic], ...]
    #: Those of them from which nothing was left out.
    whole: tuple[Placed[Topic], ...]
    #: The ids of all topics, the wrong ones too, so that what refers to them is not called wrong as well.
    names: frozenset[str]


def read_topics(document: Document) -> Part[Topics]:
    """Return the topics of ``document``: a mapping with ``topics``, or a list of topics.

    A topic without ``id`` is known by its phrase, in lower case and with hyphens for spaces.
    """
    base: Keys = () if isinstance(document.data, list) else ("topics",)
    items = document.at(base)
    places: list[Keys] = [(*base, index) for index in range(len(items) if isinstance(items, list) else 0)]
    found = [(keys, check_shape(_Topic, document, keys)) for keys in places]
    topics = [(Placed(value=_topic(shape.value), keys=keys), shape) for keys, shape in found if shape.value]
    named = [(topic, shape) for topic, shape in topics if topic.value.id]
    ids = [(topic.value.id, (*topic.keys, "id")) for topic, shape in named if "id" not in shape.dropped]
    whole = tuple(topic for topic, shape in named if not shape.dropped)
    names = _names(document, places, ids)
    return Part(
        document=document,
        value=Topics(topics=tuple(topic for topic, _ in named), whole=whole, names=names),
        problems=(
            *document.problems,
            *(_top_problems(document) if base else ()),
            *(problem for _, shape in found for problem in shape.problems),
            *(problem for topic, shape in topics for problem in _rule_problems(document, topic, shape)),
            *repeated(document, ids, "topic"),
            *refining_problems(document, [topic for topic, _ in named], names),
        ),
        warnings=(),
    )


def _names(document: Document, places: Iterable[Keys], ids: Iterable[tuple[str, Keys]]) -> frozenset[str]:
    written = (document.at((*keys, "id")) for keys in places)
    return frozenset(name for name, _ in ids) | frozenset(str(name) for name in written if name is not None)


def _top_problems(document: Document) -> tuple[Problem, ...]:
    data = document.data
    if isinstance(data, dict) and "topics" not in data and set(data) & set(_Topic.model_fields):
        message = 'this is a single topic; put it under "topics:" and begin it with "- "'
        return (document.problem((), message),)
    return check_shape(_File, document, ()).problems


def _topic(shape: _Topic) -> Topic:
    return Topic(
        id=shape.id or _slug(shape.topic),
        topic=shape.topic,
        anchors=_frozen(shape.anchors),
        any=tuple(shape.any),
        all=tuple(shape.all),
        none=tuple(shape.none),
        near=tuple(Near(groups=_frozen(near.groups), within=near.within, negated=near.negated) for near in shape.near),
        query=shape.query,
        meaning=tuple(shape.meaning),
        unlike=tuple(shape.unlike),
        require=shape.require,
        on_opposite=shape.on_opposite,
        threshold=shape.threshold,
        languages=tuple(shape.languages),
        outlets=tuple(shape.outlets),
        channels=tuple(shape.channels),
        urgent=shape.urgent,
        refines=tuple(shape.refines),
        examples_match=tuple(shape.examples.match),
        examples_ignore=tuple(shape.examples.ignore),
    )


def _slug(phrase: str) -> str:
    return _NOT_A_WORD.sub("-", phrase.lower())[:_LONGEST_ID].strip("-")


def _frozen(groups: Iterable[Iterable[T]]) -> tuple[tuple[T, ...], ...]:
    return tuple(tuple(group) for group in groups)


def _rule_problems(document: Document, topic: Placed[Topic], checked: Checked[_Topic]) -> Iterable[Problem]:
    """Yield what is wrong with the topic as a whole; what hangs on a key that is wrong already is not said twice."""
    value, dropped = topic.value, checked.dropped
    if not value.id and not dropped & {"id", "topic"}:
        yield document.problem(topic.keys, "id: missing; a topic needs an id, or a phrase in topic")
    if not any(getattr(value, name) for name in _POSITIVE) and not dropped & set(_POSITIVE):
        name = f"topic {value.id}" if value.id else "this topic"
        yield document.problem(topic.keys, f"{name}: nothing to find; give it {listed(_POSITIVE)}")
    yield from rule_problems(document, topic, dropped)
