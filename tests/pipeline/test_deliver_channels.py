"""Channels as a whole: left alone for a time, disabled until somebody mends them, stood in for."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest

from tests.builders import NOON, alert, at
from tests.pipeline.conftest import House
from tests.pipeline.receivers import Inbox, attempts, due, look, several, tell
from tests.pipeline.test_stages import reasons
from worker.alerts.policy import Recipient
from worker.channels.base import Busy, Disabled, Doubtful
from worker.errors import Retryable
from worker.ledger import channels, deliveries, outbox
from worker.ledger.leases import LEASE
from worker.model import Notice, Reason, Role
from worker.stages import deliver

BUSY = Busy("429", after=timedelta(minutes=5))
REVOKED = Disabled("the token was revoked")


def state(house: House, channel: str = "screen") -> channels.ChannelState:
    """Return what stands in the way of a channel."""
    with house.p.ledger.read() as t:
        return channels.states(t).get(channel, channels.ChannelState(id=channel))


def test_a_channel_that_wants_to_be_left_alone_keeps_all_its_alerts_waiting(house: House) -> None:
    """The first one is told so, the others are not even begun, none is charged, and other channels go on."""
    busy, other = Inbox(ends=[BUSY]), Inbox(id="other")
    tell(house, busy, other)
    due(house, *several(3), alert(9, channel_id="other"))
    assert sorted(reasons(house.deliver(NOON))) == [*[Reason.CHANNEL_WAITS] * 3, Reason.DELIVERED]
    assert (len(busy.called), other.keys()) == (1, ["key-0009"])
    assert [look(house, f"key-000{n}").alert.attempt for n in (1, 2, 3)] == [0, 0, 0]
    assert look(house).alert.reason is Reason.CHANNEL_WAITS
    assert house.deliver(at(4)) == []
    assert reasons(house.deliver(at(5))) == [Reason.DELIVERED] * 3
    assert attempts(house) == [(1, "channel-waits"), (1, "delivered")]


def test_others_are_claimed_in_the_place_of_those_that_wait(house: House) -> None:
    """A channel with a backlog does not keep another one's alerts behind it."""
    busy, other = Inbox(), Inbox(id="other")
    tell(house, busy, other)
    due(house, *several(30), alert(99, channel_id="other", due_at=at(1)))
    with house.p.ledger.write() as t:
        channels.hold(t, "screen", until=at(60))
    (one,), _ = deliver.claim(house.p, now=at(1), limit=4)
    assert one.value.alert.channel_id == "other"
    assert deliver.do(house.p, one, now=at(1)).reason is Reason.DELIVERED
    assert reasons(house.deliver(at(60))) == [Reason.DELIVERED] * 10


def test_a_hold_is_bounded_and_a_later_one_is_not_shortened(house: House) -> None:
    """A receiver that asks for a year is asked again tomorrow."""
    tell(house, Inbox(ends=[Busy("429", after=timedelta(days=365))]))
    due(house, alert())
    house.deliver(NOON)
    assert state(house).hold_until == at(24 * 60)
    with house.p.ledger.write() as t:
        channels.hold(t, "screen", until=at(1))
    assert state(house).hold_until == at(24 * 60)


def test_messages_of_a_channel_keep_their_distance_whoever_sends_them(house: House) -> None:
    """One a second: threads that claim at the same time share the places, and nothing is charged for waiting."""
    inbox = Inbox(gap=timedelta(seconds=1))
    tell(house, inbox)
    due(house, *several(6))
    with house.p.ledger.write() as t:
        claims = outbox.claim(t, now=NOON, limit=6)
    start, ended = threading.Barrier(6), []

    def work(number: int) -> None:
        start.wait(30)
        ended.append(deliver.do(house.p, claims[number], now=NOON).reason)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(ended) == [*[Reason.CHANNEL_WAITS] * 5, Reason.DELIVERED]
    for second in range(1, 20):
        house.deliver(NOON + timedelta(seconds=second))
    assert sorted(inbox.keys()) == [f"key-000{n}" for n in range(1, 7)]
    with house.p.ledger.read() as t:
        times = sorted(d.at for n in range(1, 7) for d in deliveries.attempts(t, f"key-000{n}"))
    assert all(later - earlier >= inbox.gap for earlier, later in pairwise(times))
    assert times[-1] <= NOON + timedelta(seconds=8)
    assert look(house).alert.attempt == 1


