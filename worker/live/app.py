"""The Celery application: four tasks without arguments, each a shift over the ledger.

``wirewatch run``, ``worker`` and ``scheduler`` run it, and so does ``celery -A worker.live.app worker`` (or ``beat``),
with the configuration and the state that ``WIREWATCH_CONFIG`` and ``WIREWATCH_STATE`` name.
"""

from __future__ import annotations

import logging
import os
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any, Final

from celery import Celery, signals
from celery.exceptions import CPendingDeprecationWarning, SoftTimeLimitExceeded

from worker.errors import ConfigError, WirewatchError
from worker.live.bell import TICK_MISSED, Bell
from worker.live.broker import Broker
from worker.live.celery_settings import celery_settings
from worker.live.memory import keep_small
from worker.live.node import Node, Stop, Watch
from worker.live.parent import watch
from worker.live.place import here
from worker.live.service import broker_of, live_plan
from worker.live.station import AWAY, Hung, Plan, Station

_log = logging.getLogger("wirewatch")
#: The exit code of a child process that has given up on itself; its message goes to another.
GAVE_UP: Final = 70
#: Seconds between two looks at the broker by a process that is not woken any more.
_LOOK_OUT: Final = 5.0


class App(Celery):
    """Celery with the worker of ``worker.live.node``."""

    #: Says how processes get what they work with; a replay has a plan of its own.
    plan: Callable[[], Plan] = staticmethod(live_plan)

    @cached_property
    def Worker(self) -> type:  # noqa: N802 - Celery's name
        """The class of a worker."""
        found: type = self.subclass_with_self(Node)
        return found


def make(broker: Broker) -> App:
    """Return an application over ``broker``."""
    made = App("wirewatch")
    made.conf.update(celery_settings(broker))
    return made


app = make(broker_of(here()))


class _Process:
    """What a process of a worker has: a bell, and a station for each thread that carries out tasks."""

    def __init__(self) -> None:
        self.stop: Stop | None = None
        self._mine = threading.local()
        self._stations: list[Station] = []
        self._bell: tuple[int, Bell] | None = None
        #: When a task was ended last, on the monotonic clock; ``None`` while one is carried out.
        self._idle_since: float | None = time.monotonic()

    def bell(self) -> Bell:
        """Return the bell of this process; a forked one has its own."""
        if self._bell is None or self._bell[0] != os.getpid():
            self._bell = os.getpid(), Bell(app, broker_of(here()).client())
        return self._bell[1]

    def station(self) -> Station:
        """Return the station of this thread."""
        found: Station | None = getattr(self._mine, "station", None)
        if found is None:
            found = Station(app.plan(), ring=self.bell().ring, stopping=self.stopping)
            self._mine.station = found
            self._stations.append(found)
        return found

    @contextmanager
    def at_work(self) -> Iterator[Station]:
        """Yield the station for a task."""
        self._idle_since = None
        try:
            yield self.station()
        finally:
            self._idle_since = time.monotonic()

    def look_out(self) -> None:
        """Go on without being woken while the broker is away; for a thread of its own."""
        alone = False
        while not self.stopping():
            time.sleep(_LOOK_OUT)
            idle = self._idle_since
            if idle is None or time.monotonic() - idle < TICK_MISSED:
                continue
            if not self.bell().answers():
                if not alone:
                    _log.warning("the broker is away: going on with what this process has worked at")
                alone = True
                for station in self._stations:
                    station.stand_in()
            elif alone:
                alone = False
                for station in self._stations:
                    station.stand_down()

    def stopping(self) -> bool:
        """Return whether the worker is coming to an end."""
        return self.stop is not None and self.stop.is_set()

    def close(self) -> None:
        """Finish or give back what is in hand."""
        for station in self._stations:
            station.close()
        self._stations.clear()
        self._mine = threading.local()


_process = _Process()


def _guarded(name: str, work: Callable[[Station], object]) -> object:
    """Return what ``work`` returns; whatever goes wrong is said, and tried again with another tick."""
    try:
        with _process.at_work() as station:
            return work(station)
    except AWAY as error:
        _log.error("%s: %s; trying again", name, error)
    except (Hung, SoftTimeLimitExceeded) as error:
        # Threads cannot be ended, only processes. What is in hand is claimed again when its lease has run out.
        _log.critical("%s: %s: this process ends", name, str(error) or "the time limit of a task is over")
        logging.shutdown()
        os._exit(GAVE_UP)
    except ConfigError as error:
        _log.error("%s: the configuration cannot be used here:\n%s", name, error)
    except WirewatchError as error:
        _log.error("%s: %s", name, error)
    return None


def _shift(stage: str) -> None:
    if _guarded(stage, lambda station: station.shift(stage)) and not _process.stopping():
        _process.bell().ring(stage)


@app.task(name="tick")
def tick() -> None:
    """Wake each stage that has something to do."""
    _process.bell().tick_seen()
    _guarded("tick", Station.tick)


@app.task(name="poll")
def poll() -> None:
    """Poll feeds that are due."""
    _shift("poll")


@app.task(name="read")
def read() -> None:
    """Read entries that are due."""
    _shift("read")


@app.task(name="deliver")
def deliver() -> None:
    """Deliver alerts that are due."""
    _shift("deliver")


@signals.celeryd_init.connect
def _begin(instance: Any, **_: Any) -> None:  # noqa: ANN401 - Celery's worker
    # Its children are forked later and share the flag.
    _process.stop = instance.stop_flag


@signals.worker_ready.connect
def _ready(sender: Any, **_: Any) -> None:  # noqa: ANN401 - Celery's consumer
    # Said at each loss of the broker, about a setting that was chosen. Celery has made it heard before this signal.
    warnings.filterwarnings("ignore", category=CPendingDeprecationWarning)
    Watch(_process.bell(), lambda: [queue.name for queue in sender.task_consumer.queues]).start()
    _log.info("%s ready", sender.hostname)


@signals.worker_shutting_down.connect
def _shutting_down(**_: object) -> None:
    if _process.stop is not None:
        _process.stop.set()


@signals.worker_process_init.connect
def _child(**_: object) -> None:
    keep_small()
    watch(os.getppid(), _orphaned)
    threading.Thread(target=_process.look_out, name="look-out", daemon=True).start()


def _orphaned() -> None:
    """End a child whose worker has died: nobody would take its results."""
    if _process.stop is not None:
        _process.stop.set()
    _process.close()
    os._exit(GAVE_UP)


@signals.worker_process_shutdown.connect
@signals.worker_shutdown.connect
def _closing(**_: object) -> None:
    _process.close()
