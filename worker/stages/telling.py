"""What follows from an article that matches: its story, and one decision for each channel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count

from worker.alerts.decisions import Case, Decision, Rules, Told, decide
from worker.alerts.digests import Slot, digest_alert
from worker.alerts.refining import narrowest_first
from worker.alerts.timing import is_loud
from worker.ledger import decided, entries, outbox, silences, stories
from worker.ledger.engine import Transaction
from worker.model import Alert, Article, Match, Role, alert_key
from worker.stages.pipeline import Pipeline
from worker.stages.placing import Placed, Prepared, place

_HOUR = timedelta(hours=1)


def tell(
    t: Transaction,
    p: Pipeline,
    article: Article,
    matches: Sequence[Match],
    *,
    now: datetime,
    prepared: Prepared | None = None,
) -> Placed:
    """Join the article to its story, put the alerts that follow into the outbox, and return where it has gone.

    To be called in the transaction that records the article; ``prepared`` is what was thought of its story before. An
    article that is put into another story by it, and of which nobody is told there, is told of as well.
    """
    placed = place(t, p, article, now=now, prepared=prepared)
    rules = rules_of(t, p, now=now)
    own = [replace(found, article_id=article.id) for found in matches]  # it may be known under another address
    for match in own:
        entries.add_match(t, match, now=now)
    why = next((member.why for member in placed.story.members if member.article_id == article.id), "")
    case = Case(story_id=placed.story.id, role=placed.role, why=why, article=article, told=(), match=own[0], now=now)
    _tell_all(t, p, case, own, rules)
    for match in placed.untold:
        other, story_id = entries.get_article(t, match.article_id), stories.of_article(t, match.article_id)
        if other and story_id and match.topic_id in p.topics:
            case = Case(story_id=story_id, role=Role.REPORT, article=other, told=(), match=match, now=now)
            _tell_all(t, p, case, [match], rules)
    return placed


def _tell_all(t: Transaction, p: Pipeline, case: Case, matches: Sequence[Match], rules: Rules) -> None:
    """Record what is decided of all ``matches`` of one article, of which ``case`` is any."""
    told = [Told(alert=d.alert, waits=d.waits, off=d.off) for d in decided.of_story(t, case.story_id)]
    for match in narrowest_first(matches, p.topics):
        told += _tell(t, replace(case, match=match, told=told), rules)


def rules_of(t: Transaction, p: Pipeline, *, now: datetime) -> Rules:
    """Return what decisions go by at this moment."""
    return Rules(
        topics=p.topics,
        routes=p.routes,
        recipient=p.recipient,
        silences=silences.matching(t, now=now),
        due_times=lambda channel: _due_times(t, p, channel, now),
        digests=lambda channel: [
            Slot(channel_id=channel, reason=digest.reason, due_at=digest.due_at, opened=digest.key)
            for digest in decided.digests(t, channel)
        ],
    )


def _due_times(t: Transaction, p: Pipeline, channel: str, now: datetime) -> Sequence[datetime]:
    loud = [role for role in Role if is_loud(role, p.recipient(channel).policy)]
    return decided.due_times(t, channel, since=now - _HOUR, roles=loud)


def _tell(t: Transaction, case: Case, rules: Rules) -> list[Told]:
    """Record what is decided of one match, and return the alerts that were added."""
    decisions = decide(case, rules)
    if late := [d.into for d in decisions if d.into and not decided.lock_waiting(t, d.into)]:
        # They were begun since we looked, and will count this article no more: so they have been told.
        told = [replace(one, waits=one.waits and one.alert not in late) for one in case.told]
        return _tell(t, replace(case, told=told), rules)
    recorded = [_record(t, case, decision) for decision in decisions]
    return [one for one in recorded if one is not None]


def _record(t: Transaction, case: Case, decision: Decision) -> Told | None:
    alert = decision.alert
    if alert and decision.slot:
        alert = gathered(t, alert, decision.slot, now=case.now)
    if alert:
        alert = _added(t, alert)
    about = alert or decision.into
    decided.add_decision(
        t,
        article_id=case.article.id,
        topic_id=case.match.topic_id,
        channel_id=decision.channel_id,
        reason=decision.reason,
        detail=decision.detail,
        alert_key=about.key if about else None,
        now=case.now,
    )
    return Told(alert=alert, waits=True) if alert else None


def _added(t: Transaction, alert: Alert) -> Alert:
    """Record an alert and return it, with another key where an alert that has left the story for another has its own.

    Whoever was sent that knows it by its key.
    """
    wanted = alert
    for number in count():
        if decided.add(t, wanted) or _same_story(t, wanted):
            return wanted
        kind = f"{alert.role}:{alert.article_id}:{number}"
        key = alert_key(topic_id=alert.topic_id, story_id=alert.story_id, channel_id=alert.channel_id, kind=kind)
        wanted = replace(alert, key=key)
    raise AssertionError("counting has no end")


def _same_story(t: Transaction, alert: Alert) -> bool:
    known = outbox.find(t, alert.key)
    return known is not None and known.story_id == alert.story_id


def gathered(t: Transaction, alert: Alert, slot: Slot, *, now: datetime) -> Alert:
    """Return an alert as one to be told in the digest of ``slot``, which is open and is kept so until the commit.

    Where the digest of the slot was taken up already, another one is opened for it.
    """
    return replace(alert, digest=_opened(t, slot, now), due_at=slot.due_at, reason=slot.reason)


def _opened(t: Transaction, slot: Slot, now: datetime) -> str:
    if slot.opened and decided.lock_digest(t, slot.opened):
        return slot.opened
    digests = (digest_alert(slot, number=number, now=now) for number in count())
    return next(digest.key for digest in digests if decided.open_digest(t, digest))
