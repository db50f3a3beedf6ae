"""The loop of a replay: the stages of the live service, and a clock that jumps to what is due next."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, Protocol, TypeAlias

from worker.errors import WirewatchError
from worker.ledger import feeds, overview
from worker.ledger.engine import Transaction
from worker.stages import deliver, poll, read
from worker.stages.pipeline import Outcome, Pipeline

#: Moments that one replay may have; a replay of a year of a thousand feeds has fewer.
_MAX_MOMENTS = 5_000_000
_STOPPED = ("gone", "disabled")
#: Does what is due at a stage and returns what came of it.
Runner: TypeAlias = Callable[[Pipeline, datetime], Sequence[Outcome]]
#: The stages in their order, each in this process.
RUNNERS: Final[Mapping[str, Runner]] = {
    "poll": lambda p, now: poll.run(p, now=now),
    "read": lambda p, now: read.run(p, now=now),
    "deliver": lambda p, now: deliver.run(p, now=now),
}
_NEVER = datetime.max.replace(tzinfo=UTC)


class Changing(Protocol):
    """A recorded web, as far as the loop asks it."""

    def last_change(self, feed_url: str) -> datetime | None:
        """Return when the feed last changes in the recording; ``None`` when it never does."""
        ...


def play(
    p: Pipeline,
    web: Changing,
    *,
    start: datetime,
    each: Callable[[Sequence[Outcome], datetime], None],
    runners: Mapping[str, Runner] = RUNNERS,
) -> datetime:
    """Run the stages from ``start`` until the recording is told to its end, and return when that was.

    ``each`` hears what was done at every moment. Nothing waits: when nothing is due, the clock jumps. ``runners`` are
    the stages, here or in other processes.

    Raises:
        WirewatchError: the replay does not come to an end.
    """
    now = start
    idle = False
    for _ in range(_MAX_MOMENTS):
        due = _due(p, web, after=now if idle else None)
        if not due:
            return now
        now = max(now, min(due.values()))
        outcomes = [o for name, run in runners.items() if due.get(name, _NEVER) <= now for o in run(p, now)]
        each(outcomes, now)
        # What is due and yet not to be had waits for something else that is due later.
        idle = not outcomes
    raise WirewatchError(f"the replay was stopped at {now} after {_MAX_MOMENTS} moments")


def _due(p: Pipeline, web: Changing, *, after: datetime | None) -> dict[str, datetime]:
    """Return when the next row of each queue is due, later than ``after`` if given.

    Empty when all that was recorded has been polled, read and delivered; polls that can show nothing new do not count.
    """
    with p.ledger.read() as t:
        found = {name: overview.next_due(t, name, after=after) for name in RUNNERS}
        due = {name: time for name, time in found.items() if time is not None}
        if due.keys() <= {"poll"} and not _is_behind(t, p, web):
            return {}
    return due


def _is_behind(t: Transaction, p: Pipeline, web: Changing) -> bool:
    """Return whether a feed has not been seen yet as the recording leaves it."""
    states = feeds.states(t)
    for feed in p.feeds.values():
        state, last = states[feed.id], web.last_change(feed.url)
        seen = state.last_success_at
        if state.state not in _STOPPED and (seen is None or (last is not None and seen < last)):
            return True
    return False
