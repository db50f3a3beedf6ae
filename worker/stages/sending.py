"""One alert on its way: from the claim to its certain end, or to a doubt that is written down.

How sending has ended decides what follows:

==================================  ====================================================================================
``send`` returns                    delivered
``Busy``                            the channel waits, and all its alerts with it; no attempt is charged
``Retryable``                       sent again later, after the last attempt a dead letter
``Unusable``                        a dead letter
``Disabled``                        the channel takes nothing more; its alerts wait, or go to its fallback
``Doubtful``, a worker that died    the channel is asked (``find``): delivered, or sent again; where nobody can tell,
                                    held (``unknown``), or sent again as a possible repeat if the policy says so
==================================  ====================================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeVar

from worker.channels.base import NOBODY_KNOWS, Busy, Channel, Disabled, Doubtful, Found
from worker.errors import Retryable, Unusable
from worker.ledger import channels, dead, outbox, shown
from worker.ledger.engine import Transaction
from worker.ledger.leases import Claim, LeaseLost
from worker.ledger.outbox import ATTEMPTS, CAP, Due
from worker.ledger.persist import persist
from worker.model import Alert, Delivery, Outgoing, Reason
from worker.stages import counting, ways
from worker.stages.composing import Gone, Off, as_begun, compose
from worker.stages.pipeline import Outcome, Pipeline

#: How long a channel is left alone that asks for it and does not say for how long.
HOLD = timedelta(seconds=30)
DIED = "its worker died while it was being sent"

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """An attempt that is written down as begun."""

    outgoing: Outgoing
    channel: Channel


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """The channel is not to be called now; the alert went back."""

    reason: Reason
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """One alert on its way."""

    p: Pipeline
    claim: Claim[Due]
    now: datetime
    waits: Sequence[float]
    sleep: Callable[[float], object]

    @property
    def _alert(self) -> Alert:
        return self.claim.value.alert

    @property
    def _resends(self) -> bool:
        return self.p.recipient(self._alert.channel_id).policy.on_unknown == "resend"

    def outcome(self) -> Outcome:
        """Send the alert, write down what came of it, and return that."""
        try:
            return self._outcome()
        except LeaseLost as lost:
            return self._said(Reason.RETRY, str(lost))

    def _outcome(self) -> Outcome:
        gone = "" if self._alert.channel_id in self.p.channels else "its channel is configured no longer"
        died: Delivery | None = None
        if self.claim.value.started_at is not None:
            found = self._found(self.claim.value.started_at)
            if found.arrived:
                return self._end(Reason.DELIVERED, f"found at the receiver; {DIED}", remote_id=found.remote_id)
            if found.arrived is None and (gone or not self._resends):
                return self._end(Reason.UNKNOWN, _joined(DIED, gone))
            died = self._died(self.claim.value.started_at, found)
        repeat = self._alert.repeat or (died is not None and died.outcome is Reason.UNKNOWN)
        if gone:
            return self._bury(f"channel {self._alert.channel_id} is configured no longer")
        if self.claim.attempt > ATTEMPTS:
            return self._given_up(f"not delivered in {ATTEMPTS} attempts", repeat=repeat)
        return self._send(died, repeat=repeat)

    def _send(self, died: Delivery | None, *, repeat: bool) -> Outcome:
        begun = self._persist(lambda: self._begin(died, repeat=repeat))
        match begun:
            case Waits():
                return self._said(begun.reason, f"until {begun.until:%Y-%m-%d %H:%M:%S} UTC")
            case Off():
                return self._said(begun.reason, begun.detail)
            case Gone():
                return self._bury(begun.detail)
            case Begun():
                return self._attempt(begun)

    def _attempt(self, begun: Begun) -> Outcome:
        by, channel = ways.through(begun.channel.id, self._alert.channel_id), begun.channel
        if begun.outgoing.alert.repeat and self.claim.attempt > 1:
            found = channel.find(begun.outgoing, since=begun.outgoing.at)
            if found.arrived:
                said = _joined(by, "found at the receiver, and not sent again")
                return self._end(Reason.DELIVERED, said, remote_id=found.remote_id, through=channel.id)
        try:
            remote_id = channel.send(begun.outgoing, now=self.now)
        except (Retryable, Unusable, Disabled, Doubtful) as error:
            return self._not_taken(begun, error)
        return self._end(Reason.DELIVERED, by, remote_id=remote_id, through=channel.id)

    def _not_taken(self, begun: Begun, error: Retryable | Unusable | Disabled | Doubtful) -> Outcome:
        match error:
            case Busy():
                return self._busy(begun, error)
            case Retryable():
                return self._again(begun, str(error), after=error.after)
            case Unusable():
                return self._bury(str(error))
            case Disabled():
                return self._disabled(begun, str(error))
            case Doubtful():
                return self._doubtful(begun, str(error))

    def _found(self, started_at: datetime) -> Found:
        """Return what the channel says of an attempt whose worker died in it."""
        due = self.claim.value
        name = shown.through(due.shown) if due.shown is not None else due.alert.channel_id
        channel = self.p.channels.get(name)
        outgoing = self._persist(self._as_begun)
        if channel is None or outgoing is None:
            return NOBODY_KNOWS
        # One that was sent several times may have arrived with any of them.
        return channel.find(outgoing, since=min(outgoing.at, started_at))

    def _as_begun(self) -> Outgoing | None:
        with self.p.ledger.read() as t:
            return as_begun(t, self.p, self.claim.value, now=self.now)

    def _died(self, started_at: datetime, found: Found) -> Delivery:
        """Return the attempt whose worker died, after which the alert is sent again."""
        known = found.arrived is False
        said = "the receiver has not got it" if known else "nobody can tell whether it has arrived"
        ended = self._delivery(Reason.RETRY if known else Reason.UNKNOWN, f"{DIED}; {said}")
        return replace(ended, at=started_at, attempt=max(self.claim.attempt - 1, 1))

    def _begin(self, died: Delivery | None, *, repeat: bool) -> Begun | Waits | Off | Gone:
        """Write that the channel is about to be called, and with what, if it may be."""
        due, channel_id = self.claim.value, self._alert.channel_id
        with self.p.ledger.write() as t:
            before = outbox.begun(t, self.claim, now=self.now)
            if before is not None:
                return self._begun(shown.from_json(before, self._alert), shown.through(before), repeat=repeat)
            by = ways.way(self.p, channels.states(t), channel_id, now=self.now)
            until = ways.take_place(t, self.p, by, now=self.now)
            if until is not None:
                reason = Reason.CHANNEL_DISABLED if by.disabled else Reason.CHANNEL_WAITS
                outbox.wait(t, self.claim, until=until, reason=reason)
                return Waits(reason=reason, until=until)
            outgoing = compose(t, self.p, due, now=self.now)
            if isinstance(outgoing, Gone):
                return outgoing
            if isinstance(outgoing, Off):
                outbox.turn_off(t, self.claim, why=str(outgoing))
                return outgoing
            if died is not None:
                outbox.add_delivery(t, died)
                counting.delivered(t, self._alert, died, now=self.now)
            kept = shown.to_json(outgoing, through=by.channel_id)
            outbox.begin(t, self.claim, now=self.now, shown=kept, repeat=repeat)
        return self._begun(outgoing, by.channel_id, repeat=repeat)

    def _begun(self, outgoing: Outgoing, channel_id: str, *, repeat: bool) -> Begun:
        outgoing = replace(outgoing, alert=replace(outgoing.alert, attempt=self.claim.attempt, repeat=repeat))
        if channel_id != self._alert.channel_id:
            outgoing = ways.elsewhere(outgoing)
        return Begun(outgoing=outgoing, channel=self.p.channels[channel_id])

    def _busy(self, begun: Begun, error: Busy) -> Outcome:
        until = self.now + min(HOLD if error.after is None else error.after, CAP)
        ended = self._delivery(Reason.CHANNEL_WAITS, str(error))

        def write(t: Transaction) -> None:
            outbox.record(t, self.claim, ended, due_at=until)
            channels.hold(t, begun.channel.id, until=until)
            self._look_at(t, begun.channel, str(error))

        return self._write(write, ended)

    def _again(self, begun: Begun, reason: str, *, after: timedelta | None = None, repeat: bool = False) -> Outcome:
        if self.claim.attempt >= ATTEMPTS:
            return self._given_up(reason, repeat=repeat or begun.outgoing.alert.repeat)
        ended = self._delivery(Reason.RETRY, reason)
        due_at = outbox.retry_at(self.now, attempt=self.claim.attempt, jitter=self.p.jitter(), after=after)

        def write(t: Transaction) -> None:
            outbox.record(t, self.claim, ended, due_at=due_at, repeat=repeat)
            self._look_at(t, begun.channel, reason)

        return self._write(write, ended)

    def _look_at(self, t: Transaction, channel: Channel, reason: str) -> None:
        """Disable a channel to which nothing has been delivered for days."""
        if said := channels.failing(t, channel.id, now=self.now):
            ways.disable(t, self.p, channel.id, reason=f"{said}; the last one: {reason}", now=self.now)

    def _disabled(self, begun: Begun, reason: str) -> Outcome:
        ended = self._delivery(Reason.CHANNEL_DISABLED, reason)

        def write(t: Transaction) -> None:
            # At once: whether somebody stands in for the channel is seen when it is claimed.
            outbox.record(t, self.claim, ended, due_at=self.now)
            ways.disable(t, self.p, begun.channel.id, reason=reason, now=self.now)

        return self._write(write, ended)

    def _doubtful(self, begun: Begun, reason: str) -> Outcome:
        found = begun.channel.find(begun.outgoing, since=self.now)
        if found.arrived:
            said = f"found at the receiver; {reason}"
            return self._end(Reason.DELIVERED, said, remote_id=found.remote_id, through=begun.channel.id)
        if found.arrived is False:
            return self._again(begun, f"{reason}; the receiver has not got it")
        if self._resends:
            return self._again(begun, f"{reason}; nobody can tell, and it is sent again", repeat=True)
        return self._end(Reason.UNKNOWN, reason)

    def _given_up(self, reason: str, *, repeat: bool) -> Outcome:
        """End an alert after its last attempt: what may have arrived with one of them is in doubt, and not dead."""
        if repeat:
            return self._end(Reason.UNKNOWN, f"{reason}; an earlier attempt may have arrived")
        return self._bury(reason)

    def _end(self, outcome: Reason, detail: str, *, remote_id: str | None = None, through: str = "") -> Outcome:
        ended = self._delivery(outcome, detail, remote_id)
        other = "" if through in {"", self._alert.channel_id} else through
        return self._write(lambda t: outbox.record(t, self.claim, ended, through=other), ended)

    def _bury(self, reason: str) -> Outcome:
        ended = self._delivery(Reason.DEAD, reason)

        def write(t: Transaction) -> None:
            outbox.add_delivery(t, ended)
            dead.bury(t, self.claim, kind="alert", subject=self._alert.key, reason=reason, now=self.now)

        return self._write(write, ended)

    def _write(self, write: Callable[[Transaction], None], ended: Delivery) -> Outcome:
        """Write how the attempt ended, once, also when the ledger goes away in the middle of a commit.

        Raises:
            LeaseLost: another worker has claimed the alert, or it was given back.
        """

        def attempt() -> None:
            try:
                with self.p.ledger.write() as t:
                    write(t)
                    counting.delivered(t, self._alert, ended, now=self.now)
            except LeaseLost:
                # Lost to ourselves: the try before this one had come through, and only its answer was lost.
                with self.p.ledger.read() as t:
                    if not outbox.has_delivery(t, ended):
                        raise

        self._persist(attempt)
        return self._said(ended.outcome, ended.detail)

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

    def _said(self, reason: Reason, detail: str = "") -> Outcome:
        alert = self._alert
        facts = {
            "article": alert.article_id,
            "topic": alert.topic_id,
            "story": alert.story_id,
            "channel": alert.channel_id,
            "role": alert.role.value,
        }
        return Outcome(stage="deliver", subject=alert.key, reason=reason, detail=detail, facts=facts)


def _joined(*parts: str) -> str:
    return "; ".join(part for part in parts if part)
