"""What the ledger is asked at every scrape."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert, update

from tests.builders import NOON, alert, at, match
from tests.builders import feed as a_feed
from worker.ledger import decided, entries, feeds, gauges, outbox, snapshots, tables
from worker.ledger.engine import Ledger
from worker.model import Delivery, Reason


def add(ledger: Ledger, number: int = 1, **changes: Any) -> None:
    """Put an alert into the outbox."""
    with ledger.write() as t:
        assert decided.add(t, alert(number, **changes))


def tried(ledger: Ledger, minute: float, number: int = 1, outcome: Reason = Reason.RETRY) -> None:
    """Write down an attempt to deliver it; after one that has failed it is due far from now."""
    with ledger.write() as t:
        key = alert(number).key
        outbox.add_delivery(t, Delivery(alert_key=key, at=at(minute), attempt=1, outcome=outcome))
        arrived = outcome is Reason.DELIVERED
        values = {"work": tables.DONE, "sent_at": at(minute)} if arrived else {"due_at": at(600)}
        t.execute(update(tables.alert).where(tables.alert.c.key == key).values(values))


def pending(ledger: Ledger, now: datetime) -> dict[str, float]:
    """Return for how many minutes something is overdue, by channel."""
    with ledger.read() as t:
        return {channel: seconds / 60 for channel, seconds in gauges.pending(t, now=now).items()}


def test_an_alert_that_is_not_due_yet_is_not_overdue(either_ledger: Ledger) -> None:
    """The end of quiet hours, or a digest, is waited for on purpose; and then it counts from there."""
    add(either_ledger, due_at=at(480), reason=Reason.QUIET_HOURS)
    assert pending(either_ledger, at(100)) == {"screen": 0.0}
    assert pending(either_ledger, at(485)) == {"screen": 5.0}


def test_an_alert_is_overdue_from_its_first_attempt_on_through_all_retries(either_ledger: Ledger) -> None:
    """Each retry puts off when it is due, and none makes it younger."""
    add(either_ledger)
    tried(either_ledger, 2)
    tried(either_ledger, 40)
    assert pending(either_ledger, at(62)) == {"screen": 60.0}


def test_what_has_arrived_is_not_overdue_and_sent_again_counts_anew(either_ledger: Ledger) -> None:
    """A redelivery is due now; its first attempt is not the one that had failed weeks before."""
    add(either_ledger)
    tried(either_ledger, 1)
    tried(either_ledger, 3, outcome=Reason.DELIVERED)
    assert pending(either_ledger, at(60)) == {}
    with either_ledger.write() as t:
        t.execute(update(tables.alert).values(work=tables.OPEN, due_at=at(50)))
    assert pending(either_ledger, at(60)) == {"screen": 10.0}
    tried(either_ledger, 52)
    assert pending(either_ledger, at(60)) == {"screen": 8.0}


def test_the_longest_overdue_alert_of_each_channel_counts(either_ledger: Ledger) -> None:
    """Channels are told apart."""
    add(either_ledger, 1)
    add(either_ledger, 2, due_at=at(20))
    add(either_ledger, 3, channel_id="siem", due_at=at(25))
    assert pending(either_ledger, at(30)) == {"screen": 30.0, "siem": 5.0}


def test_a_feed_shows_how_it_does_and_when_it_is_polled_next(either_ledger: Ledger) -> None:
    """One that is taken out of the configuration is not polled next."""
    with either_ledger.write() as t:
        feeds.sync(t, [a_feed(), a_feed(id="other", interval=timedelta(minutes=3))], now=NOON)
        feeds.sync(t, [a_feed()], now=NOON)
    with either_ledger.read() as t:
        other, wire = gauges.feeds(t)
    assert (other.id, other.next_poll_at, other.base) == ("other", None, timedelta(minutes=3))
    assert (wire.state, wire.failures, wire.last_success_at, wire.next_poll_at) == ("new", 0.0, None, NOON)


def test_rhythms_are_those_of_failing_feeds_that_are_polled(either_ledger: Ledger) -> None:
    """They are long, and the others need none."""
    with either_ledger.write() as t:
        feeds.sync(t, [a_feed(id=name) for name in ("fine", "failing", "off")], now=NOON)
        t.execute(update(tables.feed).where(tables.feed.c.id != "fine").values(failures=2.0, rhythm={"day": 1}))
        t.execute(update(tables.feed).where(tables.feed.c.id == "off").values(work=tables.OFF))
    with either_ledger.read() as t:
        assert gauges.rhythms(t) == {"failing": {"day": 1}}


def test_the_last_match_of_a_topic_is_the_latest_one(either_ledger: Ledger) -> None:
    """Of those that are asked for; one that never matched is left out."""
    with either_ledger.write() as t:
        for number, minute in ((1, 5), (2, 9), (3, 7)):
            entries.add_match(t, match(number), now=at(minute))
        entries.add_match(t, match(4, topic_id="gone"), now=at(20))
    with either_ledger.read() as t:
        assert gauges.last_matches(t, ["missiles", "never"]) == {"missiles": at(9)}
        assert gauges.last_matches(t, []) == {}


def test_dead_letters_are_counted_by_kind_until_they_are_given_back(either_ledger: Ledger) -> None:
    """What was redriven is no dead letter any more."""
    letter = {"ref": 1, "reason": "x", "subject": "x", "attempts": 1, "dead_at": NOON}
    with either_ledger.write() as t:
        t.execute(insert(tables.dead), [{**letter, "kind": kind} for kind in ("entry", "entry", "alert")])
        t.execute(update(tables.dead).where(tables.dead.c.kind == "alert").values(redriven_at=NOON))
    with either_ledger.read() as t:
        assert gauges.dead_letters(t) == {"entry": 2}


def test_the_configuration_in_force_is_the_newest(either_ledger: Ledger) -> None:
    """Its number, and since when; 0 while there is none."""
    with either_ledger.write() as t:
        assert gauges.configuration(t) == (0, None)
        first = snapshots.keep(t, topics=[], files={"a": "1"}, now=NOON)
        second = snapshots.keep(t, topics=[], files={"a": "2"}, now=at(3))
        assert second > first
        assert gauges.configuration(t) == (second, at(3))
