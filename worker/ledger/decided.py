"""What was decided about articles: the alerts that follow, and why none does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, bindparam, select, update

from worker.ledger import tallies
from worker.ledger.alert_rows import alert_from_row, alert_to_row
from worker.ledger.engine import Transaction
from worker.ledger.entries import evidence_to_json
from worker.ledger.inserts import insert_new
from worker.ledger.ready import Ready
from worker.ledger.tables import DEAD, GATHERED, OFF, OPEN, Instant, alert, decision, match, member
from worker.model import Alert, Match, Reason, Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """An alert that was decided, and how far it has come."""

    alert: Alert
    #: Nobody has taken it up yet, nor the digest in which it is told, so that it may still be changed.
    waits: bool
    #: It was not told after all.
    off: bool
    #: Its delivery was given up.
    dead: bool


def add(t: Transaction, a: Alert) -> bool:
    """Record an alert as due; ``False`` when its key exists, which means that it was decided before."""
    added = insert_new(t, alert, alert_to_row(a))
    if added:
        tallies.count(t, tallies.ALERTS, a.topic_id, a.role, now=a.created_at)
    return added


def add_decision(
    t: Transaction,
    *,
    article_id: str,
    topic_id: str,
    channel_id: str,
    reason: Reason,
    now: datetime,
    detail: str = "",
    alert_key: str | None = None,
) -> None:
    """Record why an article was or was not told to a channel, and the alert that tells of it, if one does."""
    values = {
        "article_id": article_id,
        "topic_id": topic_id,
        "channel_id": channel_id,
        "reason": reason,
        "at": now,
        "detail": detail,
        "alert_key": alert_key,
    }
    if insert_new(t, decision, values):
        tallies.count(t, tallies.DECISIONS, topic_id, reason, now=now)


def of_story(t: Transaction, story_id: str) -> list[Decided]:
    """Return all alerts about a story, of every topic and channel, oldest first."""
    return [_decided(row) for row in _OF_STORY.all(t, {"wanted": story_id})]


def about(t: Transaction, article_id: str) -> list[Decided]:
    """Return all alerts about an article, oldest first."""
    return [_decided(row) for row in _ABOUT.all(t, {"wanted": article_id})]


def _alerts(column: str) -> Any:  # noqa: ANN401 - a SELECT
    digest = alert.alias("digest_row")
    untouched = _untouched(alert) | ((alert.c.work == GATHERED) & _untouched(digest))
    return (
        select(alert, untouched.label("waits"))
        .outerjoin(digest, digest.c.key == alert.c.digest)
        .where(alert.c[column] == bindparam("wanted"))
        .order_by(alert.c.id)
    )


_OF_STORY: Final = Ready(lambda _: _alerts("story_id"))
_ABOUT: Final = Ready(lambda _: _alerts("article_id"))


def _untouched(table: Any) -> ColumnElement[bool]:  # noqa: ANN401 - the outbox or an alias of it
    """Return the condition that nobody has begun to send an alert: what it shows is then not fixed yet."""
    c = table.c
    return and_(c.work == OPEN, c.lease_until.is_(None), c.started_at.is_(None), c.shown.is_(None))


def _decided(row: Any) -> Decided:  # noqa: ANN401 - a row
    return Decided(alert=alert_from_row(row), waits=bool(row.waits), off=row.work == OFF, dead=row.work == DEAD)


def lock_waiting(t: Transaction, a: Alert) -> bool:
    """Keep an alert, or the digest in which it is told, from being taken up before this transaction ends.

    ``False`` when somebody has begun to send it, so that it is too late to change what it says.
    """
    return lock_digest(t, a.digest or a.key)


def lock_digest(t: Transaction, key: str) -> bool:
    """Keep a digest from being taken up before this transaction ends; ``False`` as for ``lock_waiting``."""
    return _LOCKING.run(t, {"wanted": key}) == 1


def _locking(_: str) -> Any:  # noqa: ANN401 - an UPDATE
    # It changes nothing: it is the lock on the row that counts, and that the row is still as it must be.
    return update(alert).where(alert.c.key == bindparam("wanted"), _untouched(alert)).values(work=OPEN)


_LOCKING: Final = Ready(_locking)


def open_digest(t: Transaction, digest: Alert) -> bool:
    """Record a digest unless its key exists, and keep it from being taken up before this transaction ends.

    ``False`` when somebody has begun to send it: what is to be told needs another.
    """
    add(t, digest)
    return lock_digest(t, digest.key)


def digests(t: Transaction, channel_id: str) -> list[Alert]:
    """Return the digests of a channel that wait and may still take something in, earliest first."""
    return [alert_from_row(row) for row in _DIGESTS.all(t, {"channel": channel_id})]


def _digests(_: str) -> Any:  # noqa: ANN401 - a SELECT
    # By the index of what is open: those of a channel, and what its digests hold, may be thousands.
    wanted = (alert.c.channel_id + "" == bindparam("channel")) & (alert.c.role == Role.DIGEST)
    return select(alert).where(wanted, _untouched(alert)).order_by(alert.c.due_at, alert.c.id)


_DIGESTS: Final = Ready(_digests)


def due_times(t: Transaction, channel_id: str, *, since: datetime, roles: Sequence[Role]) -> list[datetime]:
    """Return when messages of these roles were or are due on a channel, from ``since`` on, earliest first.

    What is told in a digest is not a message of its own.
    """
    values = {"channel": channel_id, "since": since}
    return list(t.execute(_due_times(tuple(roles)), values).scalars())


@cache
def _due_times(roles: tuple[Role, ...]) -> Any:  # noqa: ANN401 - a SELECT
    return (
        select(alert.c.due_at)
        .where(
            alert.c.channel_id == bindparam("channel"),
            alert.c.due_at >= bindparam("since", type_=Instant()),
            alert.c.role.in_([role.value for role in roles]),
            alert.c.digest.is_(None),
            alert.c.work != OFF,
        )
        .order_by(alert.c.due_at)
    )


def change(t: Transaction, a: Alert, *, key: str | None = None) -> None:
    """Write what an alert that waits is about and why. ``lock_waiting`` goes before it.

    ``key`` is the one under which it stands, where it is to get the one that ``a`` has.
    """
    t.execute(
        update(alert)
        .where(alert.c.key == (key or a.key))
        .values(
            key=a.key,
            article_id=a.article_id,
            score=a.score,
            by=a.by,
            clause=a.clause,
            evidence=evidence_to_json(a.evidence),
            detail=a.detail,
        )
    )


def change_match(t: Transaction, m: Match) -> None:
    """Write what a match that is known rests on now."""
    known = (match.c.article_id == m.article_id, match.c.topic_id == m.topic_id)
    values = {"score": m.score, "by": m.by, "clause": m.clause, "evidence": evidence_to_json(m.evidence)}
    t.execute(update(match).where(*known, match.c.topic_version == m.topic_version).values(**values))


def turn_off(t: Transaction, a: Alert, *, reason: Reason, detail: str) -> None:
    """Have an alert that waits not told after all. ``lock_waiting`` goes before it."""
    t.execute(update(alert).where(alert.c.key == a.key).values(work=OFF, last_error=f"{reason}: {detail}"))


def exists(t: Transaction, key: str) -> bool:
    """Return whether there is an alert with this key."""
    return t.execute(select(alert.c.id).where(alert.c.key == key)).first() is not None


def others(t: Transaction, a: Alert) -> list[tuple[str, dict[str, Any]]]:
    """Return the articles that an alert speaks for besides its own, oldest first, each with its newest match.

    They are members of its story that matched its topic and were not told to its channel on their own.
    """
    rows = t.execute(
        select(decision.c.article_id, decision.c.reason, match.c.score, match.c.by, match.c.clause, match.c.evidence)
        .join(member, member.c.article_id == decision.c.article_id)
        .join(match, (match.c.article_id == decision.c.article_id) & (match.c.topic_id == decision.c.topic_id))
        .where(
            member.c.story_id == a.story_id,
            decision.c.topic_id == a.topic_id,
            decision.c.channel_id == a.channel_id,
            decision.c.article_id != a.article_id,
        )
        .order_by(decision.c.at, match.c.matched_at)
    )
    newest = {row.article_id: row for row in rows}
    return [
        (article_id, {"score": row.score, "by": row.by, "clause": row.clause, "evidence": row.evidence})
        for article_id, row in newest.items()
        if row.reason in {Reason.FOLDED, Reason.COPY}
    ]


def last_reasons(t: Transaction, article_id: str) -> dict[tuple[str, str], Reason]:
    """Return the last decision about an article, by topic and channel."""
    rows = t.execute(
        select(decision.c.topic_id, decision.c.channel_id, decision.c.reason)
        .where(decision.c.article_id == article_id)
        .order_by(decision.c.at)
    )
    return {(row.topic_id, row.channel_id): Reason(row.reason) for row in rows}


def articles_in(t: Transaction, digest_key: str) -> list[str]:
    """Return the articles that a digest tells of."""
    query = select(alert.c.article_id).where(alert.c.digest == digest_key).order_by(alert.c.id)
    return list(dict.fromkeys(t.execute(query).scalars()))


def of_article(t: Transaction, article_id: str) -> list[dict[str, Any]]:
    """Return every decision about an article and, where an alert tells of it, that alert and how its delivery went."""
    rows = t.execute(
        select(
            decision,
            alert.c.key,
            alert.c.role,
            alert.c.work,
            alert.c.due_at,
            alert.c.sent_at,
            alert.c.last_error,
            alert.c.digest,
        )
        .outerjoin(alert, alert.c.key == decision.c.alert_key)
        .where(decision.c.article_id == article_id)
        .order_by(decision.c.topic_id, decision.c.channel_id, decision.c.at)
    )
    return [dict(row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's public name for a row as a mapping
