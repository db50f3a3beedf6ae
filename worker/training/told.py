"""Labelled events as a stream of articles, and how well stories, roles and origins were told: B-cubed and counts."""

from __future__ import annotations

import json
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from worker.model import Article, Story
from worker.stories import joining
from worker.stories.features import Features
from worker.stories.model import Model
from worker.text import sentences

EVENTS, GROUPS = Path(__file__).parent / "events", Path(__file__).parent / "groups"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """An article, and what those who wrote it say of it."""

    article: Article
    event: str
    role: str
    origin: str


class Score(NamedTuple):
    """B-cubed precision, recall and their harmonic mean (Bagga and Baldwin 1998)."""

    precision: float
    recall: float
    f1: float


def read(paths: Iterable[Path]) -> list[Told]:
    """Return the labelled articles of some files."""
    rows = (json.loads(line) for path in paths for line in path.read_text("utf-8").splitlines())
    return [_told(row) for row in rows]


def _told(row: Mapping[str, str]) -> Told:
    article = Article(
        id=row["id"],
        url=row["url"],
        title=row["title"],
        text=row["text"],
        outlet=row["outlet"],
        published_at=datetime.fromisoformat(row["published_at"]),
        language=row["language"],
    )
    return Told(article=article, event=row["event"], role=row["role"], origin=row["origin"])


def training() -> list[Told]:
    """Return all training articles."""
    return read(sorted(EVENTS.glob("*.jsonl")))


def strangers(groups: int = 134, each: int = 3) -> list[Told]:
    """Return short articles that are each about something else: ``each`` passages of some of the claim groups.

    The passages of one group are about the same kind of thing, said of other people and places.
    """
    rows = [
        json.loads(line) for path in sorted(GROUPS.glob("*.jsonl")) for line in path.read_text("utf-8").splitlines()
    ]
    many = [row for row in rows if len(_passages(row)) >= each]
    chance = random.Random(0)  # noqa: S311 - a repeatable sample is wanted
    chosen = [(row["group"], chance.sample(_passages(row), each)) for row in chance.sample(many, groups)]
    return [_stranger(f"{group}-{nth}", passage) for group, found in chosen for nth, passage in enumerate(found)]


def _passages(row: Mapping[str, Any]) -> list[str]:
    return [passage for field in ("states", "opposes", "other") for passage in row.get(field, ())]


def _stranger(name: str, passage: str) -> Told:
    spans = sentences(passage)
    title = passage[slice(*spans[0])]
    article = Article(
        id=name,
        url="",
        title=title,
        text=passage[spans[0][1] :].strip(),
        outlet=name,
        published_at=datetime(2026, 1, 1, tzinfo=UTC),
        language="en",
    )
    return Told(article=article, event=name, role="first", origin=name)


def cut(told: Told, words: int = 30) -> Told:
    """Return the article with only the first words of its text, as short feeds give it."""
    return replace(told, article=replace(told.article, text=" ".join(told.article.text.split()[:words])))


def untitled(told: Told) -> Told:
    """Return the article without its title."""
    return replace(told, article=replace(told.article, title=""))


def shuffled(found: Sequence[Told], seed: int, *, dates: bool = False) -> list[Told]:
    """Return the articles in a random order of arrival, all with the date of the first unless ``dates`` are to help."""
    order = list(found)
    random.Random(seed).shuffle(order)  # noqa: S311 - a repeatable order is wanted
    at = min(told.article.published_at for told in found)
    return order if dates else [replace(told, article=replace(told.article, published_at=at)) for told in order]


class Stream:
    """Joins articles in the order in which they come, as the stages do, and remembers their features."""

    def __init__(self, model: Model, features: Callable[[Article], Features]) -> None:
        self._model, self._features = model, features
        self._known: dict[str, Features] = {}
        self.stories: dict[str, Story] = {}
        self.joined: list[joining.Joined] = []

    def add(self, article: Article) -> joining.Joined:
        """Join one article."""
        mine = self._known[article.id] = self._features(article)
        candidates = [s for s in self.stories.values() if joining.distance(article, s) <= joining.HORIZON]
        joined = joining.join(
            article, mine, candidates, model=self._model, decoded=lambda member: self._known[member.article_id]
        )
        for gone in joined.merges:
            del self.stories[gone]
        for story in (joined.story, *joined.changed):
            self.stories[story.id] = story
        self.joined.append(joined)
        return joined

    def where(self) -> dict[str, str]:
        """Return the story of each article as things stand."""
        return {member.article_id: story.id for story in self.stories.values() for member in story.members}


def bcubed(found: Mapping[str, str], truth: Mapping[str, str]) -> Score:
    """Return how well the groups of ``found`` are those of ``truth``; both say the group of each article."""
    ours, theirs = _members(found), _members(truth)
    both = {one: len(ours[found[one]] & theirs[truth[one]]) for one in found}
    precision = sum(both[one] / len(ours[found[one]]) for one in found) / len(found)
    recall = sum(both[one] / len(theirs[truth[one]]) for one in found) / len(found)
    return Score(precision, recall, 2 * precision * recall / (precision + recall))


def _members(groups: Mapping[str, str]) -> Mapping[str, set[str]]:
    members: defaultdict[str, set[str]] = defaultdict(set)
    for one, group in groups.items():
        members[group].add(one)
    return members


def confusion(pairs: Iterable[tuple[str, str]]) -> Counter[tuple[str, str]]:
    """Return how often each pair of (labelled, found) occurs."""
    return Counter(pairs)
