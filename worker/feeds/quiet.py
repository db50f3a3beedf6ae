"""Whether a feed is silent although it answers: what no error says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from worker.feeds import rhythm
from worker.model import FeedState

#: Entries that must be missing by the feed's own rhythm. News comes in bursts, so that three are nothing.
MISSING: Final = 8.0
#: A silence counts when it is longer than the longest one remembered by this factor: so weekends are learned.
LONGER: Final = 2.0
#: The shortest silence that counts.
SHORTEST: Final = timedelta(hours=3)
#: Entries that must have been seen (by what is remembered of them) before a rhythm is believed.
ENOUGH: Final = 15.0


def quiet_since(state: FeedState) -> datetime | None:
    """Return since when a feed has been unusually silent; ``None`` when it has not, or when its rhythm is unknown.

    Silence is counted up to the last good poll: a feed that cannot be polled fails, and is said to.
    """
    learned, polled_at = state.rhythm, state.last_success_at
    if polled_at is None or learned.get("last") is None or sum(learned.get("entries", ())) < ENOUGH:
        return None
    last = datetime.fromtimestamp(learned["last"], UTC)
    silent = (polled_at - last).total_seconds()
    if silent < max(SHORTEST.total_seconds(), LONGER * learned["longest"]):
        return None
    return last if rhythm.expected(learned, since=last, until=polled_at) >= MISSING else None
