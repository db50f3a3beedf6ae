"""How soon feeds are seen to have published, by four ways to say when to poll, at an equal number of polls.

A simulation, the same for the same seed. The feeds are a typical mix: rates log-normal with a median of 8 entries a day
and a sigma of 1.6, taken evenly from the distribution so that every seed is as typical as any; each has a peak hour of
its own; a quarter have bursts. Entries come as a Poisson process whose rate changes with the time. The first days teach
and are not measured. The delay is the time from an entry's publication to the poll that sees it.

- fixed: every 15 minutes.
- proportional: as often as the feed has published in the last week (as miniflux does), from 5 minutes to 24 hours.
- oracle: it knows the true rate at every moment, past and future, and polls in proportion to its square root.
- ours: worker.feeds, with the jitter and limits of the service.

The constants of worker.feeds.rhythm were chosen on ``TUNED_ON`` and nothing else; ``REPORTED`` are other seeds.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from statistics import NormalDist, fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.bench.harness import Row, span
from worker.feeds import rhythm
from worker.feeds.decisions import wait_after
from worker.feeds.polling import Polling
from worker.model import Feed, Hints

TUNED_ON, REPORTED = range(100, 105), range(1, 6)
POLICIES = ("fixed", "proportional", "oracle", "ours")
#: Feeds of a world in the rows of the comparison: fewer than the constants were chosen on, to be done in half a minute.
_ROW_FEEDS = 100
_WHAT = f"simulated, equal polls, {_ROW_FEEDS} feeds, 10 days"
GOALS = {"mean_of_fixed": 0.70, "mean_of_oracle": 1.15, "p95_of_fixed": 1.05}

#: All times are in seconds from here on; the past is negative.
_START = datetime(2026, 3, 2, tzinfo=UTC)
_HOUR, _DAY, _WEEK = 3600.0, 86400.0, 7 * 86400.0
_BASE = 900.0
_POLLING = Polling(min_interval=timedelta(seconds=60), max_interval=timedelta(hours=4))
_SHORTEST, _LONGEST = 60.0, 4 * _HOUR
#: The rates are constant for so long.
_STEP = 300.0

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Feeds, and what they publish from a week before the start to the end."""

    days: int
    #: Days at the beginning that are not measured.
    learning: int
    #: The beginnings of the steps of ``rates``.
    grid: Floats
    #: Entries per second of each feed (row) in each step (column).
    rates: Floats
    #: When each feed's entries were published.
    entries: tuple[Floats, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What a policy came to. Delays and intervals are in minutes."""

    polls_per_hour: float
    mean: float
    median: float
    p95: float
    feed_mean: float
    longest: float


Polls = Sequence[Floats]


def world(seed: int, *, feeds: int = 300, days: int = 14, learning: int = 4) -> World:
    """Return the world of a seed."""
    rng = np.random.default_rng(seed)
    grid = np.arange(-_WEEK, days * _DAY, _STEP)
    places = (np.arange(feeds) + rng.uniform(0.001, 0.999, feeds)) / feeds
    normal = np.array([NormalDist().inv_cdf(place) for place in places])
    rates = (8 / _DAY * np.exp(1.6 * normal))[:, None] * _hours(rng, grid, feeds) * _bursts(rng, grid, feeds)
    entries = []
    for row in rates:
        counts = rng.poisson(row * _STEP)
        entries.append(np.sort(np.repeat(grid, counts) + rng.uniform(0, _STEP, counts.sum())))
    return World(days=days, learning=learning, grid=grid, rates=rates, entries=tuple(entries))


def _hours(rng: np.random.Generator, grid: Floats, feeds: int) -> Floats:
    """Return by how much each feed is above its mean in each step: a bell around its peak hour, flat to steep."""
    peak, steepness = rng.uniform(0, 24, feeds), rng.uniform(0.3, 1.4, feeds)
    angles = (grid[None, :] / _HOUR - peak[:, None]) * 2 * np.pi / 24
    bells: Floats = np.exp(steepness[:, None] * np.cos(angles)) / np.i0(steepness)[:, None]
    return bells


def _bursts(rng: np.random.Generator, grid: Floats, feeds: int) -> Floats:
    """Return what bursts multiply: in a quarter of the feeds, one every other day, an hour or two, 4 to 12 times."""
    times = np.ones((feeds, len(grid)))
    for feed in np.flatnonzero(rng.random(feeds) < 0.25):
        at = grid[0] + rng.exponential(2 * _DAY)
        while at < grid[-1]:
            until = at + 1.5 * _HOUR * np.exp(rng.normal(0, 0.6))
            times[feed, (grid >= at) & (grid < until)] *= rng.uniform(4, 12)
            at += rng.exponential(2 * _DAY)
    return times


def fixed(w: World, *, seed: int) -> Polls:
    """Return the polls of every feed, at the fixed interval."""
    return [np.arange(begin, w.days * _DAY + _LONGEST, _BASE) for begin in _begins(w, seed)]


def proportional(w: World, gain: float, *, seed: int) -> Polls:
    """Return the polls of every feed, in proportion to its entries of the last week."""
    steps = np.arange(0, w.days * _DAY + 2 * _DAY, _STEP)
    counts = np.array([np.searchsorted(times, steps) - np.searchsorted(times, steps - _WEEK) for times in w.entries])
    waits = np.clip(_WEEK / np.maximum(counts, 1e-9) / gain, 300.0, _DAY)
    at, feeds, found = _begins(w, seed), np.arange(len(w.entries)), []
    while (at < w.days * _DAY + _DAY).any():
        found.append(at)
        at = at + waits[feeds, np.minimum(at // _STEP, len(steps) - 1).astype(int)]
    return [np.unique(row) for row in np.array(found).T]


def oracle(w: World, gain: float) -> Polls:
    """Return the polls of every feed, in proportion to the square root of its true rate."""
    first = int(np.searchsorted(w.grid, 0.0))
    paces = np.clip(np.sqrt(w.rates[:, first:]) * gain, 1 / _LONGEST, 1 / _SHORTEST)
    # The rates of the end go on for the polls that see the last entries.
    paces = np.concatenate([paces, np.repeat(paces[:, -1:], int(_LONGEST / _STEP), axis=1)], axis=1)
    times = np.arange(paces.shape[1] + 1) * _STEP
    polls = []
    for row in paces:
        fallen_due = np.concatenate([[0.0], np.cumsum(row * _STEP)])
        polls.append(np.interp(np.arange(0.5, fallen_due[-1]), fallen_due, times))
    return polls


def ours(w: World, base: float, *, seed: int) -> Polls:
    """Return the polls of every feed, as the service would make them with ``base`` as the configured interval."""
    rng = np.random.default_rng(seed)
    begins = _begins(w, seed)
    return [_watch(times, w.days * _DAY, base, begin, rng) for times, begin in zip(w.entries, begins, strict=True)]


def _watch(times: Floats, until: float, base: float, begin: float, rng: np.random.Generator) -> Floats:
    feed = Feed(id="f", url="https://f.example/", outlet="F", interval=timedelta(seconds=base))
    published, hints, learned = times.tolist(), Hints(), dict[str, Any]()
    seen = bisect_right(published, begin)
    now, before, polls = _START + timedelta(seconds=begin), None, [begin]
    while polls[-1] < until:
        shown = bisect_right(published, polls[-1])
        learned = rhythm.learn(
            learned, new=shown - seen, shown=shown > 0, now=now, polled_at=before, base=feed.interval
        )
        wait = wait_after(
            feed, _POLLING, learned, fresh=timedelta(0), hints=hints, gap=False, now=now, jitter=rng.random()
        )
        seen, before, now = shown, now, now + wait
        polls.append(polls[-1] + wait.total_seconds())
    return np.array(polls)


def _begins(w: World, seed: int) -> Floats:
    return np.random.default_rng(seed).uniform(0, _BASE, len(w.entries))


def measure(w: World, polls: Polls) -> Figures:
    """Return what a policy came to in the days that are measured."""
    begin, end = w.learning * _DAY, w.days * _DAY
    delays = []
    for times, at in zip(w.entries, polls, strict=True):
        measured = times[(times >= begin) & (times < end)]
        delays.append((at[np.searchsorted(at, measured)] - measured) / 60)
    every = np.concatenate(delays)
    made = sum(int(((at >= begin) & (at < end)).sum()) for at in polls)
    return Figures(
        polls_per_hour=made / len(polls) / ((end - begin) / _HOUR),
        mean=float(every.mean()),
        median=float(np.median(every)),
        p95=float(np.percentile(every, 95)),
        feed_mean=fmean(float(found.mean()) for found in delays if len(found)),
        longest=max(float(np.diff(at).max()) for at in polls) / 60,
    )


def at_polls(target: float, try_: Callable[[float], Figures], first: float) -> Figures:
    """Return the figures with the gain, begun at ``first``, that makes ``target`` polls an hour; polls grow with it.

    Raises:
        ValueError: no gain that was tried does.
    """
    gain = first
    for _ in range(40):
        figures = try_(gain)
        if abs(figures.polls_per_hour / target - 1) < 0.002:
            return figures
        gain *= target / figures.polls_per_hour
    raise ValueError(f"no gain makes {target:.2f} polls an hour")


def compare(seed: int, *, feeds: int = 300, days: int = 14, learning: int = 4) -> dict[str, Figures]:
    """Return the figures of every policy at an equal number of polls, and ``natural``: ours by its constants alone."""
    w = world(seed, feeds=feeds, days=days, learning=learning)
    plain = measure(w, fixed(w, seed=seed))
    target = plain.polls_per_hour
    natural = measure(w, ours(w, _BASE, seed=seed))
    # Intervals grow with the square root of the base, as long as the rates stay the same.
    nudge = target / natural.polls_per_hour
    return {
        "fixed": plain,
        "proportional": at_polls(target, lambda g: measure(w, proportional(w, g, seed=seed)), 1.0),
        "oracle": at_polls(target, lambda g: measure(w, oracle(w, g)), target / _HOUR / np.sqrt(w.rates).mean()),
        "ours": at_polls(target, lambda g: measure(w, ours(w, _BASE / g**2, seed=seed)), nudge),
        "natural": natural,
    }


def ratios(found: dict[str, Figures], policy: str) -> dict[str, float]:
    """Return the ratios that the goals are about."""
    return {
        "mean_of_fixed": found[policy].mean / found["fixed"].mean,
        "mean_of_oracle": found[policy].mean / found["oracle"].mean,
        "p95_of_fixed": found[policy].p95 / found["fixed"].p95,
    }


def rows(rounds: int) -> Iterable[Row]:
    """Yield a row for each policy and each goal; a round is a seed of its own."""
    seeds = range(REPORTED.start, REPORTED.start + rounds)
    with ProcessPoolExecutor(max_workers=2, mp_context=get_context("spawn")) as pool:
        found = list(pool.map(_small, seeds))
    for policy in POLICIES:
        beside = {name: fmean(asdict(f[policy])[name] for f in found) for name in Figures.__slots__}
        means = span(f[policy].mean for f in found)
        yield Row(what=f"{_WHAT}: mean delay, {policy}", value=means, unit="min", beside=beside)
    for name, most in GOALS.items():
        what = f"{_WHAT}: ours, {name.replace('_', ' ')}"
        yield Row(what=what, value=span(ratios(f, "ours")[name] for f in found), unit="x", goal=most)
    longest = span(f["ours"].longest for f in found)
    yield Row(what=f"{_WHAT}: ours, longest time between two polls", value=longest, unit="min", goal=240)
    untouched = span(f["natural"].polls_per_hour for f in found)
    yield Row(what=f"{_WHAT}: polls of a feed in an hour, by our constants alone", value=untouched, unit="polls/h")


def _small(seed: int) -> dict[str, Figures]:
    return compare(seed, feeds=_ROW_FEEDS)
