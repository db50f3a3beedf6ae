"""Quiet hours, the times of digests, and the budget of an hour."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from tests.builders import NOON, at
from worker.alerts.clock import shown
from worker.alerts.digests import Slot, next_digest, parse_digest
from worker.alerts.policy import Policy, Recipient
from worker.alerts.quiet import end_of_quiet, parse_quiet_hours
from worker.alerts.timing import due, due_correction, within_budget
from worker.model import Reason, Role

_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
_ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Tehran", "Pacific/Chatham")
_clocks = st.times(max_value=time(23, 59)).map(lambda clock: clock.replace(second=0, microsecond=0))
_moments = st.integers(0, 2 * 365 * 24 * 60).map(lambda minutes: datetime(2025, 1, 1, tzinfo=UTC) + minutes * _MINUTE)


def moment(text: str) -> datetime:
    """Return a time in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


# quiet hours


@pytest.mark.parametrize(
    ("hours", "asked", "end"),
    [
        ("22:00-07:00", "2026-02-11T23:00:00", "2026-02-12T07:00:00"),
        ("22:00-07:00", "2026-02-11T06:59:59", "2026-02-11T07:00:00"),
        ("22:00-07:00", "2026-02-11T07:00:00", "2026-02-11T07:00:00"),
        ("09:00-17:00", "2026-02-11T12:00:00", "2026-02-11T17:00:00"),
        ("22:00-07:00 Asia/Tehran", "2026-02-11T20:00:00", "2026-02-12T03:30:00"),
        ("22:00-02:30 Europe/Berlin", "2026-03-28T23:00:00", "2026-03-29T01:30:00"),
        ("22:00-02:30 Europe/Berlin", "2026-10-25T00:10:00", "2026-10-25T00:30:00"),
        ("22:00-02:30 Europe/Berlin", "2026-10-25T01:10:00", "2026-10-25T01:30:00"),
        ("", "2026-02-11T23:00:00", "2026-02-11T23:00:00"),
    ],
    ids=["evening", "morning", "just-over", "by-day", "elsewhere", "left-out", "shown-twice", "second-time", "never"],
)
def test_quiet_hours_end_in_the_readers_own_time(hours: str, asked: str, end: str) -> None:
    """Times outside the quiet hours come back as they are."""
    assert end_of_quiet(hours, moment(asked)) == moment(end)


@pytest.mark.parametrize("text", ["22-7", "25:00-07:00", "22:00-07:00 Nowhere/Atall", "07:00-07:00"])
def test_quiet_hours_of_another_form_are_refused(text: str) -> None:
    """The error says what was expected."""
    with pytest.raises(ValueError, match=r"expected|hour|zone|same time"):
        parse_quiet_hours(text)


@given(_clocks, _clocks, st.sampled_from(_ZONES), _moments)
def test_the_end_of_quiet_is_never_in_the_past_and_at_most_a_day_ahead(
    begin: time, end: time, zone: str, now: datetime
) -> None:
    """Also on days on which the clocks are changed, when a night may be an hour longer."""
    assume(begin != end)
    found = end_of_quiet(f"{begin:%H:%M}-{end:%H:%M} {zone}", now)
    assert now <= found <= now + _DAY + _HOUR


# digests


@pytest.mark.parametrize(
    ("times", "asked", "due_at"),
    [
        ("08:00", "2026-02-11T07:59:59", "2026-02-11T08:00:00"),
        ("08:00", "2026-02-11T08:00:00", "2026-02-12T08:00:00"),
        ("08:00 18:00", "2026-02-11T12:00:00", "2026-02-11T18:00:00"),
        ("18:00 08:00", "2026-02-11T19:00:00", "2026-02-12T08:00:00"),
        ("08:00 Europe/Berlin", "2026-02-11T06:00:00", "2026-02-11T07:00:00"),
        ("08:00 Europe/Berlin", "2026-07-11T05:00:00", "2026-07-11T06:00:00"),
        ("08:00 18:00 America/New_York", "2026-02-11T22:59:00", "2026-02-11T23:00:00"),
        ("02:30 Europe/Berlin", "2026-03-28T23:00:00", "2026-03-29T01:30:00"),
        ("02:30 Europe/Berlin", "2026-10-24T23:00:00", "2026-10-25T00:30:00"),
        ("02:30 Europe/Berlin", "2026-10-25T00:30:00", "2026-10-26T01:30:00"),
    ],
    ids=[
        "soon",
        "just-gone",
        "evening",
        "morning",
        "winter",
        "summer",
        "elsewhere",
        "left-out",
        "shown-twice",
        "second-time-is-none",
    ],
)
def test_the_next_digest_is_at_the_readers_own_time(times: str, asked: str, due_at: str) -> None:
    """Each time comes once a day, however the clocks are changed."""
    assert next_digest(times, moment(asked)) == moment(due_at)


def test_without_times_there_is_no_digest() -> None:
    """Nothing waits for it."""
    assert next_digest("", NOON) is None
    assert parse_digest("  ") is None


@pytest.mark.parametrize(
    "text", ["8", "daily", "Europe/Berlin", "08:00,18:00", "24:00", "08:00 8:00", "08:00 No/Where"]
)
def test_times_of_another_form_are_refused(text: str) -> None:
    """The error says what was expected."""
    with pytest.raises(ValueError, match=r"no time such as|such as|hour|twice|zone"):
        parse_digest(text)


