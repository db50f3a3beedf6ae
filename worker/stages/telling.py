"""What follows from an article that matches: its story, and one decision for each channel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from worker.alerts.decisions import Decision, Told, decide, is_loud
from worker.ledger import decided, entries
from worker.ledger.engine import Transaction
from worker.model import Article, Match, Role, Story
from worker.stages.pipeline import Pipeline
from worker.stages.placing import place

_HOUR = timedelta(hours=1)


def tell(t: Transaction, p: Pipeline, article: Article, matches: Sequence[Match], *, now: datetime) -> Role:
    """Join the article to its story, put the alerts that follow into the outbox, and return its role there."""
    story, role = place(t, p, article, now=now)
    for found in matches:
        found = replace(found, article_id=article.id)  # noqa: PLW2901 - it may be known under another address
        entries.add_match(t, found, now=now)
        for decision in _decide(t, p, article, found, story=story, role=role, now=now):
            _record_decision(t, article, found, decision, now)
    return role


def _decide(
    t: Transaction, p: Pipeline, article: Article, found: Match, *, story: Story, role: Role, now: datetime
) -> list[Decision]:
    loud = [r for r in Role if is_loud(r, p.policy)]
    return decide(
        match=found,
        article=article,
        topic=p.topics[found.topic_id],
        story=story,
        role=role,
        told=[Told(alert=a, waits=w) for a, w in decided.told(t, story_id=story.id, topic_id=found.topic_id)],
        routes=p.routes,
        policy=p.policy,
        due_times=lambda channel: decided.due_times(t, channel, since=now - _HOUR, roles=loud),
        now=now,
    )


def _record_decision(t: Transaction, article: Article, found: Match, decision: Decision, now: datetime) -> None:
    if decision.alert is not None:
        decided.add(t, decision.alert)
    decided.add_decision(
        t,
        article_id=article.id,
        topic_id=found.topic_id,
        channel_id=decision.channel_id,
        reason=decision.reason,
        alert_key=decision.alert.key if decision.alert else None,
        now=now,
    )
