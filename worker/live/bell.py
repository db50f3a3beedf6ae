"""Waking workers: messages that say which stage has something to do, and nothing else."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import Final

from celery import Celery
from kombu.exceptions import OperationalError
from redis import Redis
from redis.exceptions import RedisError

from worker.live.broker import PREFIX

_log = logging.getLogger("wirewatch")
#: Messages that may wait in a queue: whoever is free takes it, and sends another while there is more to do.
BOUND: Final = 1
#: Seconds after which it is said again that nobody can be woken.
_SAID: Final = 60.0
#: Set by each tick, and gone when none has come for so many seconds.
TICKED: Final = f"{PREFIX}ticked"
TICK_MISSED: Final = 15


class Bell:
    """Wakes workers of a stage through the broker; when that is away, the next tick does it."""

    def __init__(self, app: Celery, client: Redis) -> None:
        """Send through ``app`` and look into queues with ``client``, which is closed with the bell."""
        self._app, self._client = app, client
        self._said_again = 0.0

    def ring(self, task: str, *, bound: int = BOUND) -> bool:
        """Send a message for ``task`` unless ``bound`` of them wait; return whether one waits now."""
        try:
            if self.waiting(task) < bound:
                self._app.send_task(task, queue=task, ignore_result=True)
        except (OperationalError, RedisError, OSError) as error:
            self._missed(error)
            return False
        return True

    def waiting(self, task: str) -> int:
        """Return how many messages wait in a queue.

        Raises:
            redis.exceptions.RedisError: the broker does not answer.
            OSError: the same.
        """
        return int(self._client.llen(PREFIX + task))

    def answers(self) -> bool:
        """Return whether the broker answers."""
        try:
            self._client.ping()
        except (RedisError, OSError):
            return False
        return True

    def tick_seen(self) -> None:
        """Note that a tick was carried out, for ``look``."""
        try:
            self._client.set(TICKED, 1, ex=TICK_MISSED)
        except (RedisError, OSError) as error:
            self._missed(error)

    def look(self, queues: Sequence[str]) -> tuple[bool, int]:
        """Return whether a tick is missed, and how many messages wait in ``queues`` together.

        A tick is missed when none has been carried out for ``TICK_MISSED`` seconds, or everything was erased. The
        broker is asked once.

        Raises:
            redis.exceptions.RedisError: the broker does not answer.
            OSError: the same.
        """
        with self._client.pipeline(transaction=False) as together:
            together.exists(TICKED)
            for queue in queues:
                together.llen(PREFIX + queue)
            ticked, *waiting = together.execute()
        return not ticked, sum(waiting)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _missed(self, error: Exception) -> None:
        if time.monotonic() >= self._said_again:
            self._said_again = time.monotonic() + _SAID
            # Its text may hold the server's address, and that a password.
            _log.warning("the broker does not answer (%s): workers look again when it does", type(error).__name__)
