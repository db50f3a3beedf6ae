"""Stage ``deliver``: alerts that are due, sent to one channel each, with an end to every doubt."""

from __future__ import annotations

from datetime import datetime

from worker.channels.base import Channel, Doubtful
from worker.errors import Retryable, Unusable
from worker.ledger import dead, outbox
from worker.ledger.leases import MAX_ATTEMPTS, Claim, LeaseLost, retry_at
from worker.model import Alert, Delivery, Message, Reason
from worker.stages.pipeline import Outcome, Pipeline, logged

BATCH = 10

Claimed = Claim[tuple[Alert, datetime | None]]


def run(p: Pipeline, *, now: datetime, limit: int = BATCH) -> list[Outcome]:
    """Send at most ``limit`` alerts that are due and return what came of each."""
    with p.ledger.write() as t:
        claims = outbox.claim(t, now=now, limit=limit)
    return [logged(_deliver(p, claim, now)) for claim in claims]


def _deliver(p: Pipeline, claim: Claimed, now: datetime) -> Outcome:
    alert, started_at = claim.value
    try:
        channel = p.channels.get(alert.channel_id)
        if channel is None:
            return _bury(p, claim, now, f"channel {alert.channel_id} is configured no longer")
        if started_at is not None and (ended := _resolve_doubt(p, claim, channel, now)) is not None:
            return ended
        if claim.attempt > MAX_ATTEMPTS:
            return _bury(p, claim, now, f"not delivered in {MAX_ATTEMPTS} attempts")
        return _send(p, claim, channel, now)
    except LeaseLost as lost:
        return Outcome(stage="deliver", subject=alert.key, reason=Reason.RETRY, detail=str(lost))


def _resolve_doubt(p: Pipeline, claim: Claimed, channel: Channel, now: datetime) -> Outcome | None:
    """Find out how an attempt ended whose worker died in it; ``None`` when the alert has surely not arrived.

    Where nobody can tell, the alert is held and shown rather than sent twice.
    """
    has = channel.has(claim.value[0].key)
    if has is None:
        return _record(p, claim, now, Reason.UNKNOWN, "its worker died while it was being sent")
    if has:
        return _record(p, claim, now, Reason.DELIVERED, "found at the receiver after its worker had died")
    return None


def _send(p: Pipeline, claim: Claimed, channel: Channel, now: datetime) -> Outcome:
    message = _message(p, claim.value[0])
    if message is None:
        return _bury(p, claim, now, "its article is no longer kept")
    with p.ledger.write() as t:
        outbox.begin(t, claim, now=now)
    try:
        remote_id = channel.send(message, now=now)
    except Retryable as error:
        return _again(p, claim, now, error)
    except Unusable as error:
        return _bury(p, claim, now, str(error))
    except Doubtful as error:
        return _record(p, claim, now, Reason.UNKNOWN, str(error))
    return _record(p, claim, now, Reason.DELIVERED, remote_id=remote_id)


def _message(p: Pipeline, alert: Alert) -> Message | None:
    topic = p.topics.get(alert.topic_id)
    with p.ledger.read() as t:
        return outbox.message(t, alert, topic=topic.topic if topic else alert.topic_id)


def _again(p: Pipeline, claim: Claimed, now: datetime, error: Retryable) -> Outcome:
    if claim.attempt >= MAX_ATTEMPTS:
        return _bury(p, claim, now, str(error))
    due = retry_at(now, attempt=claim.attempt, jitter=p.jitter(), after=error.after)
    return _record(p, claim, now, Reason.RETRY, str(error), due_at=due)


def _record(
    p: Pipeline,
    claim: Claimed,
    now: datetime,
    outcome: Reason,
    detail: str = "",
    *,
    due_at: datetime | None = None,
    remote_id: str | None = None,
) -> Outcome:
    with p.ledger.write() as t:
        outbox.record(t, claim, _delivery(claim, now, outcome, detail, remote_id), due_at=due_at)
    return _outcome(claim, outcome, detail)


def _bury(p: Pipeline, claim: Claimed, now: datetime, reason: str) -> Outcome:
    key = claim.value[0].key
    with p.ledger.write() as t:
        outbox.add_delivery(t, _delivery(claim, now, Reason.DEAD, reason))
        dead.bury(t, claim, kind="alert", subject=key, reason=reason, now=now)
    return _outcome(claim, Reason.DEAD, reason)


def _delivery(claim: Claimed, now: datetime, outcome: Reason, detail: str, remote_id: str | None = None) -> Delivery:
    return Delivery(
        alert_key=claim.value[0].key,
        at=now,
        attempt=claim.attempt,
        outcome=outcome,
        detail=detail,
        remote_id=remote_id,
    )


def _outcome(claim: Claimed, reason: Reason, detail: str) -> Outcome:
    alert = claim.value[0]
    facts = {"topic": alert.topic_id, "story": alert.story_id, "channel": alert.channel_id, "role": alert.role.value}
    return Outcome(stage="deliver", subject=alert.key, reason=reason, detail=detail, facts=facts)
