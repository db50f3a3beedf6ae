"""The scheduler: Celery beat, which sends a tick every few seconds."""

from __future__ import annotations

import logging
from typing import Any

from celery.beat import ScheduleEntry, Scheduler
from redis.exceptions import RedisError

from worker.live.broker import PREFIX
from worker.live.place import here
from worker.live.service import broker_of

_log = logging.getLogger("wirewatch")


class BoundedScheduler(Scheduler):
    """Sends nothing while what it has sent last still waits.

    Ticks that nobody takes must not pile up. ``expires`` would do that too, but is judged by the clock of the worker:
    one that is ahead would throw every tick away.
    """

    _tasks_since_sync: int

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - Celery's
        self._client = None if kwargs.get("lazy") else broker_of(here()).client()
        super().__init__(*args, **kwargs)

    def apply_async(self, entry: ScheduleEntry, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - Celery's
        """Send the task of ``entry``, or nothing."""
        if not self._waits((entry.options or {})["queue"]):
            return super().apply_async(entry, *args, **kwargs)
        _log.debug("the last tick still waits for a worker")
        # What the original does besides sending.
        self._tasks_since_sync += 1
        return None

    def _waits(self, queue: str) -> bool:
        try:
            return self._client is not None and bool(self._client.llen(PREFIX + queue))
        except (RedisError, OSError):
            return False
