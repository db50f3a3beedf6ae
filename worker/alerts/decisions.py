"""From a match in a story to the alerts that follow, one decision a channel."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from worker.alerts.clock import shown
from worker.alerts.digests import Slot
from worker.alerts.policy import Recipient, Route
from worker.alerts.refining import broader
from worker.alerts.routing import channels_for
from worker.alerts.silences import said, silenced_by
from worker.alerts.timing import Digests, Due, DueTimes, due
from worker.model import Alert, Article, Match, Reason, Role, Silence, Topic, alert_key


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What one channel is told of one match, and why. ``alert`` is ``None`` when it is told nothing."""

    channel_id: str
    reason: Reason
    detail: str = ""
    alert: Alert | None = None
    #: The digest in which ``alert`` is told.
    slot: Slot | None = None
    #: The alert that still waits and tells of this article as well.
    into: Alert | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """An alert about the same story that was decided before, whatever its topic and channel."""

    alert: Alert
    #: Nobody has taken it up yet, nor the digest that it is told in, so that it will still count what joins the story.
    waits: bool
    #: It was not told after all.
    off: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A match in its story: what is decided upon."""

    match: Match
    article: Article
    story_id: str
    #: What the article is to the story, and why.
    role: Role
    why: str = ""
    #: Of all topics and channels, oldest first.
    told: Sequence[Told]
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What decisions go by."""

    topics: Mapping[str, Topic]
    routes: Sequence[Route]
    recipient: Callable[[str], Recipient]
    #: Those that hold now.
    silences: Sequence[Silence] = ()
    due_times: DueTimes
    digests: Digests


def decide(case: Case, rules: Rules) -> list[Decision]:
    """Return one decision for each channel that the match is routed to; one without a channel when there is none.

    The first match of a topic in a story is told as ``first``, whatever the article is to the story. Of later ones a
    copy is never told; a report or development is an update, unless an alert that still waits will count it anyway.
    An article that says the opposite is a development, and no other alert speaks for it. Matches of topics that refine
    that of ``case`` are to be decided before it, and what follows from them is to stand in ``case.told``.
    """
    channels = channels_for(rules.topics[case.match.topic_id], case.article, rules.routes)
    if not channels:
        return [Decision(channel_id="", reason=Reason.NO_ROUTE, detail="no route takes it")]
    return [
        _unheard(case, rules, channel) or _follow_up(case, rules, channel) or _told(case, rules, channel)
        for channel in channels
    ]


def _unheard(case: Case, rules: Rules, channel: str) -> Decision | None:
    """Return why a channel hears nothing of the topic in this story at present."""
    topic_id = case.match.topic_id
    if silence := _silence(case, rules, topic_id, channel):
        return Decision(channel_id=channel, reason=Reason.SILENCED, detail=said(silence, now=case.now))
    for told in case.told:
        narrow = told.alert.topic_id
        if (
            told.alert.channel_id == channel
            and not told.off
            and topic_id in broader(narrow, rules.topics)
            and not _silence(case, rules, narrow, channel)
        ):
            detail = f"{narrow}, which refines it, tells this channel of the story"
            return Decision(channel_id=channel, reason=Reason.INHIBITED, detail=detail)
    return None


def _silence(case: Case, rules: Rules, topic_id: str, channel: str) -> Silence | None:
    return silenced_by(
        rules.silences,
        topic_id=topic_id,
        outlet=case.article.outlet,
        channel_id=channel,
        story_id=case.story_id,
    )


def _before(case: Case, channel: str) -> list[Told]:
    """Return the alerts of the topic that the channel has had or will have, oldest first."""
    return [told for told in _addressed(case, channel) if not told.off and told.alert.role is not Role.CORRECTION]


def _addressed(case: Case, channel: str) -> list[Told]:
    topic_id = case.match.topic_id
    return [told for told in case.told if told.alert.topic_id == topic_id and told.alert.channel_id == channel]


