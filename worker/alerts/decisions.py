"""From a match in a story to the alerts that follow, one decision a channel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase

from worker.alerts.policy import Policy, Route
from worker.alerts.quiet import end_of_quiet
from worker.model import Alert, Article, Match, Reason, Role, Story, Topic, alert_key

_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What one channel is told of one match, and why. ``alert`` is ``None`` when it is told nothing."""

    channel_id: str
    reason: Reason
    alert: Alert | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """An alert that the channel has had, or will have, about the same topic and story."""

    alert: Alert
    #: Nobody has taken it up yet, so that it will still count what joins the story now.
    waits: bool


#: Given a channel, when its messages of the last hour and those to come are due, earliest first.
DueTimes = Callable[[str], Sequence[datetime]]


def channels_for(topic: Topic, article: Article, routes: Sequence[Route]) -> tuple[str, ...]:
    """Return the channels that hear of an article of a topic: the topic's own, else those of every route that fits."""
    if topic.channels:
        return topic.channels
    fitting = [route for route in routes if _fits(route, topic, article)]
    return tuple(dict.fromkeys(channel for route in fitting for channel in route.channels))


def _fits(route: Route, topic: Topic, article: Article) -> bool:
    return (
        _any_of(route.topics, topic.id)
        and _any_of(route.outlets, article.outlet)
        and (not route.languages or article.language is None or _any_of(route.languages, article.language))
    )


def _any_of(patterns: Sequence[str], value: str) -> bool:
    return not patterns or any(fnmatchcase(value.casefold(), pattern.casefold()) for pattern in patterns)


def decide(
    *,
    match: Match,
    article: Article,
    topic: Topic,
    story: Story,
    role: Role,
    told: Sequence[Told],
    routes: Sequence[Route],
    policy: Policy,
    due_times: DueTimes,
    now: datetime,
) -> list[Decision]:
    """Return one decision for each channel that the match is routed to; one without a channel when there is none.

    The first match of a topic in a story is told as ``first``, whatever the article is to the story. Of later ones a
    copy is never told; a report or development is an update, unless an alert that still waits will count it anyway.
    An article that says the opposite is a development, and no other alert speaks for it.
    """
    flipped = match.stance == "opposes"
    if flipped and role is Role.REPORT:
        role = Role.DEVELOPMENT
    channels = channels_for(topic, article, routes)
    if not channels:
        return [Decision(channel_id="", reason=Reason.NO_ROUTE)]
    decisions = []
    for channel in channels:
        before = [t for t in told if t.alert.channel_id == channel]
        reason = _follow_up(role, before, policy, flipped=flipped) if before else None
        if reason is not None:
            decisions.append(Decision(channel_id=channel, reason=reason))
            continue
        due, why = _due(topic, before, policy, role=role, times=due_times(channel), now=now)
        alert = _alert(match, story, channel, role=role if before else Role.FIRST, due=due, why=why, now=now)
        decisions.append(Decision(channel_id=channel, reason=why, alert=alert))
    return decisions


def _follow_up(role: Role, before: Sequence[Told], policy: Policy, *, flipped: bool) -> Reason | None:
    """Return why a follow-up is not told on its own; ``None`` when it is."""
    if role is Role.COPY:
        return Reason.COPY
    if policy.follow_up == "never":
        return Reason.FOLLOW_UP_OFF
    if flipped:
        return None
    waiting = [t.alert.role for t in before if t.waits]
    # A report that waits takes in other reports, but a development is told for itself; a first alert takes in all.
    if Role.FIRST in waiting or (waiting and role is Role.REPORT):
        return Reason.FOLDED
    return None


def _due(
    topic: Topic, before: Sequence[Told], policy: Policy, *, role: Role, times: Sequence[datetime], now: datetime
) -> tuple[datetime, Reason]:
    """Return when the alert is due, and the strongest reason for its waiting."""
    if topic.urgent:
        return now, Reason.QUEUED
    due, why = (now, Reason.QUEUED) if before else (now + policy.group_wait, Reason.QUEUED)
    if before and before[-1].alert.due_at + policy.min_gap > due:
        due, why = before[-1].alert.due_at + policy.min_gap, Reason.MIN_GAP
    after_quiet = end_of_quiet(policy.quiet_hours, due)
    if after_quiet > due:
        due, why = after_quiet, Reason.QUIET_HOURS
    if policy.per_hour and is_loud(role if before else Role.FIRST, policy):
        within = _within_budget(due, times, policy.per_hour)
        if within > due:
            due, why = within, Reason.BUDGET
    return due, why


def is_loud(role: Role, policy: Policy) -> bool:
    """Return whether an alert of this role is a message, which counts against the budget, or a quiet update."""
    return role is not Role.REPORT or policy.follow_up == "every"


def _within_budget(due: datetime, times: Sequence[datetime], per_hour: int) -> datetime:
    """Return the first time from ``due`` on with fewer than ``per_hour`` messages in the hour before it."""
    for _ in range(len(times) + 1):
        recent = [time for time in times if due - _HOUR < time <= due]
        if len(recent) < per_hour:
            break
        due = recent[-per_hour] + _HOUR
    return due


def _alert(match: Match, story: Story, channel: str, *, role: Role, due: datetime, why: Reason, now: datetime) -> Alert:
    kind = role.value if role is Role.FIRST else f"{role}:{match.article_id}"
    key = alert_key(topic_id=match.topic_id, story_id=story.id, channel_id=channel, kind=kind)
    return Alert(
        key=key,
        topic_id=match.topic_id,
        story_id=story.id,
        channel_id=channel,
        role=role,
        article_id=match.article_id,
        score=match.score,
        by=match.by,
        evidence=match.evidence,
        clause=match.clause,
        created_at=now,
        due_at=due,
        reason=why,
    )
