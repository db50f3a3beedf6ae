"""How often a feed publishes, as its polls teach it, and the interval that follows."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.bench.scheduling import compare, ratios
from tests.builders import NOON
from worker.feeds.rhythm import has_shown, interval, learn

BASE = timedelta(minutes=15)


def watched(
    counts: Iterable[float], *, base: timedelta = BASE, every: timedelta | None = None, start: datetime = NOON
) -> tuple[dict[str, Any], datetime]:
    """Return the rhythm after polls with so many new entries each, and the time of the last one."""
    now = start
    learned = learn({}, new=99, now=now, polled_at=None, base=base)
    for new in counts:
        before, now = now, now + (every or base)
        learned = learn(learned, new=int(new), now=now, polled_at=before, base=base)
    return learned, now


def after(counts: Iterable[float], *, base: timedelta = BASE, start: datetime = NOON) -> timedelta:
    """Return the interval after polls with so many new entries each."""
    learned, now = watched(counts, base=base, start=start)
    return interval(learned, base=base, now=now)


def test_the_first_poll_teaches_nothing() -> None:
    """What a feed holds when it is first seen is its past, however much it is."""
    learned = learn({}, new=300, shown=True, now=NOON, polled_at=None, base=BASE)
    assert interval(learned, base=BASE, now=NOON) == BASE
    assert has_shown(learned)
    assert not has_shown(learn({}, new=0, now=NOON, polled_at=None, base=BASE))


@given(st.lists(st.integers(0, 50), max_size=19))
def test_a_feed_is_polled_as_configured_until_it_is_known(counts: list[int]) -> None:
    """Nobody's configured interval is changed on the strength of a few polls."""
    assert after(counts) == BASE


def test_a_busy_feed_is_polled_more_often_and_a_quiet_one_less() -> None:
    """The interval goes with the square root of the rate, on both sides of the configured one."""
    busy, quiet = after([2] * 300), after([0] * 300)
    assert busy < BASE / 2
    assert quiet > BASE * 2
    assert after([8] * 300) == pytest.approx(busy / 2, rel=0.1)


def test_the_interval_moves_smoothly_from_the_configured_one() -> None:
    """No poll changes the interval by more than a tenth."""
    for counts in ([2] * 100, [0] * 100):
        learned, now = watched([])
        previous = BASE
        for new in counts:
            before, now = now, now + BASE
            learned = learn(learned, new=new, now=now, polled_at=before, base=BASE)
            current = interval(learned, base=BASE, now=now)
            assert abs(current / previous - 1) < 0.1
            previous = current


@given(
    counts=st.lists(st.integers(0, 5), min_size=20, max_size=60),
    base=st.floats(0.01, 50).map(lambda seconds: timedelta(seconds=seconds)),
)
def test_the_rhythm_knows_no_scale(counts: list[int], base: timedelta) -> None:
    """A feed that is polled every second learns as one that is polled every minute, within an hour of the day."""
    start = NOON.replace(minute=1)
    reference, unit = after(counts, base=timedelta(seconds=20), start=start), timedelta(seconds=20)
    assert after(counts, base=base, start=start) / base == pytest.approx(reference / unit, rel=1e-3)


def test_hours_in_which_a_feed_publishes_are_watched_closely() -> None:
    """After some days a feed of the mornings is polled more often in the morning than at night."""
    learned, now = dict[str, Any](), NOON
    for _ in range(10 * 96):
        before, now = now, now + BASE
        learned = learn(learned, new=2 if 6 <= before.hour < 10 else 0, now=now, polled_at=before, base=BASE)
    learned |= {"recent": [0.0, 0.0]}
    morning, night = now.replace(hour=7), now.replace(hour=20)
    assert interval(learned, base=BASE, now=morning) * 2 < interval(learned, base=BASE, now=night)


def test_an_interval_does_not_sleep_into_the_busy_hours() -> None:
    """A wait of the night is shorter when livelier hours begin before its end."""
    learned, now = dict[str, Any](), NOON
    for _ in range(20 * 24):
        before, now = now, now + timedelta(hours=1)
        learned = learn(learned, new=20 if 6 <= before.hour < 10 else 0, now=now, polled_at=before, base=BASE)
    learned |= {"recent": [0.0, 0.0]}
    deep, late = (
        interval(learned, base=BASE, now=now.replace(hour=hour, minute=minute)) for hour, minute in ((1, 30), (3, 30))
    )
    assert late < deep * 0.9


def test_a_burst_is_followed_at_once_and_forgotten_soon() -> None:
    """A few entries after a long calm shorten the interval; an hour or two of calm lengthens it again."""
    calm = [0, 0, 0, 1] * 60
    before, during, later = after(calm), after([*calm, 3, 3]), after([*calm, 3, 3, *[0] * 20])
    assert during < before * 0.7
    assert later > before * 0.8


def test_what_was_is_forgotten_by_and_by() -> None:
    """A feed that was busy for a week and is quiet for six is a quiet feed."""
    week = 7 * 96
    assert after([3] * week) < BASE / 2
    assert after([3] * week + [0] * 6 * week) > BASE * 2


def test_entries_of_a_long_wait_are_spread_over_its_hours() -> None:
    """Of what came in four hours nobody knows in which."""
    learned, _ = watched([8], every=timedelta(hours=4))
    assert learned["entries"][12:16] == [2.0] * 4
    assert sum(learned["entries"]) == 8
    assert sum(learned["seconds"]) == 4 * 3600


@given(
    st.lists(
        st.tuples(st.integers(0, 500), st.floats(0.001, 40 * 3600), st.booleans()),
        max_size=30,
    ),
    st.floats(1, 86400),
)
def test_any_watch_gives_an_interval_and_can_be_stored(polls: list[tuple[int, float, bool]], base: float) -> None:
    """Whatever comes, the rhythm is JSON and the interval a positive span, the same after a restart."""
    learned, now, configured = dict[str, Any](), NOON, timedelta(seconds=base)
    for new, seconds, on_time in polls:
        before, now = now, now + timedelta(seconds=seconds)
        learned = learn(learned, new=new, now=now, polled_at=before if on_time else None, base=configured)
    found = interval(learned, base=configured, now=now)
    assert found > timedelta(0)
    assert interval(json.loads(json.dumps(learned)), base=configured, now=now) == found


def test_learning_changes_no_rhythm_in_place() -> None:
    """A poll whose result is not recorded has taught nothing."""
    learned, now = watched([1, 2])
    before = json.dumps(learned)
    learn(learned, new=5, now=now + BASE, polled_at=now, base=BASE)
    assert json.dumps(learned) == before


def test_a_clock_that_went_back_teaches_nothing() -> None:
    """Time that did not pass was not watched."""
    learned, now = watched([1, 2])
    again = learn(learned, new=5, now=now - BASE, polled_at=now, base=BASE)
    assert (again["entries"], again["seconds"]) == (learned["entries"], learned["seconds"])


def test_entries_are_seen_sooner_than_by_polling_at_a_fixed_interval() -> None:
    """At equal polls the mean delay is well below a fixed interval's, and the constants alone make as many polls."""
    found = compare(100, feeds=80, days=6, learning=2)
    measured = ratios(found, "ours")
    assert found["ours"].polls_per_hour == pytest.approx(found["fixed"].polls_per_hour, rel=0.003)
    assert measured["mean_of_fixed"] < 0.8
    assert measured["mean_of_oracle"] < 1.15
    assert measured["p95_of_fixed"] < 1.05
    assert found["ours"].longest <= 240
    assert found["natural"].polls_per_hour == pytest.approx(found["fixed"].polls_per_hour, rel=0.05)
