"""What metrics say beside the ledger: the broker, and what is made of the ledger's facts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from redis import Redis
from redis.exceptions import RedisError

from worker.ledger.engine import Transaction
from worker.ledger.progress import Progress
from worker.live.broker import PREFIX
from worker.live.celery_settings import STAGES, TICK
from worker.live.place import Place
from worker.live.report import find_alarms, why_not
from worker.live.service import broker_of
from worker.model import Alarm
from worker.settings import Settings

#: Seconds: whoever asks waits for it.
_TIMEOUT: Final = 1.0


class Outside:
    """Answers for the service of ``place``; see ``worker.console.readings.Outside``. One thread at a time."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._client: Redis | None = None

    def broker(self) -> tuple[bool, Mapping[str, int]]:
        """Return whether the broker answers, and how many messages wait by queue.

        Raises:
            worker.errors.ConfigError: service.yaml, which names it, is wrong.
        """
        if self._client is None:
            self._client = broker_of(self._place).client(timeout=_TIMEOUT, name="wirewatch-metrics")
        try:
            return True, {queue: int(self._client.llen(PREFIX + queue)) for queue in (TICK, *STAGES)}
        except (RedisError, OSError):
            return False, {}

    def ready(self, seen: Mapping[str, Progress], queues: Mapping[str, Mapping[str, Any]], now: datetime) -> bool:
        """Return whether the service does its work."""
        return not why_not(seen, queues, now=now)

    def alarms(self, t: Transaction, settings: Settings, now: datetime) -> Sequence[Alarm]:
        """Return what is odd although nothing has failed."""
        return find_alarms(t, settings, now=now)
