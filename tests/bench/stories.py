"""Joining an article to its story, with all that follows in the ledger, among many active stories.

The background of stories is made of the labelled events that training uses, with other names in each copy; a story
of it has one or two members. Measured are the articles of the labelled events that are kept for evaluation, three to
five of an event, as they join each other among all those. It is what the read stage does from a match to its commit:
features, candidates, scores, and the transaction that writes the article, its story and an alert.
"""

from __future__ import annotations

import json
import re
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

from tests.builders import NOON, match, topic
from worker.alerts.policy import Policy, Route
from worker.feeds.polling import Polling
from worker.ledger import entries, postings, stories
from worker.ledger.engine import Ledger, Transaction, open_file
from worker.model import Article, Member, Role, Story
from worker.stages.pipeline import Pipeline
from worker.stages.placing import prepare
from worker.stages.telling import tell
from worker.stories import rarity
from worker.stories.features import Features, features
from worker.topics import compile_topics

_ROOT = Path(__file__).parents[2]
_BACKGROUND, _MEASURED = _ROOT / "worker" / "training" / "events", _ROOT / "tests" / "quality" / "stories"
_SIZES = (1000, 10_000)
#: Copies of the events of which the features are worked out; of further ones only the terms differ.
_COPIES = 8
_NAME = re.compile(r"\b[A-Z][a-z]{4,}")
_SYLLABLES = tuple(consonant + vowel for consonant in "bdfgklmnprstvz" for vowel in "aeiou")
_RARE = rarity.load()
_UNKNOWN = _RARE("")


def rows(rounds: int, *, sizes: Sequence[int] = _SIZES) -> list[dict[str, Any]]:
    """Return a row for each number of active stories."""
    found: list[dict[str, Any]] = []
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            full = Path(folder) / "full.sqlite"
            _fill(full, size)
            _measure(full)  # to warm up
            took = [_measure(full) for _ in range(rounds)]
        found.append(_row(size, took, found))
    return found


def _row(size: int, took: Sequence[Sequence[float]], before: Sequence[dict[str, Any]]) -> dict[str, Any]:
    mean = statistics.median(statistics.fmean(each) for each in took)
    ours = mean * 1000
    return {
        "what": f"join an article among {size} active stories, with its alert, on SQLite",
        "ours_ms": round(ours, 2),
        "per_s": round(1 / mean),
        "p99_ms": round(statistics.quantiles((one for each in took for one in each), n=100)[98] * 1000, 2),
        "ratio": round(ours / before[0]["ours_ms"], 2) if before else 1.0,
        "goal": ">= 200 a second" if not before else f"<= 3 times the cost among {_SIZES[0]}",
    }


def _measure(full: Path) -> list[float]:
    """Return the CPU seconds that each article takes, in the order of publication, beside what ``full`` holds."""
    ledger = open_file(Path(shutil.copy(full, full.with_name("beside.sqlite"))), durable=False)
    p, took = _pipeline(ledger), []
    for article in sorted((_article(line) for line in _lines(_MEASURED)), key=lambda one: one.published_at):
        began = time.process_time()
        ready = prepare(p, article)
        with ledger.write() as t:
            entries.add_article(t, article, now=NOON)
            tell(t, p, article, [match(article_id=article.id)], now=NOON, prepared=ready)
        took.append(time.process_time() - began)
    ledger.close()
    return took


def _pipeline(ledger: Ledger) -> Pipeline:
    watched = topic()
    return Pipeline(
        feeds={},
        topics={watched.id: watched},
        matcher=compile_topics([watched]),
        rarity=_RARE,
        routes=(Route(channels=("screen",)),),
        policy=Policy(),
        polling=Polling(),
        ledger=ledger,
        web=_Nowhere(),
        channels={},
        jitter=lambda: 0.0,
    )


class _Nowhere:
    """A web that is not asked."""

    def get(self, url: str, **_: Any) -> Any:
        """Fail."""
        raise AssertionError(url)


def _fill(path: Path, size: int) -> None:
    """Write so many stories into a new ledger."""
    ledger, made = open_file(path, durable=False), _stories()
    for start in range(0, size, 1000):
        with ledger.write() as t:
            for _, (number, (articles, of)) in zip(range(start, min(start + 1000, size)), made, strict=False):
                _write(t, number, articles, of)
    ledger.close()


def _write(t: Transaction, number: int, articles: Sequence[Article], of: Sequence[Features]) -> None:
    first, newest = min(a.published_at for a in articles), max(a.published_at for a in articles)
    for at, (article, mine) in enumerate(zip(articles, of, strict=True)):
        one = Member(
            article_id=f"{article.id}-{number}",
            role=Role.REPORT if at else Role.FIRST,
            outlet=article.outlet,
            origin=article.outlet,
            published_at=article.published_at,
            features=mine.to_json(),
            shingles=mine.shingles,
        )
        story = Story(id=f"s-{number}", first_at=first, newest_at=newest, members=(one,))
        stories.save(t, story, new=one, now=NOON)
        terms = [term if number < _UNIQUE or _RARE(term) < _UNKNOWN else f"{term}{number}" for term in mine.key_terms]
        postings.add(t, one.article_id, terms, story_id=story.id, at=one.published_at)


def _stories() -> Iterator[tuple[int, tuple[list[Article], list[Features]]]]:
    """Yield stories without end, by number."""
    made = [
        (articles, [features(article, rarity=_RARE) for article in articles])
        for copy in range(_COPIES)
        for articles in _events(copy)
    ]
    number = 0
    while True:
        for story in made:
            yield number, story
            number += 1


def _events(copy: int) -> Iterator[list[Article]]:
    """Yield the first articles of each event of a copy, one of one event and two of the next."""
    for number, (_, lines) in enumerate(groupby(_lines(_BACKGROUND), key=lambda line: line["event"])):
        articles = [_article(line) for line in list(lines)[: 1 + number % 2]]
        yield [replace(a, title=_renamed(a.title, copy), text=_renamed(a.text, copy)) for a in articles]


@cache
def _lines(folder: Path) -> list[dict[str, Any]]:
    files = sorted(folder.glob("*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text("utf-8").splitlines()]


def _article(line: dict[str, Any]) -> Article:
    """Return an article. All are published within three days, those of one event in the order that they had."""
    published = datetime.fromisoformat(line["published_at"])
    return Article(
        id=line["id"],
        url=line["url"],
        title=line["title"],
        text=line["text"],
        outlet=line["outlet"],
        published_at=NOON + (published - datetime(2026, 1, 1, tzinfo=UTC)) % timedelta(days=3),
        language=line["language"],
    )


def _renamed(text: str, copy: int) -> str:
    """Return ``text`` with a syllable or two more at the end of each rare word that has a capital."""
    end = _SYLLABLES[copy // len(_SYLLABLES) % len(_SYLLABLES)] + _SYLLABLES[copy % len(_SYLLABLES)]
    return _NAME.sub(lambda found: found[0] + end if _RARE(found[0].lower()) >= _UNKNOWN else found[0], text)


#: Stories of which the terms are their own; further ones have theirs numbered.
_UNIQUE = _COPIES * sum(1 for _ in groupby(_lines(_BACKGROUND), key=lambda line: line["event"]))
