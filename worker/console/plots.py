"""From what was counted to what is plotted: which topics have a colour of their own, and what buckets are called."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from itertools import pairwise

from markupsafe import Markup

from worker.console.charts import SERIES, bars, histogram
from worker.console.rendering import span

Days = Mapping[tuple[str, ...], Mapping[date, int]]
_OTHERS = "all others"
_TENTH_BELOW = 10


def by_topic(found: Days, *, until: date, days: int, label: str) -> Markup:
    """Return what was counted a day by topic, the first of the labels, for so many days up to ``until``.

    The topics that count most have a colour of their own, and the rest one together.
    """
    shown = [until - timedelta(days=ago) for ago in reversed(range(days))]
    topics = summed(found)
    counts = {topic: sum(by_day.get(day, 0) for day in shown) for topic, by_day in topics.items()}
    ranked = sorted((topic for topic, count in counts.items() if count), key=lambda topic: (-counts[topic], topic))
    named = ranked if len(ranked) <= SERIES else ranked[: SERIES - 1]
    series = {topic: topics[topic] for topic in named}
    if len(ranked) > len(named):
        series[_OTHERS] = _sum([topics[topic] for topic in ranked[len(named) :]])
    return bars(shown, series, label=label)


def summed(found: Days) -> dict[str, dict[date, int]]:
    """Return what was counted a day by the first of the labels, whatever the others say.

    What has none is left out: digests and notices are alerts without a topic.
    """
    parts: dict[str, list[Mapping[date, int]]] = defaultdict(list)
    for labels, by_day in found.items():
        if labels[0]:
            parts[labels[0]].append(by_day)
    return {name: _sum(some) for name, some in parts.items()}


def _sum(parts: Sequence[Mapping[date, int]]) -> dict[date, int]:
    total: dict[date, int] = defaultdict(int)
    for by_day in parts:
        for day, count in by_day.items():
            total[day] += count
    return dict(total)


def delays(buckets: Sequence[tuple[float, float]], *, label: str) -> Markup:
    """Return a histogram of seconds, given as upper bounds with the number of values up to each."""
    return histogram(own_counts(buckets), label=label)


def own_counts(buckets: Sequence[tuple[float, float]]) -> list[tuple[str, int]]:
    """Return the number of values in each bucket alone, by the bucket's name."""
    before = [0.0, *(total for _, total in buckets[:-1])]
    counts = [round(total - less) for (_, total), less in zip(buckets, before, strict=True)]
    names = [_bound(bound) for bound, _ in buckets[:-1]]
    last = [f"> {names[-1]}" if names else "any"] if buckets else []
    return list(zip([*names, *last], counts, strict=True))


def _bound(seconds: float) -> str:
    if math.isfinite(seconds) and seconds < _TENTH_BELOW:
        return f"{seconds:g} s"
    return span(seconds)


def median(buckets: Sequence[tuple[float, float]]) -> float | None:
    """Return the seconds that half of the values do not exceed: a bound, infinite beyond the last; ``None`` of none."""
    whole = buckets[-1][1] if buckets else 0
    if not whole:
        return None
    totals = [(0.0, 0.0), *buckets]
    return next(bound for (_, less), (bound, total) in pairwise(totals) if less < whole / 2 <= total)
