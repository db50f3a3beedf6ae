"""``topics.yaml``, or the file of ``--topics``: what is watched for."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import fields
from typing import Annotated, TypeVar

from pydantic import Field

from worker.errors import Problem
from worker.model import Near, Topic
from worker.settings.document import Document, Keys
from worker.settings.fields import (
    Flag,
    Groups,
    Id,
    Languages,
    Names,
    Number,
    Shape,
    Texts,
    Whole,
    choice,
    one_mapping_or_many,
    within,
)
from worker.settings.part import Part, Placed
from worker.settings.shape import Checked, check_shape, label, repeated
from worker.settings.words import did_you_mean, kind
from worker.topics import RuleError, check_topic

T = TypeVar("T")

_NOT_A_WORD = re.compile(r"[^\w]+")
_LONGEST_ID = 60
#: What can be found by itself; ``anchors`` and ``none`` only restrict.
_POSITIVE = ("topic", "any", "all", "near", "query", "meaning")


class _Near(Shape):
    groups: Groups
    within: Annotated[Whole, within(1)] = 12
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
    near: Annotated[list[_Near], one_mapping_or_many()] = Field(default_factory=list)
    query: str = ""
    meaning: Names = Field(default_factory=list)
    unlike: Names = Field(default_factory=list)
    require: Annotated[str, choice("either", "both")] = "either"
    threshold: Annotated[Number, within(0, 1)] = 0.5
    languages: Languages = Field(default_factory=list)
    outlets: Names = Field(default_factory=list)
    channels: Names = Field(default_factory=list)
    urgent: Flag = False
    examples: _Examples = Field(default_factory=_Examples)


class _File(Shape):
    topics: list[object] = Field(default_factory=list)


def read_topics(document: Document) -> Part[tuple[Placed[Topic], ...]]:
    """Return the topics of ``document``: a mapping with ``topics``, or a list of topics.

    A topic without ``id`` is known by its phrase, in lower case and with hyphens for spaces.
    """
    base: Keys = () if isinstance(document.data, list) else ("topics",)
    problems = [*document.problems, *(_top_problems(document) if base else ())]
    topics: list[Placed[Topic]] = []
    ids: list[tuple[str, Keys]] = []
    warnings: list[Problem] = []
    items = document.at(base)
    for index in range(len(items) if isinstance(items, list) else 0):
        keys: Keys = (*base, index)
        checked = check_shape(_Topic, document, keys)
        placed = Placed(value=_topic(checked.value or _Topic()), keys=keys)
        problems += checked.problems
        if checked.value is None:
            continue
        problems += _rule_problems(document, placed, checked)
        if placed.value.id and "id" not in checked.dropped:
            ids.append((placed.value.id, (*keys, "id")))
        if placed.value.id:
            topics.append(placed)
            warnings += _meaning_warnings(document, placed)
    problems += repeated(document, ids, "topic")
    return Part(document=document, value=tuple(topics), problems=tuple(problems), warnings=tuple(warnings))
