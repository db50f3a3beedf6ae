"""Silences, and the outbox as decisions see it, on SQLite and on PostgreSQL."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, update

from tests.builders import NOON, alert, at
from worker.alerts.digests import Slot, digest_alert
from worker.ledger import decided, outbox, silences, tables
from worker.ledger.engine import Ledger, Transaction
from worker.model import Alert, Reason, Role, Silence

SLOT = Slot(channel_id="screen", reason=Reason.DIGEST, due_at=at(360))


def silence(t: Transaction, **changes: Any) -> Silence:
    """Record a silence of a topic, from noon on for an hour."""
    base: dict[str, Any] = {"topic": "missiles", "author": "anna", "comment": "an exercise"}
    base |= {"starts_at": NOON, "ends_at": at(60), "now": NOON}
    return silences.add(t, **base | changes)


def test_a_silence_comes_back_as_it_was_recorded(either_ledger: Ledger) -> None:
    """With an id of its own."""
    with either_ledger.write() as t:
        first, second = silence(t), silence(t, topic="", outlet="BBC", channel="desk", story_id="s-*")
    with either_ledger.read() as t:
        assert silences.listed(t) == [first, second]
        assert silences.get(t, second.id) == second
        assert silences.get(t, 999) is None
    assert (second.topic, second.outlet, second.channel, second.story) == ("", "BBC", "desk", "s-*")
    assert first.id != second.id


@pytest.mark.parametrize(
    ("minutes", "holds"), [(-1, False), (0, True), (59, True), (60, False)], ids=["before", "begins", "still", "ended"]
)
def test_a_silence_holds_from_its_beginning_to_its_end(either_ledger: Ledger, minutes: int, holds: bool) -> None:
    """The moment of its end is not silent any more."""
    with either_ledger.write() as t:
        made = silence(t)
        assert silences.matching(t, now=at(minutes)) == ([made] if holds else [])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"topic": ""}, "needs a topic, an outlet, a channel or a story"),
        ({"author": " "}, "needs an author and a comment"),
        ({"comment": ""}, "needs an author and a comment"),
        ({"ends_at": NOON}, "must end after it begins"),
        ({"starts_at": at(-90), "ends_at": at(-30)}, "later than now"),
    ],
    ids=["everything", "nobody", "no-reason", "no-time", "past"],
)
def test_a_silence_that_cannot_be_meant_is_refused(ledger: Ledger, changes: dict[str, Any], said: str) -> None:
    """The error says what to give."""
    with ledger.write() as t:
        with pytest.raises(ValueError, match=said):
            silence(t, **changes)
        assert silences.listed(t) == []


def test_a_silence_can_be_ended_once(either_ledger: Ledger) -> None:
    """It stays on record, and one that has ended is not ended again."""
    with either_ledger.write() as t:
        made, later = silence(t), silence(t, starts_at=at(30))
        assert silences.expire(t, made.id, now=at(10))
        assert silences.expire(t, later.id, now=at(10))
        assert not silences.expire(t, made.id, now=at(20))
        assert not silences.expire(t, 999, now=at(20))
        assert silences.matching(t, now=at(10)) == silences.matching(t, now=at(40)) == []
        assert silences.listed(t, now=at(10)) == []
        assert [one.ends_at for one in silences.listed(t)] == [at(10), at(10)]


def test_a_silence_of_a_story_follows_it_into_the_one_that_it_turned_out_to_be(either_ledger: Ledger) -> None:
    """Over several mergers; a pattern stays a pattern, and an id that is not known stays as it is."""
    with either_ledger.write() as t:
        for story_id, merged in (("s-1", "s-2"), ("s-2", "s-3"), ("s-3", None)):
            values = {"id": story_id, "first_at": NOON, "newest_at": NOON, "merged": merged}
            t.execute(insert(tables.story).values(**values))
        for name in ("s-1", "s-3", "s-*", "s-9"):
            silence(t, topic="", story_id=name)
        assert [one.story for one in silences.matching(t, now=NOON)] == ["s-3", "s-3", "s-*", "s-9"]


# digests


def gathered(t: Transaction, number: int = 1, **changes: Any) -> Alert:
    """Put an alert into the digest of the evening."""
    digest = digest_alert(SLOT, now=NOON)
    assert decided.open_digest(t, digest)
    made = alert(number, **{"digest": digest.key, "due_at": digest.due_at, "reason": SLOT.reason} | changes)
    assert decided.add(t, made)
    return made


def test_a_digest_is_opened_once_and_takes_in_what_comes(either_ledger: Ledger) -> None:
    """One row for the digest, which is due, and one for each alert, which are not claimed by themselves."""
    with either_ledger.write() as t:
        gathered(t, 1)
        gathered(t, 2)
        assert decided.digests(t, "screen") == [digest_alert(SLOT, now=NOON)]
        assert decided.digests(t, "desk") == []
        assert decided.articles_in(t, SLOT.key()) == ["a-1", "a-2"]
    with either_ledger.write() as t:
        claims = outbox.claim(t, now=at(360), limit=10)
    assert [one.value[0].role for one in claims] == [Role.DIGEST]


def in_hand(t: Transaction) -> None:
    """Claim the digest."""
    assert outbox.claim(t, now=at(360), limit=1)


def begun(t: Transaction) -> None:
    """Let an attempt have failed, after which the message is as it was."""
    t.execute(update(tables.alert).where(tables.alert.c.role == Role.DIGEST).values(shown={"kind": "digest"}))


def done(t: Transaction) -> None:
    """Let it have been sent."""
    t.execute(update(tables.alert).where(tables.alert.c.role == Role.DIGEST).values(work=tables.DONE))


@pytest.mark.parametrize("touch", [in_hand, begun, done], ids=["in-hand", "begun", "done"])
def test_a_digest_that_was_taken_up_takes_nothing_in(either_ledger: Ledger, touch: Any) -> None:
    """What it holds does not wait any more, and what comes needs another."""
    with either_ledger.write() as t:
        made = gathered(t)
        assert [one.waits for one in decided.about(t, "a-1")] == [True]
        assert decided.lock_waiting(t, made)
        touch(t)
        assert not decided.open_digest(t, digest_alert(SLOT, now=NOON))
        assert not decided.lock_waiting(t, made)
        assert decided.digests(t, "screen") == []
        assert [one.waits for one in decided.about(t, "a-1")] == [False]
        assert decided.open_digest(t, digest_alert(SLOT, number=1, now=NOON))


def test_a_digest_is_not_taken_up_while_something_is_put_into_it(postgres_ledger: Ledger) -> None:
    """Where others write at the same time, a claim passes it over until the other transaction has ended."""
    with postgres_ledger.write() as t:
        gathered(t, 1)
    with postgres_ledger.write() as t, postgres_ledger.write() as other:
        gathered(t, 2)
        assert outbox.claim(other, now=at(360), limit=10) == []
    with postgres_ledger.write() as t:
        assert len(outbox.claim(t, now=at(360), limit=10)) == 1
        assert decided.articles_in(t, SLOT.key()) == ["a-1", "a-2"]


def test_messages_of_an_hour_are_those_that_are_sent(either_ledger: Ledger) -> None:
    """A digest is one, whatever it holds; what was turned off, quiet updates and other channels are none."""
    with either_ledger.write() as t:
        gathered(t, 1)
        gathered(t, 2)
        decided.add(t, alert(3, due_at=at(-59)))
        decided.add(t, alert(4, due_at=at(-61)))
        decided.add(t, alert(5, role=Role.REPORT))
        decided.add(t, alert(6, channel_id="desk"))
        decided.add(t, alert(7))
        last = alert(7)
        decided.turn_off(t, last, reason=Reason.WITHDRAWN, detail="x")
        loud = [Role.FIRST, Role.DEVELOPMENT, Role.DIGEST]
        since = NOON - timedelta(hours=1)
        assert decided.due_times(t, "screen", since=since, roles=loud) == [at(-59), at(360)]


def test_an_alert_that_was_turned_off_was_not_told(either_ledger: Ledger) -> None:
    """It says why."""
    with either_ledger.write() as t:
        decided.add(t, alert(1))
        decided.turn_off(t, alert(1), reason=Reason.WITHDRAWN, detail="it says so no longer")
        (found,) = decided.of_story(t, "s-1")
        assert (found.off, found.waits, found.dead) == (True, False, False)
        decided.add_decision(
            t,
            article_id="a-1",
            topic_id="missiles",
            channel_id="screen",
            reason=Reason.WITHDRAWN,
            detail="it says so no longer",
            alert_key=alert(1).key,
            now=NOON,
        )
        (row,) = decided.of_article(t, "a-1")
        assert (row["work"], row["last_error"]) == ("off", "withdrawn: it says so no longer")
        assert decided.last_reasons(t, "a-1") == {("missiles", "screen"): Reason.WITHDRAWN}
