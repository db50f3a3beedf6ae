"""What is sent again says the same, and a doubt ends or is shown."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.builders import NOON, alert, article, at
from tests.pipeline.conftest import House
from tests.pipeline.receivers import Inbox, attempts, due, look, messages, several, tell
from tests.pipeline.test_stages import reasons
from worker.channels.base import Doubtful, Found, to_json
from worker.errors import Retryable
from worker.ledger import deliveries, entries, outbox, stories
from worker.ledger.leases import LEASE
from worker.ledger.outbox import ATTEMPTS
from worker.ledger.retention import Retention
from worker.ledger.sweep import sweep
from worker.ledger.tables import alert as alerts
from worker.ledger.tables import article as articles
from worker.model import Evidence, Member, Reason, Role, Story
from worker.stages import deliver

FOUND = Evidence(field="text", start=25, end=33, text="missiles")
LOST = Doubtful("the answer was lost")


def every_hour(house: House, hours: int) -> list[Reason]:
    """Deliver once an hour and return what came of all alerts."""
    return [reason for hour in range(hours) for reason in reasons(house.deliver(at(60 * hour)))]


def test_an_alert_whose_story_became_another_is_told_of_that_one(house: House) -> None:
    """Two stories may be put together between the claim of an alert and its sending."""
    inbox = Inbox()
    tell(house, inbox)
    due(house, alert())
    with house.p.ledger.write() as t:
        (claim,) = outbox.claim(t, now=NOON, limit=1)
        stories.save(
            t,
            Story(id="s-other", first_at=NOON, newest_at=NOON, members=()),
            new=Member(article_id="a-1", role=Role.FIRST, outlet="Wire", origin="Wire", published_at=NOON),
            now=NOON,
            turn=1,
        )
    assert deliver.do(house.p, claim, now=NOON).reason is Reason.DELIVERED
    (told,) = messages(inbox)
    assert (told.alert.story_id, told.articles) == ("s-other", 1)


def test_later_attempts_say_what_the_first_one_said(house: House) -> None:
    """Whatever has changed meanwhile, the receiver of a known key gets the same body, with the time of the first."""
    inbox = Inbox(ends=[Retryable("busy"), Retryable("busy")])
    tell(house, inbox)
    due(house, alert(evidence=(FOUND,)))
    house.change(console="https://desk.example")
    assert reasons(house.deliver(NOON)) == [Reason.RETRY]
    with house.p.ledger.write() as t:
        entries.change_article(t, article(title="Something else", text="Else.", outlet="Other"), now=at(1))
    house.change(console="https://other.example", topics={})
    assert reasons(house.deliver(at(1))) == [Reason.RETRY]
    with house.p.ledger.write() as t:
        t.execute(articles.delete())
    assert reasons(house.deliver(at(60))) == [Reason.DELIVERED]
    first, *later = inbox.called
    assert [replace(message, alert=first.alert) for message in later] == [first, first]
    assert len({json.dumps(to_json(message)) for message in inbox.called}) == 1
    (told,) = messages(inbox)
    assert (told.at, told.article.title, told.link) == (NOON, "Headline 1", "https://desk.example/stories/s-1")
    assert [(q.before, q.text, q.after) for q in told.quotes] == [
        ("Something was said about ", "missiles", " on Monday.")
    ]
    assert [message.alert.attempt for message in inbox.called] == [1, 2, 3]
    assert (told.article.text, told.topic) == ("", "missiles")


def test_attempts_are_spread_over_three_days_and_then_a_dead_letter_is_left(house: House) -> None:
    """The schedule of Standard Webhooks, and an end that is shown."""
    inbox = Inbox(ends=[Retryable("busy")] * 99)
    tell(house, inbox)
    due(house, alert())
    assert every_hour(house, 100) == [*[Reason.RETRY] * (ATTEMPTS - 1), Reason.DEAD]
    with house.p.ledger.read() as t:
        times = [d.at - NOON for d in deliveries.attempts(t, "key-0001")]
    assert timedelta(days=3) < times[-1] < timedelta(days=3.5)
    assert look(house).state == "dead"


@pytest.mark.parametrize(
    ("answer", "reason", "state", "calls"),
    [
        (Found(arrived=True, remote_id="r-7"), Reason.DELIVERED, "delivered", 1),
        (Found(arrived=False), Reason.RETRY, "delivered", 2),
        (Found(arrived=None), Reason.UNKNOWN, "unknown", 1),
    ],
    ids=["arrived", "not-arrived", "nobody-knows"],
)
def test_a_lost_answer_is_asked_for(house: House, answer: Found, reason: Reason, state: str, calls: int) -> None:
    """The channel says whether it has the alert; where it does not know, the alert is held and shown."""
    inbox = Inbox(ends=[LOST], answers=[answer])
    tell(house, inbox)
    due(house, alert())
    assert reasons(house.deliver(NOON)) == [reason]
    house.deliver(at(60))
    assert (look(house).state, len(inbox.called)) == (state, calls)
    assert not any(message.alert.repeat for message in inbox.called)
    if answer.remote_id:
        with house.p.ledger.read() as t:
            assert t.exec_driver_sql("SELECT remote_id FROM alert").scalar_one() == "r-7"


def test_a_doubt_is_sent_again_as_a_possible_repeat_where_the_policy_says_so(house: House) -> None:
    """Better twice than never: the message says that it may be a repeat, and the first one did not."""
    inbox = Inbox(ends=[LOST])
    tell(house, inbox, on_unknown="resend")
    due(house, alert())
    assert every_hour(house, 2) == [Reason.RETRY, Reason.DELIVERED]
    assert [message.alert.repeat for message in inbox.called] == [False, True]
    assert look(house).alert.repeat


def test_repeats_come_to_an_end(house: House) -> None:
    """No more of them than the schedule has attempts; what is left is a doubt, and not a dead letter."""
    inbox = Inbox(ends=[LOST] * 99)
    tell(house, inbox, on_unknown="resend")
    due(house, alert())
    assert every_hour(house, 100) == [*[Reason.RETRY] * (ATTEMPTS - 1), Reason.UNKNOWN]
    assert len(inbox.called) == ATTEMPTS
    assert "an earlier attempt may have arrived" in look(house).error


def test_what_may_have_arrived_is_asked_for_before_it_is_repeated(house: House) -> None:
    """A receiver that could not be asked then may be asked now."""
    inbox = Inbox(ends=[LOST], answers=[Found(arrived=None), Found(arrived=True)])
    tell(house, inbox, on_unknown="resend")
    due(house, alert())
    assert every_hour(house, 2) == [Reason.RETRY, Reason.DELIVERED]
    assert len(inbox.called) == 1


@pytest.mark.parametrize(
    ("knows", "on_unknown", "reason", "marks"),
    [
        (True, "hold", Reason.DELIVERED, []),
        (False, "hold", Reason.DELIVERED, [False]),
        (None, "hold", Reason.UNKNOWN, []),
        (None, "resend", Reason.DELIVERED, [True]),
    ],
    ids=["arrived", "not-arrived", "held", "resent"],
)
def test_a_worker_that_died_while_sending_leaves_a_doubt_with_an_end(
    house: House, knows: bool | None, on_unknown: str, reason: Reason, marks: list[bool]
) -> None:
    """Its attempt counts and is shown, and what was shown then is asked for."""
    inbox = Inbox(knows=knows)
    tell(house, inbox, on_unknown=on_unknown)
    due(house, alert())
    with house.p.ledger.write() as t:
        (claim,) = outbox.claim(t, now=NOON, limit=1)
        outbox.begin(t, claim, now=NOON)
    assert reasons(house.deliver(NOON + LEASE)) == [reason]
    assert [message.alert.repeat for message in inbox.called] == marks
    assert [message.alert.attempt for message in inbox.called] == [2] * len(marks)
    assert look(house).alert.repeat is (marks == [True])
    if marks:
        assert attempts(house) == [(1, "unknown" if marks[0] else "retry"), (2, "delivered")]


def test_a_doubt_about_a_channel_that_is_gone_is_shown(house: House) -> None:
    """Nobody can be asked, and a dead letter would say that it has not arrived."""
    tell(house, Inbox())
    due(house, alert())
    with house.p.ledger.write() as t:
        (claim,) = outbox.claim(t, now=NOON, limit=1)
        outbox.begin(t, claim, now=NOON)
    house.change(channels={})
    assert reasons(house.deliver(NOON + LEASE)) == [Reason.UNKNOWN]
    assert "configured no longer" in look(house).error


def test_an_alert_whose_workers_all_died_is_given_up(house: House) -> None:
    """Each of them counts, although none has come back to say so."""
    tell(house, Inbox(knows=False))
    due(house, alert())
    for number in range(ATTEMPTS):
        with house.p.ledger.write() as t:
            (claim,) = outbox.claim(t, now=NOON + number * LEASE, limit=1)
            outbox.begin(t, claim, now=NOON + number * LEASE)
    assert reasons(house.deliver(NOON + ATTEMPTS * LEASE)) == [Reason.DEAD]


# What a person may do about it


@pytest.mark.parametrize(("knows", "calls"), [(None, 2), (True, 1)], ids=["cannot-be-asked", "has-it"])
def test_what_is_unknown_is_sent_again_when_a_person_says_so(house: House, knows: bool | None, calls: int) -> None:
    """As a possible repeat, of the same message, after the receiver was asked once more."""
    inbox = Inbox(ends=[LOST])
    tell(house, inbox)
    due(house, alert())
    house.deliver(NOON)
    inbox.knows = knows
    with house.p.ledger.write() as t:
        assert deliveries.redeliver(t, deliveries.find(t, "key-0001")[0], now=at(9)) == ""
    assert reasons(house.deliver(at(9))) == [Reason.DELIVERED]
    assert len(inbox.called) == calls
    if calls > 1:
        first, second = inbox.called
        assert second == replace(first, alert=replace(first.alert, attempt=2, repeat=True))


def test_what_has_arrived_is_sent_again_only_by_force(house: House) -> None:
    """And says that it may be a repeat."""
    inbox = Inbox()
    tell(house, inbox)
    due(house, alert())
    house.deliver(NOON)
    with house.p.ledger.write() as t:
        (one,) = deliveries.find(t, "key-0001")
        assert "has arrived" in deliveries.redeliver(t, one, now=at(9))
        assert deliveries.redeliver(t, one, now=at(9), force=True) == ""
    assert reasons(house.deliver(at(9))) == [Reason.DELIVERED]
    assert [message.alert.repeat for message in inbox.sent] == [False, True]


def test_what_is_sent_again_outlives_its_article(house: House) -> None:
    """The retention has erased the text; what was shown is kept with the alert."""
    inbox = Inbox(ends=[LOST])
    tell(house, inbox)
    due(house, *several(2))
    house.deliver(NOON)
    with house.p.ledger.write() as t:
        sweep(t, Retention(articles=timedelta(days=30)), now=at(60 * 24 * 40))
        assert t.execute(articles.select()).all() == []
        (one,) = [o for o in deliveries.told(t) if o.state == "unknown"]
        deliveries.redeliver(t, one, now=at(60 * 24 * 40))
    assert reasons(house.deliver(at(60 * 24 * 40))) == [Reason.DELIVERED]
    assert messages(inbox)[-1].article.title.startswith("Headline")


def test_an_alert_that_was_never_shown_needs_its_article(house: House) -> None:
    """There is nothing to say, and that is said."""
    tell(house, Inbox())
    due(house, alert())
    with house.p.ledger.write() as t:
        t.execute(articles.delete())
    assert reasons(house.deliver(NOON)) == [Reason.DEAD]
    with house.p.ledger.read() as t:
        assert t.execute(alerts.select()).one().last_error == "its article is no longer kept"
