"""How workers share the rows of the ledger."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event

from tests.builders import NOON, alert, article, at, entry, feed
from tests.rows import new
from worker.ledger import dead, decided, entries, feeds, outbox, overview, ready
from worker.ledger.engine import Ledger, open_file
from worker.ledger.leases import BASE, CAP, LEASE, LeaseLost, retry_at
from worker.ledger.tables import alias as alias_table
from worker.ledger.tables import entry as entry_table
from worker.model import Delivery, Reason, Role


def add_entries(ledger: Ledger, count: int) -> None:
    """Queue some entries at noon."""
    with ledger.write() as t:
        entries.add(t, new(*(entry(n) for n in range(count))), now=NOON)


def test_a_claim_takes_due_rows_oldest_first_and_hides_them(either_ledger: Ledger) -> None:
    """What one worker has in hand no other worker gets."""
    with either_ledger.write() as t:
        feeds.sync(t, [feed(id=f"f-{n}") for n in range(3)], now=NOON)
        first = feeds.claim(t, now=at(1), limit=2)
        second = feeds.claim(t, now=at(1), limit=2)
        third = feeds.claim(t, now=at(1), limit=2)
    assert [c.id for c in first] == ["f-0", "f-1"]
    assert [c.id for c in second] == ["f-2"]
    assert third == []
    assert {c.attempt for c in first + second} == {1}


def test_a_row_is_not_claimed_before_it_is_due(either_ledger: Ledger) -> None:
    """Entries of noon are nothing for a worker whose clock says 11:59."""
    add_entries(either_ledger, 1)
    with either_ledger.write() as t:
        assert entries.claim(t, now=at(-1), limit=9) == []


def test_a_row_whose_lease_ran_out_is_claimed_alone(either_ledger: Ledger) -> None:
    """A row that kills its worker takes no neighbour with it the second time."""
    add_entries(either_ledger, 4)
    with either_ledger.write() as t:
        entries.claim(t, now=NOON, limit=2)
    later = NOON + LEASE
    with either_ledger.write() as t:
        again = [entries.claim(t, now=later, limit=10) for _ in range(3)]
    assert [len(claims) for claims in again] == [1, 1, 2]
    assert [claims[0].attempt for claims in again] == [2, 2, 1]


def test_a_worker_that_lost_its_lease_writes_nothing(either_ledger: Ledger) -> None:
    """The fence: the token of a lease that was given to another is refused, and the transaction with it."""
    add_entries(either_ledger, 1)
    with either_ledger.write() as t:
        (stale,) = entries.claim(t, now=NOON, limit=1)
    with either_ledger.write() as t:
        (fresh,) = entries.claim(t, now=NOON + LEASE, limit=1)
    with pytest.raises(LeaseLost), either_ledger.write() as t:
        entries.add_article(t, article(), now=NOON)
        entries.finish(t, stale, reason=Reason.PAGE)
    with either_ledger.write() as t:
        assert entries.get_article(t, "a-1") is None
        entries.finish(t, fresh, reason=Reason.PAGE)


def test_every_row_is_worked_on_once_by_eight_workers(tmp_path: Path) -> None:
    """Concurrent claims on one file never give a row to two workers."""
    path = tmp_path / "shared.sqlite"
    first = open_file(path, durable=False)
    add_entries(first, 120)
    taken: Counter[int] = Counter()
    lock = threading.Lock()

    def work() -> None:
        own = open_file(path, durable=False)
        while True:
            with own.write() as t:
                claims = entries.claim(t, now=at(1), limit=7)
            if not claims:
                break
            with lock:
                taken.update(c.id for c in claims)
        own.close()

    workers = [threading.Thread(target=work) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=60)
    first.close()
    assert len(taken) == 120
    assert set(taken.values()) == {1}


def test_what_has_just_come_in_is_claimed_beside_what_is_old(either_ledger: Ledger) -> None:
    """While more is due than a claim takes, a quarter of it are the newest; the rest drains oldest first."""
    with either_ledger.write() as t:
        for minute in range(20):
            entries.add(t, new(entry(minute)), now=at(minute))
    with either_ledger.write() as t:
        claimed = [[c.value.entry.title for c in entries.claim(t, now=at(60), limit=8)] for _ in range(3)]
    numbers = [[int(title.split()[1]) for title in titles] for titles in claimed]
    assert numbers == [[0, 1, 2, 3, 4, 5, 18, 19], [6, 7, 8, 9, 10, 11, 16, 17], [12, 13, 14, 15]]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    due=st.lists(st.integers(0, 30), max_size=30),
    limits=st.lists(st.integers(1, 9), min_size=1, max_size=5),
    late=st.lists(st.integers(0, 30), max_size=8),
)
def test_every_due_row_is_claimed_once_whatever_comes_in_meanwhile(
    either_ledger: Ledger, due: list[int], limits: list[int], late: list[int]
) -> None:
    """The oldest is in every claim, so nothing starves; nothing is given out twice."""
    numbers = iter(range(1000))
    with either_ledger.write() as t:
        t.execute(entry_table.delete())
        t.execute(alias_table.delete())
        for minute in due:
            entries.add(t, new(entry(next(numbers))), now=at(minute))
    taken: list[tuple[Any, int]] = []
    for turn in range(100):
        with either_ledger.write() as t:
            if turn == 1:
                for minute in late:
                    entries.add(t, new(entry(next(numbers))), now=at(minute))
            oldest = overview.next_due(t, "read")
            claims = entries.claim(t, now=at(60), limit=limits[turn % len(limits)])
        if not claims and turn > 1:
            break
        if claims:
            assert claims[0].value.first_seen_at == oldest
        taken += [(claim.id, claim.attempt) for claim in claims]
        with either_ledger.write() as t:
            for claim in claims:
                entries.finish(t, claim, reason=Reason.PAGE)
    assert len(taken) == len(set(taken)) == len(due) + len(late)


class Heard:
    """A driver's cursor that notes what it is asked."""

    def __init__(self, cursor: Any, asked: list[tuple[str, Any]]) -> None:
        self._cursor, self._asked = cursor, asked

    def execute(self, text: str, parameters: Any) -> None:
        """Run a statement."""
        self._asked.append((text, tuple(parameters)))
        self._cursor.execute(text, parameters)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)