def _role(case: Case) -> Role:
    flipped = case.match.stance == "opposes"
    return Role.DEVELOPMENT if flipped and case.role is Role.REPORT else case.role


def _follow_up(case: Case, rules: Rules, channel: str) -> Decision | None:
    """Return why a follow-up is not told on its own; ``None`` when it is, or is the first of its story."""
    before, role, recipient = _before(case, channel), _role(case), rules.recipient(channel)
    policy = recipient.policy
    if not before:
        return None
    if role is Role.COPY:
        return Decision(channel_id=channel, reason=Reason.COPY, detail=case.why or "nearly the same text")
    if policy.follow_up == "never":
        return Decision(channel_id=channel, reason=Reason.FOLLOW_UP_OFF, detail="follow_up: never")
    if case.match.stance != "opposes" and (into := _takes_in(role, before)):
        detail = f"counted by alert {into.key[:8]}, which waits until {shown(into.due_at, now=case.now)}"
        return Decision(channel_id=channel, reason=Reason.FOLDED, detail=detail, into=into)
    if role is Role.REPORT and recipient.gathers and policy.follow_up != "every":
        detail = "this channel can show a report only as a message, and follow_up does not ask for those"
        return Decision(channel_id=channel, reason=Reason.REPORT, detail=detail)
    return None


def _takes_in(role: Role, before: Sequence[Told]) -> Alert | None:
    """Return the alert that still waits and speaks for the article too.

    Any takes in reports. A development is told for itself, unless it comes within the seconds that a first alert waits
    for others to join.
    """
    waiting = [told.alert for told in before if told.waits]
    seconds_old = [alert for alert in waiting if alert.role is Role.FIRST and alert.digest is None]
    return next(iter(seconds_old or (waiting if role is Role.REPORT else [])), None)


def _told(case: Case, rules: Rules, channel: str) -> Decision:
    before = _before(case, channel)
    role = _role(case) if before else Role.FIRST
    found = _due(case, rules, channel, role=role, before=before)
    alert = _alert(case, channel, role=role, found=found)
    return Decision(channel_id=channel, reason=found.reason, detail=found.detail, alert=alert, slot=found.slot)


def _due(case: Case, rules: Rules, channel: str, *, role: Role, before: Sequence[Told]) -> Due:
    urgent = rules.topics[case.match.topic_id].urgent
    together = next((told.alert for told in before if told.waits and told.alert.digest), None)
    if together and not urgent:
        # Nothing overtakes what it follows.
        slot = Slot(channel_id=channel, reason=together.reason, due_at=together.due_at, opened=together.digest or "")
        detail = f"told with the story's alert {together.key[:8]} at {shown(together.due_at, now=case.now)}"
        return Due(at=slot.due_at, reason=slot.reason, detail=detail, slot=slot)
    return due(
        role,
        rules.recipient(channel),
        urgent=urgent,
        last=before[-1].alert.due_at if before else None,
        due_times=rules.due_times,
        digests=rules.digests,
        now=case.now,
    )


def _alert(case: Case, channel: str, *, role: Role, found: Due) -> Alert:
    match = case.match
    kind = role.value if role is Role.FIRST else f"{role}:{match.article_id}"
    # One that was not told after all keeps its key.
    given_up = [t.alert for t in _addressed(case, channel) if t.off and t.alert.role is role]
    number = len([a for a in given_up if role is Role.FIRST or a.article_id == match.article_id])
    kind += f":{number}" if number else ""
    new = ("says the opposite" if match.stance == "opposes" else case.why) if role is Role.DEVELOPMENT else ""
    return Alert(
        key=alert_key(topic_id=match.topic_id, story_id=case.story_id, channel_id=channel, kind=kind),
        topic_id=match.topic_id,
        story_id=case.story_id,
        channel_id=channel,
        role=role,
        article_id=match.article_id,
        score=match.score,
        by=match.by,
        evidence=match.evidence,
        clause=match.clause,
        created_at=case.now,
        due_at=found.at,
        reason=found.reason,
        detail=new,
    )
