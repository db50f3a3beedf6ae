"""Articles that go from one story to another, with their alerts, so that nobody is told twice and nothing is forgotten.

An article may show that two stories are one, or that one of them holds what belongs to the other. An alert goes where
its article goes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, bindparam, select, update

from worker.ledger import postings, stories, tallies
from worker.ledger.engine import Transaction
from worker.ledger.entries import match_from_row
from worker.ledger.inserts import insert_new
from worker.ledger.ready import Ready
from worker.ledger.tables import DONE, GATHERED, OFF, OPEN, UNKNOWN, alert, decision, match, member, story
from worker.model import Match, Reason, Role, Story

_TOLD = frozenset({OPEN, GATHERED, DONE, UNKNOWN})


@dataclass(frozen=True, slots=True, kw_only=True)
class Moves:
    """What goes where: articles by their ids, and all that is left of stories that are no more."""

    articles: Mapping[str, str]
    gone: Mapping[str, str]

    @classmethod
    def between(cls, were: Iterable[Story], are: Iterable[Story], *, gone: Iterable[str], into: str) -> Moves:
        """Return what has to move for stories to be what they ``are`` and not what they ``were``.

        ``gone`` are the ids of those that are no more: what is left of them goes ``into`` one.
        """
        before = {m.article_id: story.id for story in were for m in story.members}
        now = {m.article_id: story.id for story in are for m in story.members}
        moved = {article_id: to for article_id, to in now.items() if before.get(article_id, to) != to}
        return cls(articles=moved, gone=dict.fromkeys(gone, into))

    def goal(self, article_id: str, story_id: str) -> str:
        """Return where an article of a story, or its alert, is when all has moved."""
        return self.articles.get(article_id) or self.gone.get(story_id, story_id)


def regroup(t: Transaction, are: Sequence[Story], moves: Moves, *, turn: int, now: datetime) -> None:
    """Write stories as they ``are`` now, in the turn with this number; a member that is new is not written.

    The ids of those that are gone lead to where their articles went. What still waits to be told, and would tell a
    channel of a topic in one story for the second time, is told no more, with ``Reason.STORY_MERGED``. Corrections are
    told all the same, and what a worker has in hand is left alone.
    """
    for row, into in _repeated(t, moves):
        why = f"its article belongs to {into}, which is told of already" if into != row.story_id else _TOLD_BEFORE
        if _turn_off(t, row, why):
            _decide(t, row, why, now)
    _move_alerts(t, moves)
    for one in are:
        stories.write(t, one)
    # All of their members: whoever has compared an article with one of these stories has compared it with another.
    _MOVING.run_all(
        t,
        [
            {"article": m.article_id, "to": one.id, "as": m.role, "since": m.why, "turn": turn}
            for one in are
            for m in one.members
        ],
    )
    postings.move(t, moves.articles)
    if moves.gone:
        _MERGING.run_all(t, [{"gone": story_id, "to": into} for story_id, into in moves.gone.items()])


_TOLD_BEFORE = "an article that has told of the same has joined its story"


def untold(t: Transaction, story_ids: Iterable[str]) -> list[Match]:
    """Return matches of articles in these stories, of whose topics nobody is told in their stories.

    Of each story and topic it is that of the article that was published first. It may have been told of with another
    that has left the story since.
    """
    wanted = {"ids": list(story_ids)}
    if not wanted["ids"]:
        return []
    first: dict[tuple[str, str], Match] = {}
    for row in t.execute(_matches(), wanted):
        first.setdefault((row.story_id, row.topic_id), match_from_row(row))
    for row in t.execute(_told_of(), wanted):
        first.pop((row.story_id, row.topic_id), None)
    return list(first.values())


def _move_alerts(t: Transaction, moves: Moves) -> None:
    for column, goals in (("article_id", moves.articles), ("story_id", moves.gone)):
        if goals:
            _moving_alerts(column).run_all(t, [{"of": one, "to": to} for one, to in goals.items()])


def _repeated(t: Transaction, moves: Moves) -> list[tuple[Row[Any], str]]:
    """Return the alerts that would tell a channel for the second time of a topic in the story where they will be."""
    about: defaultdict[tuple[str, str, str], list[Row[Any]]] = defaultdict(list)
    reached = {*moves.articles.values(), *moves.gone.values()}
    concerned = {"stories": [*reached, *moves.gone], "articles": list(moves.articles)}
    for row in t.execute(_concerned(), concerned):
        goal = moves.goal(row.article_id, row.story_id)
        if row.work in _TOLD and goal in reached:
            about[goal, row.topic_id, row.channel_id].append(row)
    return [(row, goal) for (goal, *_), rows in about.items() for row in _once_too_often(rows, goal)]


def _once_too_often(rows: Sequence[Row[Any]], goal: str) -> list[Row[Any]]:
    """Return those of the alerts of one topic and channel, in what will be the story ``goal``, that are not to be told.

    One of the stories that they come from goes on: one that has told first, else one that has told at all, else the
    goal itself. Of the others what still waits is not told.
    """
    of: defaultdict[str, list[Row[Any]]] = defaultdict(list)
    for row in rows:
        of[row.story_id].append(row)
    goes_on = max(of, key=lambda story_id: _claim(of[story_id], own=story_id == goal))
    return [row for story_id in of if story_id != goes_on for row in of[story_id] if _waits(row)]


def _claim(rows: Sequence[Row[Any]], *, own: bool) -> tuple[bool, bool, bool, int]:
    begun = [row for row in rows if not _waits(row)]
    return any(row.role == Role.FIRST for row in begun), bool(begun), own, -rows[0].id


def _waits(row: Row[Any]) -> bool:
    return row.work == GATHERED or (row.work == OPEN and row.lease_until is None and row.started_at is None)


def _turn_off(t: Transaction, row: Row[Any], why: str) -> bool:
    """Have an alert not told; ``False`` when a worker has taken it, or its digest, up meanwhile."""
    # The digest first, as whoever sends it does, so that two never wait for each other.
    if row.work == GATHERED and not _held(t, alert.c.key == row.digest):
        return False
    where = (alert.c.id == row.id) & ((alert.c.work == GATHERED) | _untouched())
    values = {"work": OFF, "last_error": f"{Reason.STORY_MERGED}: {why}"}
    return t.execute(update(alert).where(where).values(**values)).rowcount == 1


def _held(t: Transaction, which: ColumnElement[bool]) -> bool:
    """Keep an alert from being taken up until the commit; ``False`` when it was taken up before."""
    return t.execute(update(alert).where(which, _untouched()).values(attempt=alert.c.attempt)).rowcount == 1


def _untouched() -> ColumnElement[bool]:
    return (alert.c.work == OPEN) & alert.c.lease_until.is_(None) & alert.c.started_at.is_(None)


def _decide(t: Transaction, row: Row[Any], why: str, now: datetime) -> None:
    values = {
        "article_id": row.article_id,
        "topic_id": row.topic_id,
        "channel_id": row.channel_id,
        "reason": Reason.STORY_MERGED,
        "detail": why,
        "alert_key": row.key,
    }
    # What was decided at this very moment stands as well.
    while not insert_new(t, decision, values | {"at": now}):
        now += timedelta(microseconds=1)
    tallies.count(t, tallies.DECISIONS, row.topic_id, Reason.STORY_MERGED, now=now)


# The statements, made once: composing one costs more than running it.


def _moving(_: str) -> Any:  # noqa: ANN401 - an UPDATE
    values: dict[str, Any] = {
        name: bindparam(of) for name, of in (("story_id", "to"), ("role", "as"), ("why", "since"), ("seq", "turn"))
    }
    return update(member).where(member.c.article_id == bindparam("article")).values(values)


_MOVING: Final = Ready(_moving)


@cache
def _moving_alerts(column: str) -> Ready:
    made = update(alert).where(alert.c[column] == bindparam("of")).values(story_id=bindparam("to"))
    return Ready(lambda _: made)


_MERGING: Final = Ready(lambda _: update(story).where(story.c.id == bindparam("gone")).values(merged=bindparam("to")))


@cache
def _concerned() -> Any:  # noqa: ANN401 - a SELECT
    there = alert.c.story_id.in_(bindparam("stories", expanding=True))
    moved = alert.c.article_id.in_(bindparam("articles", expanding=True))
    return select(alert).where(there | moved, alert.c.role != Role.CORRECTION).order_by(alert.c.id)


@cache
def _matches() -> Any:  # noqa: ANN401 - a SELECT
    of = select(member.c.story_id, match).join(member, match.c.article_id == member.c.article_id)
    wanted = of.where(member.c.story_id.in_(bindparam("ids", expanding=True)))
    return wanted.order_by(member.c.published_at, match.c.article_id, match.c.matched_at.desc())


@cache
def _told_of() -> Any:  # noqa: ANN401 - a SELECT
    of = alert.c.story_id.in_(bindparam("ids", expanding=True))
    return select(alert.c.story_id, alert.c.topic_id).where(of, alert.c.work != OFF)
