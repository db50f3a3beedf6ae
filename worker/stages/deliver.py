"""Stage ``deliver``: alerts that are due, sent to one channel each, with an end to every doubt."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from worker.alerts.quotes import quotes
from worker.channels.base import Channel, Doubtful
from worker.errors import Retryable, Unusable
from worker.ledger import dead, messages, outbox
from worker.ledger.engine import Transaction
from worker.ledger.leases import MAX_ATTEMPTS, Claim, LeaseLost, retry_at
from worker.ledger.persist import WAITS, persist
from worker.model import Alert, Delivery, Message, Reason
from worker.stages.pipeline import Outcome, Pipeline, logged

BATCH = 10

Claimed = Claim[tuple[Alert, datetime | None]]
T = TypeVar("T")


def run(p: Pipeline, *, now: datetime, limit: int = BATCH) -> list[Outcome]:
    """Send at most ``limit`` alerts that are due and return what came of each.

    A ledger that is away is not waited for.
    """
    claims, outcomes = claim(p, now=now, limit=limit)
    for one in claims:
        outcomes += record(p, [do(p, one, now=now, waits=())], now=now)
    return outcomes


def claim(p: Pipeline, *, now: datetime, limit: int = BATCH) -> tuple[list[Claimed], list[Outcome]]:
    """Return at most ``limit`` alerts to be sent, and no outcomes: every end of an alert is for ``do``.

    Raises:
        worker.stages.pipeline.Outdated: another configuration is in force; nothing was claimed.
    """
    with p.ledger.write() as t:
        p.must_be_in_force(t)
        return outbox.claim(t, now=now, limit=limit), []


def do(
    p: Pipeline,
    one: Claimed,
    *,
    now: datetime,
    waits: Sequence[float] = WAITS,
    sleep: Callable[[float], object] = time.sleep,
) -> Outcome:
    """Send an alert and write down at once what came of it; return that. Many may run at once.

    ``now`` is the time of this call, not that of the claim. How sending has ended is known only here, so a ledger that
    is away, or its disk full, is waited for: ``waits`` are the seconds between tries, ``sleep`` waits.

    Raises:
        LedgerAway: the ledger is away for longer. What was begun is in doubt, and is resolved with the next claim.
        DiskFull: the same, for its disk.
    """
    return _Sending(p=p, claim=one, now=now, waits=waits, sleep=sleep).outcome()


def record(p: Pipeline, done: Sequence[Outcome], *, now: datetime) -> list[Outcome]:  # noqa: ARG001 - as in every stage
    """Return what came of each alert, with its line in the log; ``do`` has written it down."""
    return [logged(outcome) for outcome in done]


def release(p: Pipeline, claims: Sequence[Claimed], *, now: datetime) -> None:  # noqa: ARG001 - the same
    """Give back what was claimed and not begun; what was begun ends in ``do``, or is in doubt."""
    with p.ledger.write() as t:
        outbox.release(t, claims)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sending:
    """One alert on its way."""

    p: Pipeline
    claim: Claimed
    now: datetime
    waits: Sequence[float]
    sleep: Callable[[float], object]

    @property
    def _alert(self) -> Alert:
        return self.claim.value[0]

    def outcome(self) -> Outcome:
        started_at = self.claim.value[1]
        try:
            channel = self.p.channels.get(self._alert.channel_id)
            if channel is None:
                return self._bury(f"channel {self._alert.channel_id} is configured no longer")
            message = self._persist(self._message)
            if message is None:
                return self._bury("its article is no longer kept")
            if started_at is not None and (ended := self._resolve_doubt(channel, message, started_at)) is not None:
                return ended
            if self.claim.attempt > MAX_ATTEMPTS:
                return self._bury(f"not delivered in {MAX_ATTEMPTS} attempts")
            return self._send(channel, message)
        except LeaseLost as lost:
            return Outcome(stage="deliver", subject=self._alert.key, reason=Reason.RETRY, detail=str(lost))

    def _resolve_doubt(self, channel: Channel, message: Message, started_at: datetime) -> Outcome | None:
        """Find out how an attempt ended whose worker died in it; ``None`` when the alert has surely not arrived.

        Where nobody can tell, the alert is held and shown rather than sent twice.
        """
        found = channel.find(message, since=started_at)
        if found.arrived is None:
            return self._record(Reason.UNKNOWN, "its worker died while it was being sent")
        if found.arrived:
            said = "found at the receiver after its worker had died"
            return self._record(Reason.DELIVERED, said, remote_id=found.remote_id)
        return None

    def _send(self, channel: Channel, message: Message) -> Outcome:
        self._persist(self._begin)
        try:
            remote_id = channel.send(message, now=self.now)
        except Retryable as error:
            return self._again(error)
        except Unusable as error:
            return self._bury(str(error))
        except Doubtful as error:
            return self._record(Reason.UNKNOWN, str(error))
        return self._record(Reason.DELIVERED, remote_id=remote_id)

    def _message(self) -> Message | None:
        topic = self.p.topics.get(self._alert.topic_id)
        with self.p.ledger.read() as t:
            shown = (topic.topic if topic else "") or self._alert.topic_id
            message = messages.message(t, self._alert, topic=shown, now=self.now)
        return message and replace(message, quotes=quotes(message.article, self._alert.evidence))

    def _begin(self) -> None:
        with self.p.ledger.write() as t:
            outbox.begin(t, self.claim, now=self.now)

    def _again(self, error: Retryable) -> Outcome:
        if self.claim.attempt >= MAX_ATTEMPTS:
            return self._bury(str(error))
        due = retry_at(self.now, attempt=self.claim.attempt, jitter=self.p.jitter(), after=error.after)
        return self._record(Reason.RETRY, str(error), due_at=due)

    def _record(
        self, outcome: Reason, detail: str = "", *, due_at: datetime | None = None, remote_id: str | None = None
    ) -> Outcome:
        ended = self._delivery(outcome, detail, remote_id)
        self._write(lambda t: outbox.record(t, self.claim, ended, due_at=due_at), ended)
        return self._outcome(ended)

    def _bury(self, reason: str) -> Outcome:
        ended = self._delivery(Reason.DEAD, reason)

        def write(t: Transaction) -> None:
            outbox.add_delivery(t, ended)
            dead.bury(t, self.claim, kind="alert", subject=self._alert.key, reason=reason, now=self.now)

        self._write(write, ended)
        return self._outcome(ended)

    def _write(self, write: Callable[[Transaction], None], ended: Delivery) -> None:
        """Write how the attempt ended, once, also when the ledger goes away in the middle of a commit.

        Raises:
            LeaseLost: another worker has claimed the alert, or it was given back.
        """

        def attempt() -> None:
            try:
                with self.p.ledger.write() as t:
                    write(t)
            except LeaseLost:
                # Lost to ourselves: the try before this one had come through, and only its answer was lost.
                with self.p.ledger.read() as t:
                    if not outbox.has_delivery(t, ended):
                        raise

        self._persist(attempt)

    def _persist(self, write: Callable[[], T]) -> T:
        return persist(write, waits=self.waits, sleep=self.sleep)

    def _delivery(self, outcome: Reason, detail: str, remote_id: str | None = None) -> Delivery:
        return Delivery(
            alert_key=self._alert.key,
            at=self.now,
            attempt=self.claim.attempt,
            outcome=outcome,
            detail=detail,
            remote_id=remote_id,
        )

    def _outcome(self, ended: Delivery) -> Outcome:
        alert = self._alert
        facts = {
            "topic": alert.topic_id,
            "story": alert.story_id,
            "channel": alert.channel_id,
            "role": alert.role.value,
        }
        return Outcome(stage="deliver", subject=alert.key, reason=ended.outcome, detail=ended.detail, facts=facts)
