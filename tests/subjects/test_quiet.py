"""Silences that no error says: of a feed against its rhythm, of a topic against its past, and texts that collapse."""

from __future__ import annotations

import random
from datetime import date, datetime, timedelta

import pytest

from tests.builders import NOON
from worker.articles import lengths
from worker.feeds import quiet as feed_quiet
from worker.feeds.rhythm import learn
from worker.model import FeedState, Lengths
from worker.topics import quiet as topic_quiet

HOUR = timedelta(hours=1)


def _watched(days: int, shows: object, *, silent: timedelta = timedelta(0)) -> FeedState:
    """Return a feed polled hourly, with ``shows(at)`` new entries at each poll, and then nothing for a time."""
    rhythm = learn({}, new=20, now=NOON, polled_at=None, base=HOUR)
    at = NOON
    while at < NOON + timedelta(days=days) + silent:
        before, at = at, at + HOUR
        new = shows(at) if at <= NOON + timedelta(days=days) else 0  # type: ignore[operator]
        rhythm = learn(rhythm, new=new, now=at, polled_at=before, base=HOUR)
    return FeedState(feed_id="wire", state="ok", rhythm=rhythm, last_success_at=at)


def _busy(at: datetime) -> int:
    return 2 if 6 <= at.hour < 20 else 0


def test_a_busy_feed_that_falls_silent_is_noticed_within_a_day() -> None:
    """Its nights are part of its rhythm; a working day without an entry is not."""
    assert feed_quiet.quiet_since(_watched(14, _busy)) is None
    silent = _watched(14, _busy, silent=timedelta(hours=26))
    since = feed_quiet.quiet_since(silent)
    assert since is not None
    assert timedelta(hours=24) < NOON + timedelta(days=14) + timedelta(hours=26) - since < timedelta(hours=28)


def test_no_night_of_four_weeks_is_taken_for_a_silence() -> None:
    """At no hour of a regular life is there an alarm."""
    rhythm = learn({}, new=20, now=NOON, polled_at=None, base=HOUR)
    at = NOON
    for _ in range(28 * 24):
        before, at = at, at + HOUR
        rhythm = learn(rhythm, new=_busy(at), now=at, polled_at=before, base=HOUR)
        state = FeedState(feed_id="wire", state="ok", rhythm=rhythm, last_success_at=at)
        assert feed_quiet.quiet_since(state) is None, at


def test_weekends_are_learned() -> None:
    """A feed that rests for two days a week is not silent on a later weekend, and is after five days."""

    def working(at: datetime) -> int:
        return _busy(at) if at.weekday() < 5 else 0

    state = _watched(21, working)  # three weeks from a Monday or so on
    rest = _watched(21, working, silent=timedelta(hours=60))
    assert feed_quiet.quiet_since(state) is None
    assert feed_quiet.quiet_since(rest) is None
    assert feed_quiet.quiet_since(_watched(21, working, silent=timedelta(days=6))) is not None


def test_a_feed_that_seldom_shows_anything_is_never_silent_too_early() -> None:
    """Two entries a week are too few to be missed after some days."""
    seldom = _watched(28, lambda at: int(at.hour == 9 and at.weekday() in {1, 4}), silent=timedelta(days=8))
    assert feed_quiet.quiet_since(seldom) is None


def test_a_rhythm_of_an_earlier_version_knows_no_silence() -> None:
    """What it has not learned it does not judge by."""
    assert feed_quiet.quiet_since(FeedState(feed_id="wire", rhythm={"shown": True}, last_success_at=NOON)) is None
    assert feed_quiet.quiet_since(FeedState(feed_id="wire")) is None


@pytest.mark.parametrize(("silent", "odd"), [(0, False), (1, False), (2, True), (20, True)])
def test_a_topic_that_matches_daily_is_odd_after_some_days(silent: int, odd: bool) -> None:
    """One silent day happens; a row of them does not."""
    today = date(2026, 3, 30)
    active = {today - timedelta(days=1 + silent + back) for back in range(14)}
    found = topic_quiet.quiet_since(active, today=today)
    assert found == (today - timedelta(days=1 + silent) if odd else None)


def test_a_topic_that_matches_today_or_too_seldom_is_not_odd() -> None:
    """Nor is one that has matched on a few days only, whatever came after."""
    today = date(2026, 3, 30)
    assert topic_quiet.quiet_since({today, *(today - timedelta(days=n) for n in range(9, 20))}, today=today) is None
    assert topic_quiet.quiet_since({today - timedelta(days=n) for n in (30, 31, 33)}, today=today) is None
    assert topic_quiet.quiet_since(set(), today=today) is None


def _after(known: Lengths, *texts: int) -> Lengths:
    for chars in texts:
        known = lengths.after(known, chars, now=NOON)
    return known


def test_texts_that_collapse_are_noticed_after_a_few_and_recover() -> None:
    """A wall gives the same short text for every page; what it gives does not become what is usual."""
    usual = _after(Lengths(), *([3000, 5000, 1500, 8000, 2500] * 10))
    assert usual.since is None
    wall = _after(usual, *[300] * 8)
    assert wall.since == NOON
    assert _after(wall, *[300] * 500).since == NOON
    assert _after(wall, *[3000] * 12).since is None


def test_hosts_with_texts_of_every_length_do_not_collapse() -> None:
    """Briefs among long reads are no wall: none of fifty hosts in 400 texts each."""
    rng = random.Random(7)  # noqa: S311 - a fixed sequence
    for _ in range(50):
        known = Lengths()
        for _ in range(400):
            known = lengths.after(known, int(rng.lognormvariate(8, 0.9)), now=NOON)
            assert known.since is None


def test_a_new_host_is_not_judged() -> None:
    """Before there is something usual nothing is unusual."""
    assert _after(Lengths(), *[9000] * (lengths.ENOUGH - 8), *[100] * 7).since is None
