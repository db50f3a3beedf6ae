"""Sending, step by step: what is begun, given back, and written down when the ledger is away at the wrong moment."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from tests.builders import NOON, at
from tests.pipeline.conftest import House
from tests.pipeline.receivers import due, several
from tests.pipeline.test_stages import Moody, reasons
from worker.channels.base import Doubtful
from worker.errors import DiskFull, LedgerAway, LedgerError, Retryable, Unusable
from worker.ledger import dead, outbox, overview
from worker.ledger.engine import Ledger, Transaction
from worker.ledger.leases import LEASE
from worker.ledger.persist import WAITS
from worker.model import Outgoing, Reason
from worker.stages import deliver

_write = Ledger.write


def ready(house: House, channel: Moody, *, count: int = 1) -> None:
    """Put alerts about different stories into the outbox, due at noon."""
    house.change(channels={"screen": channel}, policy=replace(house.p.policy, group_wait=timedelta(0)))
    due(house, *several(count))


class Trouble:
    """Writes of the ledger that fail as they are told: before the commit, or after it with its answer lost."""

    def __init__(self, *plan: LedgerError | str | None) -> None:
        self._plan = list(plan)
        self.writes = 0

    def as_method(self) -> Callable[[Ledger], object]:
        """Return what stands in for ``Ledger.write``."""

        @contextmanager
        def write(ledger: Ledger) -> Iterator[Transaction]:
            self.writes += 1
            end = self._plan.pop(0) if self._plan else None
            if isinstance(end, LedgerError):
                raise end
            with _write(ledger) as t:
                yield t
            if end == "lost":
                raise LedgerAway("the connection was lost in the commit")

        return write


def works(house: House) -> dict[str, int]:
    """Return how many alerts are open, delivered, in doubt and dead."""
    with house.p.ledger.read() as t:
        found = overview.channels(t)["screen"]
    return {name: found[name] for name in ("open", "delivered", "unknown", "dead") if found[name]}


@pytest.mark.parametrize(
    ("moods", "ended"),
    [
        ([], (Reason.DELIVERED, {"delivered": 1})),
        ([Doubtful("the answer was lost")], (Reason.UNKNOWN, {"unknown": 1})),
        ([Retryable("busy")], (Reason.RETRY, {"open": 1})),
        ([Unusable("gone")], (Reason.DEAD, {"dead": 1})),
    ],
    ids=["sent", "doubtful", "busy", "refused"],
)
@pytest.mark.parametrize(
    "trouble",
    [
        [LedgerAway("away"), LedgerAway("away")],
        [DiskFull("full")],
        ["lost"],
        ["lost", LedgerAway("away")],
    ],
    ids=["away", "full", "answer-lost", "answer-lost-then-away"],
)
def test_how_sending_ended_is_written_when_the_ledger_is_back(
    house: House,
    monkeypatch: pytest.MonkeyPatch,
    moods: list[Exception],
    ended: tuple[Reason, dict[str, int]],
    trouble: list[LedgerError | str],
) -> None:
    """Only this process knows it: it waits, and writes it once, also when the first try had come through unheard."""
    channel = Moody(*moods)
    ready(house, channel)
    ((one,), _) = deliver.claim(house.p, now=NOON)
    # The first write begins the attempt.
    monkeypatch.setattr(Ledger, "write", Trouble(None, *trouble).as_method())
    slept: list[float] = []
    outcome = deliver.do(house.p, one, now=NOON, sleep=slept.append)
    monkeypatch.setattr(Ledger, "write", _write)
    assert (outcome.reason, works(house)) == ended
    assert slept == list(WAITS[: len(trouble)])
    with house.p.ledger.read() as t:
        assert t.exec_driver_sql("SELECT count(*) FROM delivery").scalar_one() == 1
        assert len(dead.letters(t)) == (outcome.reason is Reason.DEAD)


@pytest.mark.parametrize("trouble", [[LedgerAway("away")], ["lost"]], ids=["away", "answer-lost"])
def test_an_attempt_begins_once_however_often_that_is_written(
    house: House, monkeypatch: pytest.MonkeyPatch, trouble: list[LedgerError | str]
) -> None:
    """The ledger is away before anything is sent: it is waited for, and the alert is sent once."""
    channel = Moody()
    ready(house, channel)
    ((one,), _) = deliver.claim(house.p, now=NOON)
    monkeypatch.setattr(Ledger, "write", Trouble(*trouble).as_method())
    assert deliver.do(house.p, one, now=NOON, sleep=lambda _: None).reason is Reason.DELIVERED
    monkeypatch.setattr(Ledger, "write", _write)
    assert (len(channel.sent), works(house)) == (1, {"delivered": 1})


@pytest.mark.parametrize(("has", "reason"), [(True, Reason.DELIVERED), (None, Reason.UNKNOWN)])
def test_a_ledger_that_stays_away_leaves_a_doubt_and_no_second_message(
    house: House, monkeypatch: pytest.MonkeyPatch, has: bool | None, reason: Reason
) -> None:
    """The error is raised after a minute of waiting; whoever claims the alert then asks the receiver."""
    channel = Moody(has=has)
    ready(house, channel)
    ((one,), _) = deliver.claim(house.p, now=NOON)
    monkeypatch.setattr(Ledger, "write", Trouble(None, *[LedgerAway("away")] * 99).as_method())
    slept: list[float] = []
    with pytest.raises(LedgerAway):
        deliver.do(house.p, one, now=NOON, sleep=slept.append)
    monkeypatch.setattr(Ledger, "write", _write)
    assert slept == list(WAITS)
    assert works(house) == {"open": 1}
    assert reasons(house.deliver(NOON + LEASE)) == [reason]
    assert len(channel.sent) == 1


def test_a_replay_does_not_wait_for_a_full_disk(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """It tells a person at once, who makes room and starts again."""
    ready(house, Moody(has=True))
    trouble = Trouble(None, None, DiskFull("full"))
    monkeypatch.setattr(Ledger, "write", trouble.as_method())
    with pytest.raises(DiskFull):
        house.deliver(NOON)
    assert trouble.writes == 3


def test_a_lease_that_ran_out_before_the_channel_was_called_is_renewed(house: House) -> None:
    """The last of a batch that took long: nobody has claimed it, so it is sent, and nobody takes it meanwhile."""
    channel = Moody()
    ready(house, channel)
    ((one,), _) = deliver.claim(house.p, now=NOON)
    late = NOON + LEASE + timedelta(minutes=5)

    class Looking(Moody):
        def send(self, message: Outgoing, *, now: datetime) -> str | None:
            assert deliver.claim(house.p, now=now + timedelta(minutes=1)) == ([], [])
            return super().send(message, now=now)

    house.change(channels={"screen": Looking()})
    assert deliver.do(house.p, one, now=late).reason is Reason.DELIVERED


def test_an_alert_that_another_has_claimed_is_not_sent(house: House) -> None:
    """The token is asked for before the channel is called."""
    channel = Moody()
    ready(house, channel)
    ((stale,), _) = deliver.claim(house.p, now=NOON)
    ((fresh,), _) = deliver.claim(house.p, now=NOON + LEASE)
    assert deliver.do(house.p, stale, now=NOON + LEASE).reason is Reason.RETRY
    assert channel.sent == []
    assert deliver.do(house.p, fresh, now=NOON + LEASE).reason is Reason.DELIVERED


def test_what_was_not_begun_goes_back_and_is_sent_by_the_next(house: House) -> None:
    """A worker that stops: one alert is on its way and ends as it ends, the other is due at once without a charge."""
    channel = Moody()
    ready(house, channel, count=2)
    (claims, _) = deliver.claim(house.p, now=NOON)
    begun, idle = claims
    with house.p.ledger.write() as t:
        outbox.begin(t, begun, now=NOON)
    deliver.release(house.p, claims, now=NOON)
    ((again,), _) = deliver.claim(house.p, now=NOON)
    assert (again.id, again.attempt) == (idle.id, 1)
    # The thread that had it in hand comes late.
    assert deliver.do(house.p, idle, now=NOON).reason is Reason.RETRY
    assert deliver.do(house.p, again, now=NOON).reason is Reason.DELIVERED
    assert len(channel.sent) == 1


def test_many_alerts_are_sent_by_many_threads_at_once(house: House) -> None:
    """Each once, although they share the ledger."""
    count = 12
    channel = Moody()
    ready(house, channel, count=count)
    (claims, _) = deliver.claim(house.p, now=NOON, limit=count)
    with house.p.ledger.read() as t:
        alerts = t.exec_driver_sql("SELECT count(*) FROM alert").scalar_one()
    assert len(claims) == alerts == count
    start, outcomes = threading.Barrier(count), []

    def work(number: int) -> None:
        start.wait(30)
        outcomes.append(deliver.do(house.p, claims[number], now=at(1)))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert {outcome.reason for outcome in outcomes} == {Reason.DELIVERED}
    assert len(channel.sent) == len(set(channel.sent)) == count
    assert works(house) == {"delivered": count}
