"""Labelled cases to calibrate and to measure with: topic, article, whether it should match, and of what kind it is."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from worker.training.claims import LABELS, Group
from worker.training.features import Question


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One topic and one article."""

    question: Question
    title: str
    text: str
    wanted: bool
    kind: str


def read_articles(folder: Path) -> list[Case]:
    """Return the cases of ``topics.yaml`` and ``articles.jsonl`` in ``folder``."""
    topics = YAML(typ="safe").load((folder / "topics.yaml").read_text(encoding="utf-8"))["topics"]
    known = {topic["id"]: _question(topic["id"], topic["topic"], topic) for topic in topics}
    return [_case(known[row["topic"]], row) for row in _rows(folder / "articles.jsonl")]


def read_long(path: Path) -> list[Case]:
    """Return the cases of a JSONL file whose lines carry their topic."""
    return [_case(_question(row["topic"], row["phrase"], row), row) for row in _rows(path)]


def _question(name: str, phrase: str, fields: Mapping[str, Sequence[str]]) -> Question:
    return Question(
        name=name, phrase=phrase, meaning=tuple(fields.get("meaning", ())), unlike=tuple(fields.get("unlike", ()))
    )


def _case(question: Question, row: Mapping[str, Any]) -> Case:
    return Case(
        question=question,
        title=str(row["title"] or ""),
        text=str(row["text"]),
        wanted=row["label"] == 1,
        kind=str(row["kind"]),
    )


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    for line in path.read_text(encoding="utf-8").splitlines():
        yield json.loads(line)


def background(path: Path, topics: Sequence[Question]) -> list[Case]:
    """Return every article of a JSON file (a list of title and text) with every topic, none wanted."""
    articles = json.loads(path.read_text(encoding="utf-8"))
    return [
        Case(question=topic, title=article["title"], text=article["text"], wanted=False, kind="background")
        for article in articles
        for topic in topics
    ]


def development(groups: Sequence[Group], unlike: Mapping[str, tuple[str, ...]], rng: random.Random) -> list[Case]:
    """Return each group with its passages, each passage alone and one of each label inside a longer article.

    The rest of a longer article comes from other groups, so that it says nothing of the topic.
    """
    cases = []
    for group in groups:
        question = Question(
            name=group.name, phrase=group.phrase, meaning=group.wordings, unlike=unlike.get(group.name, ())
        )
        for label in LABELS:
            short = [
                Case(question=question, title="", text=text, wanted=label == "states", kind=label)
                for text in group.passages[label]
            ]
            cases += short
            cases += [_buried(case, groups, rng) for case in rng.sample(short, 1)]
    return cases


def _buried(case: Case, groups: Sequence[Group], rng: random.Random) -> Case:
    others = [group for group in groups if group.name != case.question.name]
    around = [rng.choice(rng.choice(others).passages["states"]) for _ in range(6)]
    place = rng.randrange(1, len(around))
    text = "\n".join((*around[1:place], case.text, *around[place:]))
    return replace(case, title=around[0], text=text, kind=f"{case.kind} in a long article")


def phrase_only(cases: Sequence[Case]) -> list[Case]:
    """Return ``cases`` with topics that have nothing but their phrase."""
    return [replace(case, question=replace(case.question, meaning=(), unlike=())) for case in cases]


def read_unlike(path: Path) -> dict[str, tuple[str, ...]]:
    """Return the counter-sentences written for groups, by group."""
    return {str(row["group"]): tuple(row["unlike"]) for row in _rows(path)}
