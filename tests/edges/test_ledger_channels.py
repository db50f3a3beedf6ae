"""What the ledger keeps of channels and of what was shown, and what it tells of deliveries."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import builders
from tests.builders import NOON, alert, article, at
from worker.ledger import channels, dead, decided, deliveries, entries, gathered, outbox, overview, shown
from worker.ledger.engine import Ledger, open_file
from worker.model import Alert, Delivery, Digest, Evidence, Message, Notice, Outgoing, Quote, Reason, Role


def add(ledger: Ledger, *alerts: Alert) -> None:
    """Put alerts into the outbox."""
    with ledger.write() as t:
        entries.add_article(t, article(), now=NOON)
        for one in alerts:
            assert decided.add(t, one)


def state(ledger: Ledger, channel_id: str = "screen") -> channels.ChannelState:
    """Return the state of a channel."""
    with ledger.read() as t:
        return channels.states(t)[channel_id]


# Channels


def test_a_channel_to_which_nothing_has_happened_has_no_state(either_ledger: Ledger) -> None:
    """Nothing stands in its way."""
    with either_ledger.write() as t:
        assert channels.states(t) == {}
        assert channels.enable(t, "screen", now=NOON) is None


def test_the_latest_hold_counts(either_ledger: Ledger) -> None:
    """Two threads hear of it at the same time; the longer wait is kept, and it is over at its end."""
    with either_ledger.write() as t:
        for minute in (5, 9, 7):
            channels.hold(t, "screen", until=at(minute))
    found = state(either_ledger)
    assert (found.waits_until(at(8)), found.waits_until(at(9))) == (at(9), None)
    with either_ledger.write() as t:
        assert channels.enable(t, "screen", now=at(8)) == 0
    assert state(either_ledger).hold_until is None


def test_a_place_is_taken_once_in_a_gap(either_ledger: Ledger) -> None:
    """Whoever comes second is told when to come again."""
    second = timedelta(seconds=1)
    with either_ledger.write() as t:
        assert channels.take_place(t, "slack", gap=second, now=NOON) is None
        assert channels.take_place(t, "slack", gap=second, now=NOON) == NOON + second
        assert channels.take_place(t, "other", gap=second, now=NOON) is None
        assert channels.take_place(t, "slack", gap=second, now=NOON + second) is None


def test_of_many_workers_one_gets_the_place(tmp_path: Path) -> None:
    """Connections of their own, one moment: one of eight."""
    path = tmp_path / "ledger.sqlite"
    open_file(path, durable=False).close()
    answers: list[object] = []
    start = threading.Barrier(8)

    def work() -> None:
        own = open_file(path, durable=False)
        start.wait(30)
        with own.write() as t:
            answers.append(channels.take_place(t, "slack", gap=timedelta(seconds=1), now=NOON))
        own.close()

    workers = [threading.Thread(target=work) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert Counter(answers) == {None: 1, NOON + timedelta(seconds=1): 7}


def test_a_channel_is_disabled_once_until_it_is_enabled(either_ledger: Ledger) -> None:
    """The first reason is kept."""
    with either_ledger.write() as t:
        assert channels.disable(t, "screen", reason="revoked", config="v1", now=NOON)
        assert not channels.disable(t, "screen", reason="410", config="v2", now=at(1))
    found = state(either_ledger)
    assert (found.disabled, found.disabled_at, found.reason, found.config) == (True, NOON, "revoked", "v1")
    with either_ledger.write() as t:
        assert channels.enable(t, "screen", now=at(2)) == 0
        assert channels.disable(t, "screen", reason="410", config="v2", now=at(3))


def test_what_is_parked_is_due_again_with_the_channel_and_nothing_else_is(either_ledger: Ledger) -> None:
    """What is in hand, or due later, or of another channel, is left as it is."""
    later = alert(3, story_id="s-3", due_at=at(300))
    add(either_ledger, *(alert(n, story_id=f"s-{n}") for n in (1, 2)), later, alert(4, channel_id="other"))
    with either_ledger.write() as t:
        (held,) = outbox.claim(t, now=NOON, limit=1)
        channels.disable(t, "screen", reason="revoked", config="", now=NOON)
        channels.park(t, "screen", now=NOON)
        due = {one.alert.key: (one.alert.due_at, one.alert.reason) for one in deliveries.told(t)}
    assert due["key-0001"] == (NOON, Reason.QUEUED)
    assert due["key-0002"] == (NOON + channels.PARKED, Reason.CHANNEL_DISABLED)
    assert due["key-0003"] == (at(300), Reason.QUEUED)
    assert due["key-0004"] == (NOON, Reason.QUEUED)
    with either_ledger.write() as t:
        assert channels.enable(t, "screen", now=at(1)) == 1
        outbox.release(t, [held])
        keys = {claim.value.alert.key for claim in outbox.claim(t, now=at(1), limit=9)}
    assert keys == {"key-0001", "key-0002", "key-0004"}


def test_waiting_costs_no_attempt_and_keeps_a_doubt(either_ledger: Ledger) -> None:
    """Whoever claims it then learns of both."""
    add(either_ledger, alert())
    with either_ledger.write() as t:
        (first,) = outbox.claim(t, now=NOON, limit=1)
        outbox.begin(t, first, now=NOON)
        (doubted,) = outbox.claim(t, now=at(10), limit=1)
        outbox.wait(t, doubted, until=at(20), reason=Reason.CHANNEL_WAITS)
        outbox.wait(t, doubted, until=at(90), reason=Reason.CHANNEL_WAITS)  # lost by then
        assert outbox.claim(t, now=at(19), limit=1) == []
        (again,) = outbox.claim(t, now=at(20), limit=1)
    assert (again.attempt, again.value.started_at) == (2, NOON)


def test_the_overview_tells_every_end_of_a_channel(either_ledger: Ledger) -> None:
    """And when the oldest open alert was made, however often it was put off."""
    add(
        either_ledger,
        alert(1, created_at=at(-30), due_at=at(500)),
        alert(2, story_id="s-2"),
        alert(3, digest="key-0009"),
        alert(4, story_id="s-4"),
    )
    with either_ledger.write() as t:
        two, four = outbox.claim(t, now=NOON, limit=9)
        outbox.record(t, two, Delivery(alert_key="key-0002", at=at(1), attempt=1, outcome=Reason.DELIVERED))
        outbox.turn_off(t, four, why="silenced: drill")
        found = overview.channels(t)["screen"]
    assert found == {
        "open": 1,
        "gathered": 1,
        "delivered": 1,
        "unknown": 0,
        "dead": 0,
        "off": 1,
        "last_sent_at": at(1),
        "oldest_open_at": at(-30),
    }


# What was shown

_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_times = st.datetimes().map(lambda d: d.replace(tzinfo=NOON.tzinfo))


@st.composite
def _messages(draw: st.DrawFn) -> Message:
    """Return messages in which every field has some value."""
    text = draw(_texts)
    one = alert(
        clause=text,
        detail=draw(_texts),
        role=draw(st.sampled_from(list(Role))),
        reason=draw(st.sampled_from(list(Reason))),
        score=draw(st.floats(0, 1)),
        evidence=(Evidence(field="text", start=0, end=4, text=text),),
        digest=draw(st.none() | _texts),
        created_at=draw(_times),
        repeat=draw(st.booleans()),
    )
    return builders.message(
        alert=one,
        article=article(title=text, text="", published_at=draw(_times), language=draw(st.none() | _texts)),
        quotes=(Quote(field="title", before=text, text=text, after=text),),
        at=draw(_times),
        newest_at=draw(st.none() | _times),
        linked=draw(st.none() | _texts),
        linked_at=draw(st.none() | _times),
        thread=draw(st.none() | _texts),
        link=draw(_texts),
    )


@given(_messages())
def test_what_was_shown_comes_back_as_it_was(message: Message) -> None:
    """Message, digest and notice, through JSON."""
    sent: tuple[Outgoing, ...] = (
        message,
        Digest(alert=message.alert, items=(message, message), more=3, at=message.at),
        Notice(alert=message.alert, at=message.at),
    )
    for one in sent:
        kept = shown.to_json(one, through="desk")
        assert shown.from_json(kept, message.alert) == one
        assert shown.through(kept) == "desk"


@pytest.mark.parametrize("title", ["plain", "na\u00efve \U0001f600", "nul\x00", "half \ud800"])
def test_what_was_shown_comes_back_out_of_the_ledger(either_ledger: Ledger, title: str) -> None:
    """With what belongs to the attempt as it is now, and odd characters as they were."""
    add(either_ledger, alert())
    told = builders.message(alert=alert(evidence=()), article=article(title=title, text=""))
    with either_ledger.write() as t:
        (claim,) = outbox.claim(t, now=NOON, limit=1)
        outbox.begin(t, claim, now=NOON, shown=shown.to_json(told, through="screen"))
        (again,) = outbox.claim(t, now=at(10), limit=1)
    assert again.value.shown is not None
    back = shown.from_json(again.value.shown, again.value.alert)
    assert back == replace(told, alert=replace(told.alert, attempt=2))


# Deliveries


def test_alerts_are_listed_newest_first_and_by_what_is_asked(either_ledger: Ledger) -> None:
    """State, channel, topic, age and number."""
    add(
        either_ledger,
        alert(1, created_at=at(-90)),
        alert(2, channel_id="other", story_id="s-2"),
        alert(3, topic_id="ferries", story_id="s-3", article_id="gone"),
    )
    with either_ledger.write() as t:
        found = {
            "all": deliveries.told(t),
            "other": deliveries.told(t, channel="other"),
            "ferries": deliveries.told(t, topic="ferries"),
            "young": deliveries.told(t, since=at(-60)),
            "two": deliveries.told(t, limit=2),
            "none": deliveries.told(t, state="unknown"),
            "some": deliveries.told(t, state="open", channel="screen"),
        }
    keys = {name: [int(one.alert.key[-1]) for one in told] for name, told in found.items()}
    assert keys == {
        "all": [3, 2, 1],
        "other": [2],
        "ferries": [3],
        "young": [3, 2],
        "two": [3, 2],
        "none": [],
        "some": [3, 1],
    }
    assert [one.title for one in found["all"]] == ["", "", "Headline 1"]


def test_the_last_attempt_is_told_with_an_alert(either_ledger: Ledger) -> None:
    """Of several the newest."""
    add(either_ledger, alert())
    ends = [
        Delivery(alert_key="key-0001", at=at(minute), attempt=minute, outcome=Reason.RETRY, detail=f"busy {minute}")
        for minute in (1, 2)
    ]
    with either_ledger.write() as t:
        for ended in ends:
            (claim,) = outbox.claim(t, now=ended.at, limit=1)
            outbox.record(t, claim, ended, due_at=ended.at + timedelta(minutes=1))
        (one,) = deliveries.told(t)
        assert one.last == ends[-1]
        assert [d.attempt for d in deliveries.attempts(t, "key-0001")] == [1, 2]
        assert (one.error, one.state) == ("busy 2", "open")


@pytest.mark.parametrize(
    ("ref", "keys"),
    [
        ("aaaaaaaa1", ["aaaaaaaa1"]),
        ("aaaaaaaa", ["aaaaaaaa1", "aaaaaaaa2"]),
        ("aaaaaaa", []),
        ("%%%%%%%%", []),
        ("________", []),
    ],
    ids=["whole", "beginning", "too-short", "percent", "underscore"],
)
def test_alerts_are_found_by_the_beginning_of_their_keys(either_ledger: Ledger, ref: str, keys: list[str]) -> None:
    """Eight characters of it or more, none of which is a wild card."""
    add(either_ledger, alert(key="aaaaaaaa1"), alert(key="aaaaaaaa2", story_id="s-2"))
    with either_ledger.read() as t:
        assert [one.alert.key for one in deliveries.find(t, ref)] == keys


def test_a_dead_alert_is_redelivered_by_its_letter(either_ledger: Ledger) -> None:
    """Which is settled with it."""
    add(either_ledger, alert())
    with either_ledger.write() as t:
        (claim,) = outbox.claim(t, now=NOON, limit=1)
        dead.bury(t, claim, kind="alert", subject="key-0001", reason="no route", now=NOON)
        (one,) = deliveries.told(t, state="dead")
        letter = deliveries.letter(t, one)
        assert letter is not None
        assert letter.reason == "no route"
        assert deliveries.redeliver(t, one, now=at(1)) == ""
        assert dead.letters(t) == []
        (again,) = outbox.claim(t, now=at(1), limit=1)
    assert (again.attempt, again.value.alert.repeat) == (1, False)


def test_what_is_on_its_way_or_turned_off_is_not_redelivered_by_mistake(either_ledger: Ledger) -> None:
    """It says what it is; what was turned off can be told by force, and is no repeat."""
    add(either_ledger, alert())
    with either_ledger.write() as t:
        (one,) = deliveries.told(t)
        assert deliveries.redeliver(t, one, now=NOON, force=True) == "is on its way already"
        (claim,) = outbox.claim(t, now=NOON, limit=1)
        outbox.turn_off(t, claim, why="silenced: drill")
        (one,) = deliveries.told(t)
        assert deliveries.redeliver(t, one, now=NOON).startswith("was not told (silenced: drill)")
        assert deliveries.redeliver(t, one, now=NOON, force=True) == ""
        (again,) = outbox.claim(t, now=NOON, limit=1)
    assert not again.value.alert.repeat


def test_many_alerts_end_with_their_digest(either_ledger: Ledger) -> None:
    """More than a statement has parameters for; what came too late becomes due by itself."""
    items = [alert(n, story_id=f"s-{n}", digest="digest-1") for n in range(6_000)]
    own = alert(9_999, key="digest-1", role=Role.DIGEST, story_id="", topic_id="", article_id="")
    add(either_ledger, own, *items)
    with either_ledger.write() as t:
        gathered.include(t, [one.key for one in items[:-1]], now=NOON)
        ended = Delivery(alert_key="digest-1", at=at(1), attempt=1, outcome=Reason.DELIVERED)
        gathered.ended(t, "digest-1", ended, remote_id=None, now=at(1))
        found = overview.channels(t)["screen"]
    assert (found["delivered"], found["open"], found["gathered"]) == (5_999, 2, 0)