def test_a_backlog_is_walked_by_its_indexes(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """No claim looks through what is open, or sorts it, so that it costs the same however much waits."""
    add_entries(ledger, 4)
    asked: list[tuple[str, Any]] = []

    def heard(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
        asked.append((statement, parameters))

    opened = ready._cursor
    monkeypatch.setattr(ready, "_cursor", lambda t: Heard(opened(t), asked))
    event.listen(ledger._engine, "before_cursor_execute", heard)
    with ledger.write() as t:
        claims = entries.claim(t, now=at(1), limit=2)
        entries.pages_in_hand(t, [claim.id for claim in claims])
        overview.next_due(t, "read")
    event.remove(ledger._engine, "before_cursor_execute", heard)
    plans = []
    with ledger.read() as t:
        for text, values in asked:
            if "entry" in text:
                plans.append([row[3] for row in t.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", values)])
    found = [next(line for line in plan if "ix_entry" in line) for plan in plans]
    in_hand, by_age = "ix_entry_lease_until (lease_until>?", "ix_entry_work_due_at_id (work=?"
    expected = [in_hand, by_age, by_age, in_hand, by_age, in_hand]
    assert [place in line for place, line in zip(expected, found, strict=True)] == [True] * 6
    assert not [line for plan in plans for line in plan if "TEMP B-TREE" in line]


@given(st.integers(1, 40), st.floats(0, 1))
def test_retries_wait_within_full_jitter(attempt: int, jitter: float) -> None:
    """Never sooner than a second, never later than the cap."""
    wait = retry_at(NOON, attempt=attempt, jitter=jitter) - NOON
    assert timedelta(seconds=1) <= wait <= max(min(CAP, BASE * 2.0 ** (attempt - 1)), timedelta(seconds=1))


def test_what_the_other_side_asks_for_is_a_floor_with_a_bound() -> None:
    """Retry-After counts, but not for longer than an hour."""
    assert retry_at(NOON, attempt=1, jitter=0.0, after=timedelta(minutes=5)) == at(5)
    assert retry_at(NOON, attempt=1, jitter=0.0, after=timedelta(days=9)) == NOON + CAP


@given(st.integers(1, 40), st.floats(0, 1), st.none() | st.timedeltas(timedelta(0), timedelta(days=400)))
def test_alerts_are_sent_again_by_a_schedule_and_not_sooner_than_asked_for(
    attempt: int, jitter: float, after: timedelta | None
) -> None:
    """The wait is that of the schedule, a fifth longer at most, or what the receiver asks for, a day at most."""
    wait = outbox.retry_at(NOON, attempt=attempt, jitter=jitter, after=after) - NOON
    planned = outbox.SCHEDULE[min(attempt, len(outbox.SCHEDULE)) - 1]
    floor = min(after or timedelta(0), outbox.CAP)
    assert max(planned, floor) <= wait <= max(planned * (1 + outbox.SPREAD), floor)


def test_alerts_are_tried_for_three_days() -> None:
    """0, 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h: as Standard Webhooks says."""
    assert (outbox.ATTEMPTS, len(outbox.SCHEDULE)) == (10, 9)
    assert timedelta(days=3) < sum(outbox.SCHEDULE, timedelta(0)) < timedelta(days=3.5)


def test_an_update_waits_for_what_it_updates(either_ledger: Ledger) -> None:
    """Alerts of one topic, story and channel go out in order; others do not wait for them."""
    with either_ledger.write() as t:
        decided.add(t, alert(1, due_at=at(5)))
        decided.add(t, alert(2, role=Role.REPORT, due_at=NOON))
        decided.add(t, alert(3, channel_id="other", due_at=NOON))
    with either_ledger.write() as t:
        (other,) = outbox.claim(t, now=at(1), limit=9)
        assert other.value[0].key == "key-0003"
        outbox.record(t, other, Delivery(alert_key="key-0003", at=at(1), attempt=1, outcome=Reason.DELIVERED))
        (first,) = outbox.claim(t, now=at(5), limit=9)
        assert first.value[0].key == "key-0001"
        done = Delivery(alert_key="key-0001", at=at(5), attempt=1, outcome=Reason.DELIVERED)
        outbox.record(t, first, done)
        assert [c.value[0].key for c in outbox.claim(t, now=at(5), limit=9)] == ["key-0002"]


def test_an_alert_exists_once(either_ledger: Ledger) -> None:
    """The key is unique, whoever decides it again."""
    with either_ledger.write() as t:
        assert decided.add(t, alert(1))
        assert not decided.add(t, alert(1))


def test_a_started_alert_shows_its_doubt_to_the_next_worker(either_ledger: Ledger) -> None:
    """Whoever claims it after a crash learns when it was started."""
    with either_ledger.write() as t:
        decided.add(t, alert(1))
        (claim,) = outbox.claim(t, now=NOON, limit=1)
        outbox.begin(t, claim, now=at(1))
    with either_ledger.write() as t:
        # Its lease counts from the beginning of the attempt.
        assert outbox.claim(t, now=NOON + LEASE, limit=1) == []
        (again,) = outbox.claim(t, now=at(1) + LEASE, limit=1)
    assert again.value[1] == at(1)


def test_only_what_was_not_begun_is_given_back(either_ledger: Ledger) -> None:
    """Of two claims the one that was begun keeps its lease: whether it was sent is known to who sends it."""
    with either_ledger.write() as t:
        decided.add(t, alert(1))
        decided.add(t, alert(2, story_id="s-2"))
        begun, idle = outbox.claim(t, now=NOON, limit=2)
        outbox.begin(t, begun, now=NOON)
        outbox.release(t, [begun, idle])
        (again,) = outbox.claim(t, now=NOON, limit=9)
    assert (again.id, again.attempt, again.value[1]) == (idle.id, 1, None)


def test_a_doubt_survives_being_given_back(either_ledger: Ledger) -> None:
    """Whoever claims it next must still ask the receiver."""
    with either_ledger.write() as t:
        decided.add(t, alert(1))
        (claim,) = outbox.claim(t, now=NOON, limit=1)
        outbox.begin(t, claim, now=NOON)
        (doubted,) = outbox.claim(t, now=NOON + LEASE, limit=1)
        outbox.release(t, [doubted])
        (again,) = outbox.claim(t, now=NOON + LEASE, limit=1)
    assert (again.attempt, again.value[1]) == (2, NOON)


def test_dead_letters_are_kept_shown_and_given_back(either_ledger: Ledger) -> None:
    """A redriven entry starts from its first attempt, and its letter is settled."""
    add_entries(either_ledger, 1)
    with either_ledger.write() as t:
        (claim,) = entries.claim(t, now=NOON, limit=1)
        dead.bury(t, claim, kind="entry", subject="https://wire.example/0", reason="boom", now=NOON)
        assert entries.claim(t, now=at(9), limit=1) == []
        (letter,) = dead.letters(t)
        assert (letter.reason, letter.attempts, letter.kind) == ("boom", 1, "entry")
        assert dead.redrive(t, letter, now=at(10))
        assert dead.letters(t) == []
        (settled,) = dead.letters(t, everything=True)
        assert not dead.redrive(t, settled, now=at(11))
        (again,) = entries.claim(t, now=at(10), limit=1)
    assert again.attempt == 1


def test_known_entries_are_not_queued_again(either_ledger: Ledger) -> None:
    """The identity of an entry is its feed and key."""
    with either_ledger.write() as t:
        assert len(entries.add(t, new(entry(1), entry(2), reason=Reason.BASELINE), now=NOON)) == 2
        assert entries.add(t, new(entry(1)), now=at(1)) == []
        assert len(entries.add(t, new(entry(1, feed_id="other")), now=at(1))) == 1
        assert entries.known(t, "wire", ["https://wire.example/1", "x"]).keys() == {"https://wire.example/1"}