def test_what_a_channel_with_a_gap_cannot_take_now_gets_places_one_after_the_other(house: House) -> None:
    """So that the next claim does not meet all of it again."""
    tell(house, Inbox(gap=timedelta(seconds=1)))
    due(house, *several(5))
    assert reasons(house.deliver(NOON)) == [Reason.DELIVERED]
    times = [look(house, f"key-000{n}").alert.due_at - NOON for n in range(2, 6)]
    assert times == [timedelta(seconds=n) for n in range(1, 5)]


# Disabled


def test_a_channel_that_takes_nothing_keeps_its_alerts_and_somebody_is_told_once(house: House) -> None:
    """They are neither dead nor charged, and the notice goes to the first other channel."""
    broken, desk, third = Inbox(ends=[REVOKED]), Inbox(id="desk"), Inbox(id="third")
    tell(house, broken, desk, third)
    due(house, *several(3))
    assert Reason.CHANNEL_DISABLED in reasons(house.deliver(NOON))
    for hour in range(48):
        house.deliver(at(60 * hour))
    assert len(broken.called) == 1
    assert [look(house, f"key-000{n}").state for n in (1, 2, 3)] == ["open"] * 3
    assert [look(house, f"key-000{n}").alert.attempt for n in (1, 2, 3)] == [0] * 3
    assert look(house).alert.reason is Reason.CHANNEL_DISABLED
    (notice,) = desk.sent
    assert isinstance(notice, Notice)
    assert "channel screen takes nothing any more: the token was revoked. Its alerts wait" in notice.alert.clause
    assert "wirewatch channel enable screen" in notice.alert.clause
    assert third.sent == []
    assert (state(house).disabled, state(house).reason) == (True, "the token was revoked")


def test_enabled_again_it_gets_all_that_has_waited(house: House) -> None:
    """At once; what is due later stays due later."""
    broken = Inbox(ends=[REVOKED])
    tell(house, broken)
    due(house, *several(2), alert(8, story_id="s-8", due_at=at(600)))
    house.deliver(NOON)
    with house.p.ledger.write() as t:
        assert channels.enable(t, "screen", now=at(30)) == 2
        assert channels.enable(t, "screen", now=at(30)) is None
    assert reasons(house.deliver(at(30))) == [Reason.DELIVERED] * 2
    assert reasons(house.deliver(at(600))) == [Reason.DELIVERED]


def test_another_configuration_gives_a_channel_a_new_chance(house: House) -> None:
    """The token was replaced; the same configuration, or one of another channel, changes nothing."""
    broken = Inbox(ends=[REVOKED])
    tell(house, broken)
    house.change(channel_versions={"screen": "v1"})
    due(house, alert())
    house.deliver(NOON)
    house.change(channel_versions={"screen": "v1", "desk": "v7"})
    assert house.deliver(at(1)) == []
    house.change(channel_versions={"screen": "v2"})
    assert reasons(house.deliver(at(2))) == [Reason.DELIVERED]
    assert not state(house).disabled


def test_what_a_person_has_disabled_only_a_person_enables(house: House) -> None:
    """No change of the configuration does."""
    tell(house, Inbox())
    due(house, alert())
    with house.p.ledger.write() as t:
        assert channels.disable(t, "screen", reason="moving house", config=channels.BY_HAND, now=NOON)
        assert not channels.disable(t, "screen", reason="again", config="v1", now=NOON)
    house.change(channel_versions={"screen": "v2"})
    assert house.deliver(NOON) == []
    with house.p.ledger.write() as t:
        channels.enable(t, "screen", now=at(1))
    assert reasons(house.deliver(at(1))) == [Reason.DELIVERED]


def test_another_channel_stands_in_for_one_that_is_disabled(house: House) -> None:
    """It is sent the same alert without the thread of the other, the delivery says so, and it gets the notice."""
    slack, desk, screen = Inbox(id="slack"), Inbox(id="desk"), Inbox(id="screen")
    recipients = [Recipient(id="slack", fallback="desk"), Recipient(id="desk", fallback="screen")]
    tell(house, slack, desk, screen, recipients=recipients)
    first = alert(1, channel_id="slack")
    due(house, first)
    house.deliver(NOON)
    slack.ends = [REVOKED]
    due(house, *(replace(first, key=f"key-000{n}", article_id=f"b-{n}", role=Role.DEVELOPMENT) for n in (2, 3)))
    for minute in range(4):
        house.deliver(at(minute))
    (notice,) = [one for one in desk.sent if isinstance(one, Notice)]
    assert "Its alerts go to desk meanwhile" in notice.alert.clause
    told = [one for one in desk.sent if not isinstance(one, Notice)]
    assert [one.alert.key for one in told] == ["key-0002", "key-0003"]
    assert [one.thread for one in told] == [None, None]  # type: ignore[union-attr]
    assert slack.called[-1].thread == "slack-1"  # type: ignore[union-attr]
    last = look(house, "key-0003").last
    assert last is not None
    assert last.detail == "through desk, for slack is disabled"
    with house.p.ledger.read() as t:
        rows = t.exec_driver_sql("SELECT remote_id FROM alert WHERE channel_id = 'slack' ORDER BY id").scalars().all()
    assert rows == ["slack-1", None, None]
    desk.ends = [REVOKED]
    due(house, alert(4, channel_id="slack", story_id="s-4"))
    for minute in range(5, 8):
        house.deliver(at(minute))
    assert "key-0004" in {one.alert.key for one in screen.sent}


