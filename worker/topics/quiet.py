"""Whether a topic is silent against its own past."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, timedelta
from math import log
from typing import Final

#: Days of the past that count, and days with a match among them before there is a rate to speak of.
PAST: Final = 45
ENOUGH: Final = 7
#: A silence is odd when one as long comes by chance less often than this.
CHANCE: Final = 0.005


def quiet_since(days: Collection[date], *, today: date) -> date | None:
    """Return the last day on which a topic matched when it has been oddly silent since, else ``None``.

    Days and not matches are counted, because matches come in bursts: one event makes dozens. Today is not over and
    counts as no silence.
    ``days`` are the days on which the topic matched at least once, as far back as is known.
    """
    active = sorted(day for day in days if today - timedelta(days=PAST) <= day < today)
    if today in days or len(active) < ENOUGH:
        return None
    last = active[-1]
    silent = (today - last).days - 1
    # Up to the last match: what the silence itself shows is not held against the rate.
    # And as if there had been one silent day more: a week of matches does not make a silent day impossible.
    rate = len(active) / ((last - active[0]).days + 2)
    return last if silent * log(1 - rate) < log(CHANCE) else None
