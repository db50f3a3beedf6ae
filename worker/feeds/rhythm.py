"""How often a feed publishes, learned from its polls, and the interval that follows from it.

To see entries as soon as possible with a given number of polls, a feed is polled in proportion to the square root of
its rate: twice as often when it publishes four times as much (Sia, Cho, Cho: "Efficient Monitoring Algorithm for Fast
News Alerts", IEEE TKDE 19(7), 2007). The rate is the product of three things that are learned apart:

- the level: entries in all that was watched, forgotten by and by;
- the profile: which hours of the day, in UTC, are above or below the level;
- the burst: whether the last few intervals were above or below what level and profile promise.

Each begins at "as expected" and moves as far as there are entries to move it. Times are counted in base intervals (the
interval that a person has configured), so that a feed polled every few seconds learns as one polled twice an hour does;
only the hours of the day, and the days in which they are forgotten, are those of the clock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from math import exp, sqrt
from typing import Any

#: Entries per base interval at which the configured interval is the right one. A mix of feeds with a median of 8
#: entries a day (log-normal, sigma 1.6) then makes as many polls as it would at a fixed interval of 15 minutes: see
#: tests/bench/scheduling.py.
TYPICAL = 0.143
#: Base intervals for which "typical" is believed against what is seen. For so long a feed is polled at its configured
#: interval exactly, and for as long again it moves from there to the interval of its own.
PRIOR = 20.0
#: In how many days half is forgotten, and in how many base intervals at the least.
HALF_LIFE_DAYS, HALF_LIFE_INTERVALS = 7.0, 200.0
#: Entries that an hour of the day must have shown, or failed to show, to be believed by half.
HOUR_DOUBT = 3.0
#: Seconds in which the longest silence of a feed is half forgotten: the summer's is not that of the autumn.
GAP_HALF_LIFE = 60 * 86400.0
#: How much an hour and its neighbours, so many hours away, count for what is believed of the hour.
NEIGHBOURS = ((-2, 1 / 3), (-1, 2 / 3), (0, 1.0), (1, 2 / 3), (2, 1 / 3))
#: How far back "recently" reaches, in base intervals, and the entries that it takes to be believed by half.
RECENT, RECENT_DOUBT = 4.0, 2.0

_HOUR, _DAY, _HOURS = 3600.0, 86400.0, 24


def learn(
    rhythm: Mapping[str, Any],
    *,
    new: int,
    now: datetime,
    polled_at: datetime | None,
    base: timedelta,
    shown: bool = False,
) -> dict[str, Any]:
    """Return the rhythm with what one poll has taught.

    ``new`` entries have appeared since ``polled_at``; ``None`` there, as at a first poll, teaches nothing, for what a
    feed holds then is its past. ``shown`` says that the poll showed entries, new or not. ``base`` is the interval that
    is configured for the feed. The rhythm is made of numbers, lists and names only, so that it can be stored as JSON.
    """
    start, end = (polled_at or now).timestamp(), now.timestamp()
    span = end - start
    shown = shown or has_shown(rhythm)
    if span <= 0:
        # Whatever was recent is so no more.
        return dict(rhythm) | {"shown": shown, "recent": [0.0, 0.0]}
    day = int(end // _DAY)
    entries, seconds = _aged(rhythm, day=day, base=base)
    while start < end:
        hour = int(start // _HOUR)
        until = min(end, (hour + 1) * _HOUR)
        entries[hour % _HOURS] += new * (until - start) / span
        seconds[hour % _HOURS] += until - start
        start = until
    before, last, longest = polled_at or now, rhythm.get("last"), rhythm.get("longest", 0.0)
    if new and last is not None:
        longest = max(longest, before.timestamp() - last)
    recent = RECENT * base.total_seconds()
    kept = exp(-span / recent)
    told = recent * (1 - kept)
    count, watched = rhythm.get("recent", (0.0, 0.0))
    return {
        "shown": shown,
        "day": day,
        "entries": entries,
        "seconds": seconds,
        "recent": [count * kept + new * told / span, watched * kept + told],
        # When there was something new last, and the longest time for which there was nothing.
        "last": end if new or last is None else last,
        "longest": longest * 0.5 ** (span / GAP_HALF_LIFE),
    }


def has_shown(rhythm: Mapping[str, Any]) -> bool:
    """Return whether the feed has shown an entry yet."""
    return bool(rhythm.get("shown", False))


def _aged(rhythm: Mapping[str, Any], *, day: int, base: timedelta) -> tuple[list[float], list[float]]:
    """Return the entries and the watched seconds of each hour of the day, as they are remembered on ``day``."""
    if "day" not in rhythm:
        return [0.0] * _HOURS, [0.0] * _HOURS
    entries, seconds = list(rhythm["entries"]), list(rhythm["seconds"])
    if day <= rhythm["day"]:
        return entries, seconds
    half_life = max(HALF_LIFE_DAYS, HALF_LIFE_INTERVALS * base.total_seconds() / _DAY)
    kept = 0.5 ** ((day - rhythm["day"]) / half_life)
    return [count * kept for count in entries], [span * kept for span in seconds]


def interval(rhythm: Mapping[str, Any], *, base: timedelta, now: datetime) -> timedelta:
    """Return how long to wait from ``now`` on, before anything else has a say.

    It is ``base`` until the feed has been watched for ``PRIOR`` intervals, and then moves to the time in which one poll
    falls due when polls come at the pace ``sqrt(rate * base / TYPICAL) / base``.
    """
    length = base.total_seconds()
    watched = sum(rhythm.get("seconds", ()))
    trust = min(watched / length / PRIOR - 1, 1.0)
    if trust <= 0:
        return base
    own = _own(rhythm, length, watched, now.timestamp())
    return timedelta(seconds=length + trust * (own - length))


def expected(rhythm: Mapping[str, Any], *, since: datetime, until: datetime) -> float:
    """Return how many entries a feed would have shown in that time by its level and its profile; 0 if it is unknown."""
    watched = sum(rhythm.get("seconds", ()))
    if not watched:
        return 0.0
    entries, seconds = rhythm["entries"], rhythm["seconds"]
    mean = sum(entries) / watched
    at, end, found = since.timestamp(), until.timestamp(), 0.0
    days = int((end - at) // _DAY)
    if days > 0:  # every hour has come round so many times
        found = days * _HOUR * mean * sum(_profile(entries, seconds, hour, mean) for hour in range(_HOURS))
        at += days * _DAY
    while at < end:
        hour = int(at // _HOUR)
        until_then = min(end, (hour + 1) * _HOUR)
        found += (until_then - at) * mean * _profile(entries, seconds, hour, mean)
        at = until_then
    return found


def _own(rhythm: Mapping[str, Any], length: float, watched: float, start: float) -> float:
    """Return the seconds from ``start`` on in which one poll falls due. Rates are relative to the typical one."""
    entries, seconds = rhythm["entries"], rhythm["seconds"]
    total = sum(entries)
    mean = total / watched
    level = (total / TYPICAL + PRIOR) / (watched / length + PRIOR)
    hour = int(start // _HOUR)
    profile = _profile(entries, seconds, hour, mean)
    level *= _burst(rhythm["recent"], mean * profile)
    at, due = start, 1.0
    # The level is never 0, so that the polls of enough hours always make one.
    while True:
        pace = sqrt(level * profile) / length
        end = (hour + 1) * _HOUR
        if pace * (end - at) >= due:
            return at - start + due / pace
        due -= pace * (end - at)
        at, hour = end, hour + 1
        profile = _profile(entries, seconds, hour, mean)


def _profile(entries: Sequence[float], seconds: Sequence[float], hour: int, mean: float) -> float:
    """Return by how much an hour of the day and its neighbours are above (or below) the mean rate."""
    count = watched = 0.0
    for away, weight in NEIGHBOURS:
        place = (hour + away) % _HOURS
        count += weight * entries[place]
        watched += weight * seconds[place]
    return (count + HOUR_DOUBT) / (watched * mean + HOUR_DOUBT)


def _burst(recent: Sequence[float], expected: float) -> float:
    """Return by how much the last few intervals are above (or below) the rate that was expected."""
    count, watched = recent
    return (count + RECENT_DOUBT) / (watched * expected + RECENT_DOUBT)