def test_channels_that_stand_in_for_each_other_do_not_go_round_in_circles(house: House) -> None:
    """All of them disabled, the alerts wait."""
    one, two = Inbox(id="one", ends=[REVOKED]), Inbox(id="two", ends=[REVOKED])
    tell(house, one, two, recipients=[Recipient(id="one", fallback="two"), Recipient(id="two", fallback="one")])
    due(house, alert(channel_id="one"))
    for minute in range(5):
        house.deliver(at(minute))
    assert (len(one.called), len(two.called)) == (1, 1)
    assert look(house).state == "open"
    with house.p.ledger.read() as t:
        found = deliveries.told(t)
    off = [told for told in found if told.state == "off"]
    assert [told.error for told in off] == ["there is no other channel to tell it to"]


def test_a_doubt_about_a_disabled_channel_is_still_resolved(house: House) -> None:
    """It is not put aside, where nobody would see it."""
    tell(house, Inbox(ends=[REVOKED]), Inbox(id="desk"))
    due(house, *several(2))
    with house.p.ledger.write() as t:
        (claim,) = outbox.claim(t, now=NOON, limit=1)
        outbox.begin(t, claim, now=NOON)
    house.deliver(at(1))
    assert reasons(house.deliver(NOON + LEASE))[:1] == [Reason.UNKNOWN]


def test_a_channel_is_given_up_after_five_days_of_nothing_but_failures(house: House) -> None:
    """And not before: an hour of failures, or one delivery in between, is no reason."""
    broken = Inbox(ends=[Retryable("no route")] * 999)
    tell(house, broken, Inbox(id="desk"))
    due(house, *several(4, due_at=NOON), alert(9, story_id="s-9", due_at=at(4 * 24 * 60)))
    for hour in range(5 * 24):
        house.deliver(at(60 * hour))
    assert not state(house).disabled
    assert len(broken.called) > 40
    for hour in range(5 * 24, 7 * 24):
        house.deliver(at(60 * hour))
    assert state(house).disabled
    assert "nothing has arrived for 5 days" in state(house).reason
    assert look(house, "key-0009").state == "open"


@pytest.mark.parametrize("before", ["delivered", "enabled"])
def test_what_failed_before_does_not_count(house: House, before: str) -> None:
    """A delivery begins the five days anew, and so does a person who has mended the channel."""
    day = 24 * 60
    broken = Inbox(ends=[Retryable("no route")] * 999)
    tell(house, broken, Inbox(id="desk"))
    due(house, *several(4), alert(8, story_id="s-8", due_at=at(4 * day)), alert(9, story_id="s-9", due_at=at(6 * day)))
    for hour in range(5 * 24 - 1):
        house.deliver(at(60 * hour))
    if before == "delivered":
        kept, broken.ends = broken.ends, []
        due(house, alert(7, story_id="s-7", due_at=at(5 * day - 60)))
        house.deliver(at(5 * day - 60))
        broken.ends = kept
    else:
        for hour in range(5 * 24, 6 * 24):
            house.deliver(at(60 * hour))
        assert state(house).disabled
        with house.p.ledger.write() as t:
            channels.enable(t, "screen", now=at(6 * day))
    for hour in range(6 * 24, 8 * 24):
        house.deliver(at(60 * hour))
    assert not state(house).disabled


def test_a_doubtful_answer_says_nothing_of_the_channel(house: House) -> None:
    """It stays open to the others."""
    inbox = Inbox(ends=[Doubtful("lost")])
    tell(house, inbox)
    due(house, *several(2))
    assert reasons(house.deliver(NOON)) == [Reason.UNKNOWN, Reason.DELIVERED]
