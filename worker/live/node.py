"""A Celery worker of ours, and what watches over it from inside.

A worker that has lost its connection to the broker may go on living and receive nothing any more (celery#8030 and its
many successors; it could be reproduced with Celery 5.7). It cannot be trusted to notice by itself, so a thread does:
when messages wait and nobody takes them, it ends the process, and whoever has started it starts it again.
"""

from __future__ import annotations

import logging
import mmap
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from celery.apps.worker import Worker
from celery.worker import state
from redis.exceptions import RedisError

from worker.live.bell import Bell
from worker.live.celery_settings import HARD_LIMIT, TICK

_log = logging.getLogger("wirewatch")
#: Seconds between two looks.
LOOK_EVERY: Final = 2.0
#: Looks in a row at which messages wait and nothing is in hand, and after which the worker is taken for deaf.
DEAF: Final = 5
#: The same when something is in hand that should have ended long ago.
STUCK: Final = int((2 * HARD_LIMIT + 30) / LOOK_EVERY)
#: The exit code of a worker that ended itself.
DEAF_CODE: Final = 71


class Stop:
    """A flag that a worker shares with the children that it forks after it was made."""

    def __init__(self) -> None:
        self._page = mmap.mmap(-1, 1)

    def set(self) -> None:
        """Tell everybody to come to an end."""
        self._page[0] = 1

    def is_set(self) -> bool:
        """Return whether to come to an end."""
        return bool(self._page[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a look at a worker shows."""

    #: Messages in its queues.
    waiting: int
    #: Tasks that it has taken and not ended.
    in_hand: int
    #: Tasks that it has begun since its start.
    begun: int


class Judgement:
    """Decides from one look after the other whether a worker still hears its broker."""

    def __init__(self, deaf: int = DEAF, stuck: int = STUCK) -> None:
        """Take a worker for lost after ``deaf`` looks with nothing in hand, or ``stuck`` with something in hand."""
        self._deaf, self._stuck = deaf, stuck
        self._last: Look | None = None
        self._count = 0

    def lost(self, look: Look | None) -> bool:
        """Return whether the worker is lost; ``None`` stands for a broker that did not answer, which is not its fault.

        Looks are counted and not seconds: a process that was stopped for a while must not judge itself by the clock.
        """
        last, self._last = self._last, look
        if look is None or last is None or not look.waiting or look.begun != last.begun:
            self._count = 0
            return False
        self._count += 1
        return self._count >= (self._stuck if look.in_hand else self._deaf)


class Node(Worker):
    """A worker without gossip, mingle and heartbeats.

    They serve nobody here, and with them and redis-py 8 a worker was seen to die whenever its broker was restarted
    (celery#8030, kombu#582).
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - Celery's
        kwargs |= {"without_gossip": True, "without_mingle": True, "without_heartbeat": True}
        self.stop_flag = Stop()
        super().__init__(*args, **kwargs)


class Watch:
    """The thread that watches over a worker, and ticks when the scheduler does not."""

    def __init__(self, bell: Bell, queues: Callable[[], list[str]], *, end: Callable[[], object] | None = None) -> None:
        """Watch the worker of this process; ``end`` ends it."""
        self._bell, self._queues, self._end = bell, queues, end or _end
        self._judgement = Judgement()

    def start(self) -> None:
        """Start watching, for as long as the process lives. A tick is asked for at once."""
        threading.Thread(target=self._serve, name="watch", daemon=True).start()

    def _serve(self) -> None:
        self._bell.ring(TICK, bound=1)
        while True:
            time.sleep(LOOK_EVERY)
            if self._judgement.lost(self._look()):
                _log.critical("this worker receives nothing while messages wait: it ends, to be started again")
                self._end()

    def _look(self) -> Look | None:
        try:
            tick_missed, waiting = self._bell.look(self._queues())
            # The scheduler is dead, or the broker has forgotten everything.
            if tick_missed and self._bell.ring(TICK, bound=1):
                waiting = max(waiting, 1)
        except (RedisError, OSError):
            return None
        in_hand = len(state.active_requests) + len(state.reserved_requests)
        return Look(waiting=waiting, in_hand=in_hand, begun=state.all_total_count[0])


def _end() -> None:
    logging.shutdown()
    os._exit(DEAF_CODE)
