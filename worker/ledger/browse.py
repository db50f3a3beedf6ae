"""Stories as people read them: page by page, newest first, and one with all that happened to its articles."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import BigInteger, ColumnElement, Row, func, select, tuple_, type_coerce

from worker.ledger import stories
from worker.ledger.article_rows import article_from_row
from worker.ledger.engine import Transaction
from worker.ledger.entries import evidence_from_json, match_from_row
from worker.ledger.tables import (
    DEAD,
    DONE,
    GATHERED,
    OFF,
    OPEN,
    UNKNOWN,
    alert,
    article,
    decision,
    entry,
    match,
    member,
    story,
)
from worker.model import Article, Evidence, Match, Role

#: Stories on one page.
PAGE: Final = 30
#: What a list of stories can be narrowed to: by what became of their alerts.
STATES: Final[Mapping[str, tuple[str, ...]]] = {
    "told": (DONE,),
    "waiting": (OPEN, GATHERED),
    "trouble": (UNKNOWN, DEAD),
}
UNTOLD: Final = "untold"
#: What stands before what, where a story has alerts in several states.
_ORDER: Final = (OPEN, GATHERED, DONE, UNKNOWN, DEAD, OFF)
#: What is shown of an entry: all but its text.
_ENTRY: Final[tuple[Any, ...]] = tuple(
    entry.c[name]
    for name in (
        *("id", "url", "title", "first_seen_at", "published_at"),
        *("work", "reason", "detail", "last_error", "article_id"),
    )
)
_CURSOR: Final = re.compile(r"-?\d{1,18}~.{1,400}", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Headline:
    """A story as one line of a list."""

    id: str
    first_at: datetime
    newest_at: datetime
    articles: int
    outlets: int
    origins: int
    #: The article that was published first; ``None`` when it is no longer kept.
    article: Article | None
    #: Best evidence of the topics that it matched, by topic. Other topics of the story have none.
    topics: Mapping[str, tuple[Evidence, ...]]
    #: Numbers of alerts by ``worker.ledger.tables.alert.work``.
    alerts: Mapping[str, int]
    #: Why an alert is not told, of the newest of which that is known; without any alert, the last decision about the
    #: article.
    why_not: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Headlines:
    """One page of stories."""

    stories: tuple[Headline, ...]
    #: What the next page is asked with; empty after the last one.
    after: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chapter:
    """An article of a story, with what was made of it."""

    article: Article | None
    article_id: str
    role: Role
    outlet: str
    origin: str
    why: str
    published_at: datetime
    #: When it was read for the first time, or anew; ``None`` when it is no longer kept.
    read_at: datetime | None
    #: When its feed first showed it.
    seen_at: datetime | None
    matches: tuple[Match, ...]


def headlines(
    t: Transaction, *, topic: str = "", outlet: str = "", state: str = "", after: str = "", limit: int = PAGE
) -> Headlines:
    """Return a page of stories, the one with the newest article first.

    Args:
        t: The transaction.
        topic: The id of a topic that an article of theirs has matched; empty for any.
        outlet: Who has published an article of theirs; empty for anybody.
        state: One of ``STATES``, or ``UNTOLD``; empty for all.
        after: ``Headlines.after`` of the page before; what is no such thing asks for the first page.
        limit: Stories on the page.
    """
    moment = type_coerce(story.c.newest_at, BigInteger)
    query = select(story.c.id, moment.label("moment"), story.c.first_at, story.c.newest_at)
    query = query.where(story.c.merged.is_(None), *_narrowed(topic, outlet, state))
    if _CURSOR.fullmatch(after):
        at, _, story_id = after.partition("~")
        query = query.where(tuple_(moment, story.c.id) < tuple_(int(at), story_id))
    rows = t.execute(query.order_by(story.c.newest_at.desc(), story.c.id.desc()).limit(limit + 1)).all()
    chosen = rows[:limit]
    following = f"{chosen[-1].moment}~{chosen[-1].id}" if len(rows) > limit else ""
    return Headlines(stories=_headlines(t, chosen), after=following)


def _narrowed(topic: str, outlet: str, state: str) -> list[ColumnElement[bool]]:
    wanted: list[ColumnElement[bool]] = []
    if topic:
        of_topic = select(member.c.story_id).join(match, match.c.article_id == member.c.article_id)
        wanted.append(story.c.id.in_(of_topic.where(match.c.topic_id == topic)))
    if outlet:
        wanted.append(story.c.id.in_(select(member.c.story_id).where(member.c.outlet == outlet)))
    of_story = select(alert.c.id).where(alert.c.story_id == story.c.id)
    # Not by the index of what is open: nearly every alert was told.
    work = alert.c.work + ""
    if state in STATES:
        wanted.append(of_story.where(work.in_(STATES[state])).exists())
    elif state == UNTOLD:
        wanted.append(~of_story.where(work != OFF).exists())
    return wanted


def _headlines(t: Transaction, rows: Sequence[Row[Any]]) -> tuple[Headline, ...]:
    ids = [row.id for row in rows]
    sizes, firsts = _sizes(t, ids), _firsts(t, ids)
    articles = _articles(t, firsts.values())
    topics, alerts = _topics(t, ids), _alerts(t, ids)
    evidence = _evidence(t, firsts.values())
    reasons = _reasons(t, [firsts[story_id] for story_id in ids if story_id not in alerts and story_id in firsts])
    found = []
    for row in rows:
        first = firsts.get(row.id, "")
        count, outlets, origins = sizes.get(row.id, (0, 0, 0))
        numbers, why_not = alerts.get(row.id, ({}, ""))
        found.append(
            Headline(
                id=row.id,
                first_at=row.first_at,
                newest_at=row.newest_at,
                articles=count,
                outlets=outlets,
                origins=origins,
                article=articles.get(first),
                topics={name: evidence.get((first, name), ()) for name in topics.get(row.id, ())},
                alerts=numbers,
                why_not=why_not or reasons.get(first, ""),
            )
        )
    return tuple(found)


def _sizes(t: Transaction, ids: Sequence[str]) -> dict[str, tuple[int, int, int]]:
    """Return how many articles, outlets and origins stories have."""
    c = member.c
    query = select(
        c.story_id, func.count(), func.count(func.distinct(c.outlet)), func.count(func.distinct(c.origin))
    ).where(c.story_id.in_(ids))
    return {row[0]: (row[1], row[2], row[3]) for row in t.execute(query.group_by(c.story_id))}


def _firsts(t: Transaction, ids: Sequence[str]) -> dict[str, str]:
    """Return the articles of stories that were published first."""
    c = member.c
    age = func.row_number().over(partition_by=c.story_id, order_by=(c.published_at, c.article_id)).label("age")
    aged = select(c.story_id, c.article_id, age).where(c.story_id.in_(ids)).subquery()
    rows = t.execute(select(aged.c.story_id, aged.c.article_id).where(aged.c.age == 1))
    return {row.story_id: row.article_id for row in rows}


def _articles(t: Transaction, ids: Iterable[str]) -> dict[str, Article]:
    return {row.id: article_from_row(row) for row in t.execute(select(article).where(article.c.id.in_(list(ids))))}


def _topics(t: Transaction, ids: Sequence[str]) -> dict[str, list[str]]:
    """Return the topics that articles of stories have matched, by story, in alphabetical order."""
    query = (
        select(member.c.story_id, match.c.topic_id)
        .distinct()
        .join(match, match.c.article_id == member.c.article_id)
        .where(member.c.story_id.in_(ids))
        .order_by(match.c.topic_id)
    )
    found: defaultdict[str, list[str]] = defaultdict(list)
    for row in t.execute(query):
        found[row.story_id].append(row.topic_id)
    return found


def _evidence(t: Transaction, ids: Iterable[str]) -> dict[tuple[str, str], tuple[Evidence, ...]]:
    """Return the evidence of the newest match of each article and topic."""
    query = select(match.c.article_id, match.c.topic_id, match.c.evidence).where(match.c.article_id.in_(list(ids)))
    rows = t.execute(query.order_by(match.c.matched_at))
    return {(row.article_id, row.topic_id): evidence_from_json(row.evidence) for row in rows}


def _alerts(t: Transaction, ids: Sequence[str]) -> dict[str, tuple[dict[str, int], str]]:
    """Return the numbers of alerts about stories by their state, and why the newest that is not told is not."""
    query = select(alert.c.story_id, alert.c.work, alert.c.last_error).where(alert.c.story_id.in_(ids))
    found: dict[str, tuple[dict[str, int], str]] = {}
    for row in t.execute(query.order_by(alert.c.id)):
        numbers, why = found.get(row.story_id, ({}, ""))
        numbers[row.work] = numbers.get(row.work, 0) + 1
        why = row.last_error or "" if row.work in {OFF, DEAD, UNKNOWN} else why
        found[row.story_id] = numbers, why
    return {
        story_id: ({work: numbers[work] for work in _ORDER if work in numbers}, why)
        for story_id, (numbers, why) in found.items()
    }


def _reasons(t: Transaction, article_ids: Sequence[str]) -> dict[str, str]:
    """Return the last decision about each article, in words."""
    query = select(decision.c.article_id, decision.c.reason, decision.c.detail)
    rows = t.execute(query.where(decision.c.article_id.in_(article_ids)).order_by(decision.c.at))
    return {row.article_id: f"{row.reason}: {row.detail}" if row.detail else row.reason for row in rows}


def outlets(t: Transaction) -> list[str]:
    """Return everybody who has published an article of a story, in alphabetical order."""
    return list(t.execute(select(member.c.outlet).distinct().order_by(member.c.outlet)).scalars())


def chapters(t: Transaction, story_id: str, *, skip: int = 0, limit: int = PAGE) -> list[Chapter]:
    """Return articles of a story, the one published first first; ``skip`` so many of them."""
    found = stories.get(t, story_id)
    chosen = found.members[skip : skip + limit] if found else ()
    ids = [one.article_id for one in chosen]
    articles = _articles(t, ids)
    read = select(article.c.id, article.c.read_at).where(article.c.id.in_(ids))
    read_at = {row.id: row.read_at for row in t.execute(read)}
    seen = select(entry.c.article_id, func.min(entry.c.first_seen_at)).where(entry.c.article_id.in_(ids))
    seen_at = {row[0]: row[1] for row in t.execute(seen.group_by(entry.c.article_id))}
    matched = matches(t, ids)
    return [
        Chapter(
            article=articles.get(one.article_id),
            article_id=one.article_id,
            role=one.role,
            outlet=one.outlet,
            origin=one.origin,
            why=one.why,
            published_at=one.published_at,
            read_at=read_at.get(one.article_id),
            seen_at=seen_at.get(one.article_id),
            matches=matched.get(one.article_id, ()),
        )
        for one in chosen
    ]


def matches(t: Transaction, article_ids: Sequence[str]) -> dict[str, tuple[Match, ...]]:
    """Return the matches of articles, by article: the newest of each topic."""
    found: defaultdict[str, dict[str, Match]] = defaultdict(dict)
    query = select(match).where(match.c.article_id.in_(article_ids)).order_by(match.c.matched_at)
    for row in t.execute(query):
        found[row.article_id][row.topic_id] = match_from_row(row)
    return {article_id: tuple(by_topic.values()) for article_id, by_topic in found.items()}


def entries_of_article(t: Transaction, article_id: str) -> Sequence[Any]:
    """Return the entries that have led to an article, the first first, with the columns of ``entries_of_feed``."""
    query = select(*_ENTRY, entry.c.feed_id).where(entry.c.article_id == article_id).order_by(entry.c.id)
    return t.execute(query).all()


def entries_of_feed(t: Transaction, feed_id: str, *, limit: int) -> Sequence[Any]:
    """Return the entries of a feed that came in last, newest first: id, url, title, times, work, reason and detail."""
    c = entry.c
    # First their numbers, from an index that has them: a feed may have ten thousand entries, with their texts.
    newest = select(c.id).where(c.feed_id == feed_id).order_by((c.id + 0).desc()).limit(limit)
    query = select(*_ENTRY).where(c.id.in_(newest)).order_by(c.id.desc())
    return t.execute(query).all()
