"""Labelled cases: an article, a topic, and whether the one states the other."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from worker.model import Article, Topic
from worker.training.claims import LABELS, Group

#: The date of articles that have none of their own.
TODAY = datetime(2026, 6, 1, tzinfo=UTC)
#: Passages of an article composed of strangers.
_AROUND = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One topic and one article."""

    topic: Topic
    article: Article
    wanted: bool
    kind: str


def article(text: str, title: str = "") -> Article:
    """Return an article of a day in 2026."""
    return Article(id="a", url="", title=title, text=text, outlet="", published_at=TODAY, language="en")


def topic_of(group: Group) -> Topic:
    """Return the topic that a user would write for the claim of ``group``."""
    return Topic(id=group.name, topic=group.phrase, meaning=group.wordings, unlike=group.unlike)


def phrase_alone(topic: Topic) -> Topic:
    """Return ``topic`` with nothing but its phrase."""
    return Topic(id=topic.id, topic=topic.topic)


def development(groups: Sequence[Group], strangers: Sequence[Group], rng: random.Random) -> Iterator[Case]:
    """Yield each passage of ``groups`` alone, and one of each label inside a longer article.

    The rest of a longer article comes from ``strangers``, which say nothing of the topic.
    """
    for group in groups:
        topic = topic_of(group)
        for label in LABELS:
            for text in group.passages[label]:
                yield Case(topic=topic, article=article(text), wanted=label == "states", kind=label)
            for text in rng.sample(group.passages[label], min(2, len(group.passages[label]))):
                yield Case(
                    topic=topic,
                    article=_around(text, strangers, rng),
                    wanted=label == "states",
                    kind=f"{label}, buried",
                )


def ordinary(strangers: Sequence[Group], count: int, rng: random.Random) -> list[Article]:
    """Return ``count`` articles composed of passages of different groups: ordinary news for any other topic."""
    return [_around(None, strangers, rng) for _ in range(count)]


def _around(text: str | None, strangers: Sequence[Group], rng: random.Random) -> Article:
    chosen = rng.sample(list(strangers), _AROUND)
    pieces = [rng.choice(group.passages[rng.choice(LABELS)]) for group in chosen]
    if text is not None:
        pieces.insert(rng.randrange(1, len(pieces)), text)
    return article("\n".join(pieces[1:]), title=pieces[0])


def labelled(folder: Path) -> dict[str, list[Case]]:
    """Return the labelled sets in ``folder``, by the names of their JSONL files.

    A line has ``topic``, ``label``, ``kind``, ``title`` and ``text``; what the topic asks for stands in
    ``topics.yaml``, or in the line itself.
    """
    path = folder / "topics.yaml"
    listed = YAML(typ="safe").load(path.read_text(encoding="utf-8"))["topics"] if path.exists() else []
    topics = {str(item["id"]): _topic(item["id"], item["topic"], item) for item in listed}
    found = {file.stem: list(_cases(file, topics)) for file in sorted(folder.glob("*.jsonl"))}
    return {name: cases for name, cases in found.items() if cases}


def _cases(path: Path, topics: Mapping[str, Topic]) -> Iterator[Case]:
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if "label" in row:
            topic = topics.get(row["topic"]) or _topic(row["topic"], row["phrase"], row)
            made = article(str(row["text"]), title=str(row["title"] or ""))
            yield Case(topic=topic, article=made, wanted=row["label"] == 1, kind=str(row["kind"]))


def _topic(name: str, phrase: str, fields: Mapping[str, Any]) -> Topic:
    return Topic(
        id=name, topic=phrase, meaning=tuple(fields.get("meaning", ())), unlike=tuple(fields.get("unlike", ()))
    )
