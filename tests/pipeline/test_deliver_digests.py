"""Digests, notices and silences: what is told together, and what is not told after all."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from tests.builders import NOON, alert, at
from tests.pipeline.conftest import House
from tests.pipeline.receivers import Inbox, attempts, digest, due, look, several, tell
from tests.pipeline.test_stages import reasons
from worker.channels.base import Doubtful, Found, to_json
from worker.channels.file import FileChannel
from worker.errors import Retryable, Unusable
from worker.ledger import dead, decided, deliveries, silences
from worker.ledger.leases import LEASE
from worker.ledger.tables import article as articles
from worker.model import Digest, Message, Reason, Role
from worker.stages.composing import SHOWN


def states(house: House, count: int) -> list[str]:
    """Return the states of the first alerts."""
    return [look(house, f"key-{n:04}").state for n in range(1, count + 1)]


def silence(house: House, **pattern: str) -> None:
    """Begin a silence at noon, for an hour."""
    with house.p.ledger.write() as t:
        silences.add(t, author="anna", comment="drill", starts_at=NOON, ends_at=at(60), now=NOON, **pattern)


def test_a_digest_tells_its_alerts_in_one_message_and_ends_for_all_of_them(house: House) -> None:
    """Earliest first; each of them is delivered, and says in which digest."""
    inbox = Inbox()
    tell(house, inbox)
    due(house, *digest(*several(3)))
    assert reasons(house.deliver(NOON)) == [Reason.DELIVERED]
    (told,) = inbox.sent
    assert isinstance(told, Digest)
    assert ([one.alert.key for one in told.items], told.more) == (["key-0001", "key-0002", "key-0003"], 0)
    assert states(house, 3) == ["delivered"] * 3
    assert (look(house).alert.digest, look(house).sent_at) == ("digest-0001", NOON)
    assert house.deliver(at(9)) == []


def test_a_digest_of_one_is_that_alert_under_the_key_of_the_digest(house: House) -> None:
    """A reader gets the alert as ever, and what follows has its thread."""
    inbox = Inbox()
    tell(house, inbox)
    due(house, *digest(alert(1)))
    house.deliver(NOON)
    due(house, alert(2, role=Role.DEVELOPMENT))
    house.deliver(at(1))
    first, second = inbox.sent
    assert isinstance(first, Message)
    assert isinstance(second, Message)
    assert (first.alert.key, first.alert.role, first.alert.story_id) == ("digest-0001", Role.FIRST, "s-1")
    assert second.thread == "screen-1"


def test_a_digest_shows_as_many_as_it_can_and_counts_the_rest(house: House) -> None:
    """All of them are told."""
    inbox = Inbox()
    tell(house, inbox)
    due(house, *digest(*several(SHOWN + 5)))
    house.deliver(NOON)
    (told,) = inbox.sent
    assert isinstance(told, Digest)
    assert (len(told.items), told.more) == (SHOWN, 5)
    assert set(states(house, SHOWN + 5)) == {"delivered"}


def test_an_empty_digest_is_off(house: House) -> None:
    """Everything in it was turned off."""
    inbox = Inbox()
    tell(house, inbox)
    due(house, *digest())
    assert reasons(house.deliver(NOON)) == [Reason.WITHDRAWN]
    assert (inbox.called, look(house, "digest-0001").state) == ([], "off")


def test_later_attempts_of_a_digest_tell_the_same_alerts(house: House) -> None:
    """One that was gathered in between stays without, and is told by itself when the digest has ended."""
    inbox = Inbox(ends=[Retryable("busy")])
    tell(house, inbox)
    due(house, *digest(*several(2)))
    house.deliver(NOON)
    due(house, alert(3, story_id="s-3", digest="digest-0001"))
    assert reasons(house.deliver(at(60))) == [Reason.DELIVERED]
    first, second = (json.dumps(to_json(one)) for one in inbox.called)
    assert first == second
    assert states(house, 3) == ["delivered", "delivered", "open"]
    assert reasons(house.deliver(at(60))) == [Reason.DELIVERED]
    assert inbox.keys() == ["digest-0001", "key-0003"]


def test_a_doubtful_digest_leaves_all_its_alerts_in_doubt(house: House) -> None:
    """Until it is redelivered, as a whole."""
    inbox = Inbox(ends=[Doubtful("lost")])
    tell(house, inbox)
    due(house, *digest(*several(2)))
    assert reasons(house.deliver(NOON)) == [Reason.UNKNOWN]
    assert states(house, 2) == ["unknown", "unknown"]
    with house.p.ledger.write() as t:
        assert "is told in the digest digest-0001" in deliveries.redeliver(t, look(house), now=at(1))
    with house.p.ledger.write() as t:
        assert deliveries.redeliver(t, deliveries.find(t, "digest-0001")[0], now=at(1)) == ""
    assert reasons(house.deliver(at(1))) == [Reason.DELIVERED]
    assert states(house, 2) == ["delivered", "delivered"]


def test_a_digest_that_is_given_up_keeps_its_alerts_for_a_redrive(house: House) -> None:
    """One dead letter, not one for each."""
    inbox = Inbox(ends=[Unusable("too large")])
    tell(house, inbox)
    due(house, *digest(*several(2)))
    assert reasons(house.deliver(NOON)) == [Reason.DEAD]
    assert states(house, 2) == ["gathered", "gathered"]
    with house.p.ledger.write() as t:
        (letter,) = dead.letters(t)
        assert letter.subject == "digest-0001"
        dead.redrive(t, letter, now=at(1))
    assert reasons(house.deliver(at(1))) == [Reason.DELIVERED]
    assert states(house, 2) == ["delivered", "delivered"]


def test_a_worker_that_died_with_a_digest_leaves_a_doubt_like_any_other(house: House) -> None:
    """A receiver that knows its key has it, and with it all its alerts."""
    inbox = Inbox(answers=[Found(arrived=True, remote_id="r-1")], ends=[KeyboardInterrupt()])  # type: ignore[list-item]
    tell(house, inbox)
    due(house, *digest(*several(2)))
    with pytest.raises(KeyboardInterrupt):
        house.deliver(NOON)
    assert reasons(house.deliver(NOON + LEASE)) == [Reason.DELIVERED]
    ((asked, _),) = inbox.asked
    assert asked.alert.key == "digest-0001"
    assert states(house, 2) == ["delivered", "delivered"]


def test_what_a_digest_cannot_tell_any_more_is_a_dead_letter_of_its_own(house: House) -> None:
    """The others are told."""
    inbox = Inbox()
    tell(house, inbox)
    due(house, *digest(*several(2)))
    with house.p.ledger.write() as t:
        t.execute(articles.delete().where(articles.c.id == "a-1"))
    assert reasons(house.deliver(NOON)) == [Reason.DELIVERED]
    assert states(house, 2) == ["dead", "delivered"]
    with house.p.ledger.read() as t:
        assert [letter.subject for letter in dead.letters(t)] == ["key-0001"]


def test_a_notice_is_told_like_an_alert_and_held_like_one(house: House) -> None:
    """It has no article, and its doubts end as all doubts do."""
    inbox = Inbox(ends=[Retryable("busy"), Doubtful("lost")])
    tell(house, inbox)
    notice = alert(role=Role.NOTICE, topic_id="", story_id="", article_id="", clause="channel x is disabled")
    due(house, notice)
    seen = [reasons(house.deliver(at(minute))) for minute in (0, 60)]
    assert seen == [[Reason.RETRY], [Reason.UNKNOWN]]
    assert len({json.dumps(to_json(one)) for one in inbox.called}) == 1


def test_a_file_holds_every_kind_and_can_be_asked_for_it(house: House) -> None:
    """Alert, digest and notice by their keys: nothing in it is told twice."""
    tell(house)
    house.change(channels={"screen": house.receiver})
    notice = alert(7, role=Role.NOTICE, topic_id="", story_id="", article_id="", clause="words")
    due(house, *digest(*several(2)), alert(9, story_id="s-9"), notice)
    house.deliver(NOON)
    assert {line["alert"]: line["kind"] for line in house.told()} == {
        "digest-0001": "digest",
        "key-0009": "alert",
        "key-0007": "notice",
    }
    assert isinstance(house.receiver, FileChannel)
    assert house.receiver.keys() == {"digest-0001", "key-0009", "key-0007"}


# Silences


@pytest.mark.parametrize(
    "pattern",
    [{"topic": "missiles"}, {"outlet": "Wire"}, {"channel": "screen"}, {"story_id": "s-1"}],
    ids=["topic", "outlet", "channel", "story"],
)
def test_a_silence_that_begins_while_an_alert_waits_keeps_it_from_being_told(
    house: House, pattern: dict[str, str]
) -> None:
    """It is off, the decision says by whom and why, and the channel hears nothing."""
    inbox = Inbox()
    tell(house, inbox)
    due(house, alert())
    silence(house, **pattern)
    assert reasons(house.deliver(at(1))) == [Reason.SILENCED]
    one = look(house)
    assert (inbox.called, one.state) == ([], "off")
    assert one.error.startswith("silenced: silence ")
    assert "by anna" in one.error
    with house.p.ledger.read() as t:
        ((reason, detail),) = [(row["reason"], row["detail"]) for row in decided.of_article(t, "a-1")]
    assert (reason, "drill" in detail) == (Reason.SILENCED, True)
    assert attempts(house) == []


def test_a_silence_of_something_else_changes_nothing(house: House) -> None:
    """Nor does one that has ended."""
    tell(house, Inbox())
    due(house, *several(2, due_at=at(1)), alert(3, story_id="s-3", topic_id="ferries", due_at=at(61)))
    silence(house, topic="ferries")
    assert reasons(house.deliver(at(1))) == [Reason.DELIVERED] * 2
    assert reasons(house.deliver(at(61))) == [Reason.DELIVERED]


def test_what_is_silenced_is_left_out_of_a_digest(house: House) -> None:
    """The rest is told, and a digest of which nothing is left is off."""
    inbox = Inbox()
    tell(house, inbox)
    due(house, *digest(*several(3)), *digest(alert(8, story_id="s-1"), key="digest-0002"))
    silence(house, story_id="s-1")
    assert sorted(reasons(house.deliver(at(1)))) == [Reason.DELIVERED, Reason.WITHDRAWN]
    (told,) = inbox.sent
    assert isinstance(told, Digest)
    assert [one.alert.story_id for one in told.items] == ["s-2", "s-3"]
    assert states(house, 3) == ["off", "delivered", "delivered"]


def test_an_alert_that_was_refused_before_the_silence_is_off_as_well(house: House) -> None:
    """It has surely not arrived."""
    inbox = Inbox(ends=[Retryable("busy")])
    tell(house, inbox)
    due(house, alert())
    house.deliver(NOON - timedelta(seconds=0))
    silence(house, topic="missiles")
    assert reasons(house.deliver(at(30))) == [Reason.SILENCED]
    assert len(inbox.called) == 1
