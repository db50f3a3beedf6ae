"""The service as one process: the three stages at work over the ledger, without Celery and without a broker.

It is what ``wirewatch run`` is where there is no server to embed, and with ``--single-process``. It needs nothing but
the ledger: stopped at any moment, it goes on at the next start where it was.
"""

from __future__ import annotations

import logging
import threading
from contextlib import ExitStack
from typing import Any, Final, TextIO

from worker import build
from worker.errors import ConfigError
from worker.ledger import snapshots
from worker.live.cage import Cage
from worker.live.celery_settings import STAGES, TICK_EVERY
from worker.live.clock import LedgerClock
from worker.live.flow import Flow
from worker.live.gates import open_gates
from worker.live.place import Place
from worker.live.reloading import Reloader
from worker.live.service import READERS, ROOMS, in_force, live_pipeline, own_service
from worker.live.station import AWAY, STEPS, Housekeeping
from worker.settings import Service, Settings
from worker.stages.pipeline import Pipeline

_log = logging.getLogger("wirewatch")

#: Seconds between two looks at the flows, and how many looks make a tick.
_NAP: Final = 0.25
_LOOKS: Final = int(TICK_EVERY / _NAP)


def serve(place: Place, *, screen: TextIO, stop: threading.Event, reloader: Reloader) -> None:
    """Work until ``stop`` is set; what is in hand then is finished. ``reloader`` says when to reload.

    Raises:
        worker.errors.ConfigError: the configuration cannot be used.
        worker.errors.LedgerError: the ledger cannot be used.
    """
    with ExitStack() as stack:
        ledger = build.open_ledger(own_service(place), place.state)
        stack.callback(ledger.close)
        clock = LedgerClock(ledger)
        cage = Cage(READERS)
        stack.callback(cage.close)
        settings, generation = in_force(ledger, place)
        while not stop.is_set():
            with ExitStack() as edges:
                p = live_pipeline(
                    settings,
                    place,
                    ledger=ledger,
                    generation=generation,
                    stack=edges,
                    screen=screen,
                    gates=open_gates("embedded", settings.service.network),
                    cage=cage,
                )
                _serve(p, clock, settings, stop=stop, reloader=reloader)
            try:
                settings, generation = in_force(ledger, place)
            except ConfigError as error:
                with ledger.read() as t:
                    generation = snapshots.generation(t)
                _log.error("generation %d cannot be used here, the last one stays in force: %s", generation, error)


def _serve(p: Pipeline, clock: LedgerClock, settings: Settings, *, stop: threading.Event, reloader: Reloader) -> None:
    """Work by one configuration, until there is a newer one or the end."""
    keeping = Housekeeping(p.ledger, clock)
    with ExitStack() as stack:
        flows: list[Flow[Any, Any]] = []
        for stage in STAGES:
            flow = Flow(p, STEPS[stage], room=ROOMS[stage], name=stage, clock=clock)
            stack.callback(flow.close)
            flow.start()
            flow.go()
            flows.append(flow)
        looks = 0
        while not stop.wait(_NAP) and not any(flow.outdated for flow in flows):
            for flow in flows:
                if flow.error is not None:
                    raise flow.error
            if reloader.due():
                reloader.reload()
            if looks % _LOOKS == 0:
                _tick(keeping, flows, settings.service)
            looks += 1
        # Together, so that a stop waits once for what is in hand and not for one stage after the other.
        for flow in flows:
            flow.halt()


def _tick(keeping: Housekeeping, flows: list[Flow[Any, Any]], service: Service) -> None:
    if any(flow.away for flow in flows):
        return
    try:
        keeping.note("tick", *(flow.name for flow in flows))
        keeping.sweep(service.retention)
        keeping.beat(service)
    except AWAY:
        # The flows say so, and when it is back.
        return
