"""How workers share the rows of the ledger."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import NOON, alert, article, at, entry
from tests.rows import new
from worker.ledger import dead, entries, outbox
from worker.ledger.engine import Ledger, open_file
from worker.ledger.leases import BASE, CAP, LEASE, LeaseLost, retry_at
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


@given(st.integers(1, 40), st.floats(0, 1))
def test_retries_wait_within_full_jitter(attempt: int, jitter: float) -> None:
    """Never sooner than a second, never later than the cap."""
    wait = retry_at(NOON, attempt=attempt, jitter=jitter) - NOON
    assert timedelta(seconds=1) <= wait <= max(min(CAP, BASE * 2.0 ** (attempt - 1)), timedelta(seconds=1))


def test_what_the_other_side_asks_for_is_a_floor_with_a_bound() -> None:
    """Retry-After counts, but not for longer than an hour."""
    assert retry_at(NOON, attempt=1, jitter=0.0, after=timedelta(minutes=5)) == at(5)
    assert retry_at(NOON, attempt=1, jitter=0.0, after=timedelta(days=9)) == NOON + CAP


def test_an_update_waits_for_what_it_updates(either_ledger: Ledger) -> None:
    """Alerts of one topic, story and channel go out in order; others do not wait for them."""
    with either_ledger.write() as t:
        outbox.add(t, alert(1, due_at=at(5)))
        outbox.add(t, alert(2, role=Role.REPORT, due_at=NOON))
        outbox.add(t, alert(3, channel_id="other", due_at=NOON))
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
        assert outbox.add(t, alert(1))
        assert not outbox.add(t, alert(1))


def test_a_started_alert_shows_its_doubt_to_the_next_worker(either_ledger: Ledger) -> None:
    """Whoever claims it after a crash learns when it was started."""
    with either_ledger.write() as t:
        outbox.add(t, alert(1))
        (claim,) = outbox.claim(t, now=NOON, limit=1)
        outbox.begin(t, claim, now=at(1))
    with either_ledger.write() as t:
        # Its lease counts from the beginning of the attempt.
        assert outbox.claim(t, now=NOON + LEASE, limit=1) == []
        (again,) = outbox.claim(t, now=at(1) + LEASE, limit=1)
    assert again.value[1] == at(1)


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
