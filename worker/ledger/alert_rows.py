"""Rows of the outbox as values."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row

from worker.ledger.entries import evidence_from_json, evidence_to_json
from worker.ledger.tables import GATHERED, OPEN
from worker.model import Alert, Reason, Role


def alert_from_row(row: Row[Any]) -> Alert:
    """Return the alert that a row of the outbox holds."""
    return Alert(
        key=row.key,
        topic_id=row.topic_id,
        story_id=row.story_id,
        channel_id=row.channel_id,
        role=Role(row.role),
        article_id=row.article_id,
        score=row.score,
        by=row.by,
        evidence=evidence_from_json(row.evidence),
        clause=row.clause,
        created_at=row.created_at,
        due_at=row.due_at,
        reason=Reason(row.reason),
        attempt=row.attempt,
        detail=row.detail,
        digest=row.digest,
        repeat=row.repeat,
    )


def alert_to_row(a: Alert) -> dict[str, Any]:
    """Return the columns of a new alert: open, or gathered when a digest tells it."""
    return {
        "key": a.key,
        "topic_id": a.topic_id,
        "story_id": a.story_id,
        "channel_id": a.channel_id,
        "role": a.role,
        "article_id": a.article_id,
        "score": a.score,
        "by": a.by,
        "clause": a.clause,
        "evidence": evidence_to_json(a.evidence),
        "reason": a.reason,
        "created_at": a.created_at,
        "work": OPEN if a.digest is None else GATHERED,
        "due_at": a.due_at,
        "detail": a.detail,
        "digest": a.digest,
        "repeat": a.repeat,
    }
