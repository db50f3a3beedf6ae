"""The loop of a replay: the stages of the live service, and a clock that jumps to what is due next."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

from worker.errors import WirewatchError
from worker.ledger import feeds, overview
from worker.stages import deliver, poll, read
from worker.stages.pipeline import Outcome, Pipeline

#: Moments that one replay may have; a replay of a year of a thousand feeds has fewer.
_MAX_MOMENTS = 5_000_000
_STOPPED = ("gone", "disabled")


class Changing(Protocol):
    """A recorded web, as far as the loop asks it."""

    def last_change(self, feed_url: str) -> datetime | None:
        """Return when the feed last changes in the recording; ``None`` when it never does."""
        ...


def play(
    p: Pipeline, web: Changing, *, start: datetime, each: Callable[[Sequence[Outcome], datetime], None]
) -> datetime:
    """Run the stages from ``start`` until the recording is told to its end, and return when that was.

    ``each`` hears what was done at every moment. Nothing waits: when nothing is due, the clock jumps.

    Raises:
        WirewatchError: the replay does not come to an end.
    """
    now = start
    for _ in range(_MAX_MOMENTS):
        outcomes = [*poll.run(p, now=now), *read.run(p, now=now), *deliver.run(p, now=now)]
        each(outcomes, now)
        if outcomes:
            continue
        later = _next_moment(p, web)
        if later is None:
            return now
        now = max(now, later)
    raise WirewatchError(f"the replay was stopped at {now} after {_MAX_MOMENTS} moments")


def _next_moment(p: Pipeline, web: Changing) -> datetime | None:
    """Return when the next row is due; ``None`` when all that was recorded has been polled, read and delivered."""
    with p.ledger.read() as t:
        work = [overview.next_due(t, "read"), overview.next_due(t, "deliver")]
        polls = overview.next_due(t, "poll")
        states = feeds.states(t)
    behind = False
    for feed in p.feeds.values():
        state, last = states[feed.id], web.last_change(feed.url)
        seen = state.last_success_at
        behind = behind or (state.state not in _STOPPED and (seen is None or (last is not None and seen < last)))
    if not behind and not any(work):
        return None
    return min((due for due in (*work, polls) if due is not None), default=None)