@given(st.lists(_clocks, min_size=1, max_size=4, unique=True), st.sampled_from(_ZONES), _moments)
@example([time(2, 30)], "Europe/Berlin", moment("2026-03-29T01:30:00"))
@example([time(2, 15)], "Australia/Lord_Howe", moment("2026-10-03T15:30:00"))
def test_a_digest_is_due_in_the_future_at_one_of_its_times_and_within_a_day(
    clocks: list[time], zone: str, now: datetime
) -> None:
    """A time that the clocks leave out is as much later as they are put forward; a day may have an hour more."""
    found = next_digest(" ".join(f"{clock:%H:%M}" for clock in clocks) + f" {zone}", now)
    assert found is not None
    assert now < found <= now + _DAY + _HOUR
    local = found.astimezone(ZoneInfo(zone))
    put_forward = local.replace(tzinfo=None) - (found - _HOUR).astimezone(ZoneInfo(zone)).replace(tzinfo=None) - _HOUR
    clock = local.replace(tzinfo=None)
    assert clock.time() in clocks or (put_forward and (clock - put_forward).time() in clocks)


@given(st.lists(_clocks, min_size=1, max_size=3, unique=True), st.sampled_from(_ZONES), _moments)
def test_every_day_has_as_many_digests_as_there_are_times(clocks: list[time], zone: str, now: datetime) -> None:
    """Walking from one to the next for thirty days leaves none out and adds none, but for one at either end."""
    text = " ".join(f"{clock:%H:%M}" for clock in clocks) + f" {zone}"
    walked = [now]
    while walked[-1] < now + 30 * _DAY:
        following = next_digest(text, walked[-1])
        assert following is not None
        walked.append(following)
    assert all(one < other for one, other in pairwise(walked))
    assert abs(len(walked) - 2 - 30 * len(clocks)) <= 2 * len(clocks)


def test_the_key_of_a_digest_is_that_of_its_channel_time_and_number() -> None:
    """So whoever gathers at the same time gathers into the same."""
    slot = Slot(channel_id="screen", reason=Reason.DIGEST, due_at=at(360))
    others = [
        Slot(channel_id="desk", reason=Reason.DIGEST, due_at=at(360)),
        Slot(channel_id="screen", reason=Reason.BUDGET, due_at=at(360)),
        Slot(channel_id="screen", reason=Reason.DIGEST, due_at=at(361)),
    ]
    keys = {slot.key(), slot.key(1), slot.key(2), *(other.key() for other in others)}
    assert len(keys) == 6
    assert slot.key() == Slot(channel_id="screen", reason=Reason.DIGEST, due_at=at(360)).key(0)


def test_a_digest_whose_time_is_quiet_comes_when_quiet_ends() -> None:
    """Quiet hours go before it."""
    recipient = Recipient(id="screen", policy=Policy(digest="18:00", quiet_hours="17:00-19:00"))
    found = due(Role.FIRST, recipient, due_times=lambda _: (), digests=lambda _: (), now=NOON)
    assert (found.reason, found.at) == (Reason.DIGEST, at(420))


# the budget


@given(st.lists(st.integers(-60, 120), max_size=40), st.integers(1, 5))
def test_a_message_comes_as_soon_as_no_hour_then_holds_more_than_the_budget(minutes: list[int], per_hour: int) -> None:
    """It is never early, and no hour that it falls into has more messages than the budget."""
    times = sorted(at(minute) for minute in minutes)
    found = within_budget(NOON, times, per_hour)
    assert found >= NOON
    everything = sorted([*times, found])
    ends = [end for end in everything if found <= end < found + _HOUR]
    assert all(len([one for one in everything if end - _HOUR < one <= end]) <= per_hour for end in ends)


@given(st.integers(1, 200), st.integers(1, 5))
def test_a_burst_keeps_within_the_budget_whatever_its_size(count: int, per_hour: int) -> None:
    """Alerts decided one after the other make the budget's messages, and one with the rest an hour later."""
    recipient = Recipient(id="screen", policy=Policy(per_hour=per_hour))
    times: list[datetime] = []
    digests: list[Slot] = []
    for _ in range(count):
        found = due(Role.FIRST, recipient, due_times=lambda _: sorted(times), digests=lambda _: digests, now=NOON)
        if found.slot is None:
            times.append(found.at)
        elif found.slot not in digests:
            digests.append(found.slot)
            times.append(found.slot.due_at)
    assert len(times) == min(count, per_hour + 1)
    assert len(digests) == (count > per_hour)
    assert all(slot.due_at == at(60.5) for slot in digests)


def test_what_is_over_the_budget_of_the_evening_waits_for_the_morning() -> None:
    """Where the budget allows the next one in quiet hours only."""
    recipient = Recipient(id="screen", policy=Policy(per_hour=1, quiet_hours="12:30-20:00"))
    found = due(Role.FIRST, recipient, due_times=lambda _: [at(-5)], digests=lambda _: (), now=NOON)
    assert found.slot == Slot(channel_id="screen", reason=Reason.QUIET_HOURS, due_at=at(480))


# corrections


@pytest.mark.parametrize(("urgent", "waits"), [(False, True), (True, False)])
def test_a_correction_waits_for_nothing_but_quiet_hours(urgent: bool, waits: bool) -> None:
    """And not even for those where the topic is urgent."""
    policy = Policy(quiet_hours="11:00-13:00", digest="18:00", per_hour=1)
    found = due_correction(Recipient(id="screen", policy=policy), urgent=urgent, now=NOON)
    assert (found.slot is not None, found.at) == (waits, at(60) if waits else NOON)


def test_decisions_speak_of_times_with_the_day_where_it_is_another_one() -> None:
    """In UTC, as all that is shown."""
    assert shown(at(5), now=NOON) == "12:05 UTC"
    assert shown(at(20 * 60), now=NOON) == "12 Feb 08:00 UTC"
