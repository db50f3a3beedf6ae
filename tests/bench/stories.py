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
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import groupby, islice
from pathlib import Path
from typing import Any

from tests.bench.harness import Figure, Row, per_second, ratio, span
from tests.bench.past import without_indexes
from tests.builders import NOON, match, topic
from worker.alerts.policy import Policy, Route
from worker.feeds.polling import Polling
from worker.ledger import decided, entries, postings, stories
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
#: Active stories: next to none, as many as a small watch has, and as many as the world has.
_SIZES = (10, 1_000, 100_000)
#: Articles a second, and milliseconds of the dearest in a hundred, among the middle one of the sizes.
_GOAL, _GOAL_P99 = 200, 20
#: How many times that cost an article may cost among the most.
_GOAL_RATIO = 3
#: Copies of the events of which the features are worked out; of further ones only the terms differ.
_COPIES = 8
_NAME = re.compile(r"\b[A-Z][a-z]{4,}")
_SYLLABLES = tuple(consonant + vowel for consonant in "bdfgklmnprstvz" for vowel in "aeiou")
_RARE = rarity.load()
_UNKNOWN = _RARE("")


def rows(rounds: int, *, sizes: Sequence[int] = _SIZES) -> Iterable[Row]:
    """Yield how many articles a CPU second joins, how long the dearest take, and what many stories cost."""
    few, usual, many = sizes
    took = _measured(sizes, rounds)
    count = len(took[usual][0])
    figures = {size: Figure(name=str(size), rounds=tuple(map(sum, each))) for size, each in took.items()}
    doing = "join an article to its story, with its alert, on SQLite"
    yield Row(
        what=f"{doing}: among {usual:,} active stories",
        value=per_second(figures[usual], count),
        unit="a CPU second",
        goal=_GOAL,
        wanted="least",
    )
    yield Row(
        what=f"{doing}: the dearest in a hundred, among {usual:,} active stories",
        value=span(map(_p99, took[usual])),
        unit="ms",
        goal=_GOAL_P99,
    )
    yield Row(
        what=f"{doing}: among {many:,} active stories against {usual:,}",
        value=ratio(figures[many], figures[usual]),
        unit="x",
        goal=_GOAL_RATIO,
        beside={
            "a CPU second": per_second(figures[many], count).median,
            "p99 in ms": span(map(_p99, took[many])).median,
        },
    )
    yield Row(
        what=f"{doing}: among {usual:,} active stories against {few:,}",
        value=ratio(figures[usual], figures[few]),
        unit="x",
    )


def _p99(took: Sequence[float]) -> float:
    return statistics.quantiles(took, n=100)[98] * 1000


def _measured(sizes: Sequence[int], rounds: int) -> dict[int, list[list[float]]]:
    """Return for each size and round the CPU seconds of every article, each round in the other order than before."""
    took: dict[int, list[list[float]]] = {size: [] for size in sizes}
    with tempfile.TemporaryDirectory() as folder:
        full = {size: Path(folder) / f"full{size}.sqlite" for size in sizes}
        for size, path in full.items():
            _fill(path, size)
        _measure(full[sizes[0]])  # to warm up
        for number in range(rounds):
            for size in reversed(sizes) if number % 2 else sizes:
                took[size].append(_measure(full[size]))
    return took


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
    with ledger.read() as t:
        # A benchmark that did less than it says would be a lie.
        told = [line["id"] for line in _lines(_MEASURED) if decided.last_reasons(t, line["id"])]
        assert len(told) == len(took)
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
    ledger = open_file(path, durable=False)
    with ledger.write() as t:
        for number, (articles, of) in enumerate(islice(_stories(), size)):
            _write(t, number, articles, of)
    ledger.close()
    if size > _UNIQUE:
        _copy(path, size)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(DISTINCT story_id) FROM member").fetchone() == (size,)


def _copy(path: Path, size: int) -> None:
    """Copy the ``_UNIQUE`` stories of a ledger until there are ``size``, with terms of their own in each copy."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for pragma in ("journal_mode=OFF", "synchronous=OFF", "cache_size=-200000", "temp_store=MEMORY"):
            connection.execute(f"PRAGMA {pragma}")
        connection.create_function("is_rare", 1, lambda term: _RARE(term) >= _UNKNOWN, deterministic=True)
        connection.execute("BEGIN")
        connection.execute(
            "CREATE TEMP TABLE copy AS WITH RECURSIVE numbers(n) AS (SELECT ? UNION ALL SELECT n + 1 FROM numbers "
            "WHERE n + 1 < ?) SELECT n, 's-' || (n % ?) AS original FROM numbers",
            (_UNIQUE, size, _UNIQUE),
        )
        connection.execute("CREATE TEMP TABLE term AS SELECT DISTINCT term, is_rare(term) AS rare FROM posting")
        connection.execute("CREATE INDEX temp.ix_term ON term (term, rare)")
        for table, copying in _COPYING.items():
            columns = [name for _, name, *_ in connection.execute(f"PRAGMA table_info({table})")]
            values = ", ".join(copying.get(name, f"{table}.{name}") for name in columns)
            with without_indexes(connection, table):
                connection.execute(
                    f"INSERT INTO {table} ({', '.join(columns)}) SELECT {values} FROM copy "  # noqa: S608 - ours
                    f"JOIN {table} ON {table}.{'id' if table == 'story' else 'story_id'} = copy.original "
                    + ("JOIN term ON term.term = posting.term" if table == "posting" else "")
                )
        connection.execute("COMMIT")
        connection.execute("PRAGMA journal_mode=WAL")


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
        postings.add(t, one.article_id, mine.key_terms, story_id=story.id, at=one.published_at)


def _stories() -> Iterator[tuple[list[Article], list[Features]]]:
    """Yield ``_UNIQUE`` stories."""
    for copy in range(_COPIES):
        for articles in _events(copy):
            yield articles, [features(article, rarity=_RARE) for article in articles]


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


#: What of a row is another in a copy.
_COPYING = {
    "story": {"id": "'s-' || n"},
    "member": {"story_id": "'s-' || n", "article_id": "article_id || '-' || n"},
    "posting": {
        "story_id": "'s-' || n",
        "article_id": "article_id || '-' || n",
        "term": "CASE WHEN rare THEN posting.term || n ELSE posting.term END",
    },
}
#: Stories that are made of articles; further ones are copies.
_UNIQUE = _COPIES * sum(1 for _ in groupby(_lines(_BACKGROUND), key=lambda line: line["event"]))
