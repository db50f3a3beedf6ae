"""The scheduler: Celery beat, which sends a tick every few seconds."""

from __future__ import annotations

import logging
import time
from typing import Any, Final

from celery.beat import ScheduleEntry, Scheduler
from redis.exceptions import RedisError

from worker import build
from worker.errors import WirewatchError
from worker.ledger import progress
from worker.ledger.engine import Ledger
from worker.live.broker import PREFIX
from worker.live.health import SCHEDULER
from worker.live.place import Place, here, machine
from worker.live.service import broker_of, own_service

_log = logging.getLogger("wirewatch")
#: Seconds between two signs of a scheduler in the ledger's progress.
_SIGN_EVERY: Final = 15.0


class BoundedScheduler(Scheduler):
    """Sends nothing while what it has sent last still waits.

    Ticks that nobody takes must not pile up. ``expires`` would do that too, but is judged by the clock of the worker:
    one that is ahead would throw every tick away.
    """

    _tasks_since_sync: int

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - Celery's
        self._client = None if kwargs.get("lazy") else broker_of(here()).client()
        self._signs = Signs(here(), machine())
        super().__init__(*args, **kwargs)

    def apply_async(self, entry: ScheduleEntry, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - Celery's
        """Send the task of ``entry``, or nothing."""
        if self._waits((entry.options or {})["queue"]):
            _log.debug("the last tick still waits for a worker")
            # What the original does besides sending.
            self._tasks_since_sync += 1
            sent = None
        else:
            sent = super().apply_async(entry, *args, **kwargs)
        self._signs.give()
        return sent

    def _waits(self, queue: str) -> bool:
        try:
            return self._client is not None and bool(self._client.llen(PREFIX + queue))
        except (RedisError, OSError):
            return False


class Signs:
    """Writes into the ledger now and then that the scheduler of this machine comes round: its health is read off it."""

    def __init__(self, place: Place, name: str) -> None:
        """Write into the ledger of ``place`` under the machine's ``name``."""
        self._place, self._name = place, name
        self._ledger: Ledger | None = None
        self._next = 0.0

    def give(self) -> None:
        """Give a sign if one is due. A ledger that is away has its next one later: ticks do not wait for it."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _SIGN_EVERY
        try:
            if self._ledger is None:
                self._ledger = build.open_ledger(own_service(self._place), self._place.state)
            now = self._ledger.clock()
            with self._ledger.write() as t:
                progress.note(t, SCHEDULER, now=now, machine=self._name)
        except WirewatchError as error:
            _log.debug("no sign of the scheduler in the ledger: %s", error)
