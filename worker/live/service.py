"""What the processes of the service are made of: from a place to a plan, and the configuration in force.

Environment, files and the ledger meet here: the configuration that counts is the newest snapshot in the ledger, and
each process reads it with the variables of its own environment.
"""

from __future__ import annotations

import logging
import os
import random
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Final, TextIO

from worker import build
from worker.build.canary import CanaryMatcher, CanaryWeb, channels_with_canary, heartbeat, with_canary
from worker.build.meaning import notes, open_meaning
from worker.ledger import feeds, snapshots
from worker.ledger.engine import Ledger
from worker.live.broker import Broker, open_broker
from worker.live.cage import Cage
from worker.live.clock import LedgerClock
from worker.live.gates import RedisGates, open_gates
from worker.live.place import Place, here
from worker.live.readers import caged
from worker.live.station import Plan
from worker.live.valkey import socket_of
from worker.settings import Service, Settings, load_files, load_service, take
from worker.stages.pipeline import Matcher, Pipeline
from worker.topics import compile_topics
from worker.web.client import LiveWeb
from worker.web.gates import LocalGates

_log = logging.getLogger("wirewatch")
#: Rows in hand at once in one process, by stage: requests for feeds and for pages, and messages to channels. A claim
#: and a record cost much the same for few rows as for many: room for 32 pages in place of 16 takes a third of the CPU
#: time off articles that have to be waited for.
ROOMS: Final[Mapping[str, int]] = {"poll": 96, "read": 32, "deliver": 8}
#: Processes that parse and extract, for each process that has documents read.
READERS: Final = 2


def broker_of(place: Place) -> Broker:
    """Return the broker that service.yaml names.

    Raises:
        worker.errors.ConfigError: service.yaml is wrong.
    """
    return open_broker(own_service(place).broker, socket=socket_of(place.state))


def live_plan() -> Plan:
    """Return how worker processes of the service at ``here()`` get what they work with."""
    place = here()
    own = own_service(place)
    # For all generations: whoever reads documents has much to import.
    cage = Cage(READERS)
    return Plan(
        open_ledger=lambda: build.open_ledger(own, place.state),
        settings=lambda ledger: in_force(ledger, place),
        pipeline=lambda settings, ledger, generation, stack: live_pipeline(
            settings,
            place,
            ledger=ledger,
            generation=generation,
            stack=stack,
            screen=sys.stdout,
            gates=open_gates(broker_of(place), settings.service.network, gather=True),
            cage=cage,
        ),
        clock=LedgerClock,
        rooms=ROOMS,
    )


def in_force(ledger: Ledger, place: Place) -> tuple[Settings, int]:
    """Return the newest configuration of the ledger and its generation; that of this place when it has none yet.

    Raises:
        worker.errors.ConfigError: it cannot be used here; a variable of the environment may be missing.
    """
    with ledger.read() as t:
        newest = snapshots.latest(t)
    if newest is None or newest.files is None:
        return put_in_force(ledger, place, now=ledger.clock())
    return with_canary(load_files(newest.files, os.environ)), newest.generation


def put_in_force(ledger: Ledger, place: Place, *, now: datetime) -> tuple[Settings, int]:
    """Make the files of ``place`` the configuration of all workers, and return it with its generation.

    Raises:
        worker.errors.ConfigError: something is wrong with them; nothing has changed.
    """
    taken = take(place.config, os.environ, required=place.named)
    # Better no service, or the last configuration, than one that swallows alerts.
    build.live_channels(taken.settings, screen=sys.stdout)
    settings = with_canary(taken.settings)
    if settings.service.heartbeat.url:
        heartbeat(settings.service)
    with ledger.write() as t:
        feeds.sync(t, settings.feeds, now=now)
        generation = snapshots.keep(t, topics=taken.settings.topics, files=taken.files, now=now)
    return settings, generation


def live_pipeline(
    settings: Settings,
    place: Place,
    *,
    ledger: Ledger,
    generation: int | None,
    stack: ExitStack,
    screen: TextIO,
    gates: LocalGates | RedisGates,
    cage: Cage,
) -> Pipeline:
    """Return the pipeline of the live service; ``stack`` closes what it opens, and the gates.

    Raises:
        worker.errors.ConfigError: a channel cannot be sent to by this version.
    """
    service = settings.service
    channels = channels_with_canary(settings, build.live_channels(settings, screen=screen))
    stack.callback(gates.close)
    web = LiveWeb(service.network, user_agent=service.user_agent, gates=gates)
    stack.callback(web.close)
    return build.pipeline(
        settings,
        ledger=ledger,
        web=CanaryWeb(web, every=service.heartbeat.every) if service.heartbeat.url else web,
        channels=channels,
        jitter=random.Random().random,  # noqa: S311 - spreads polls, guards nothing
        matcher=build.LazyMatcher(lambda: _matcher(settings, place.state)),
        gates=gates,
        readers=caged(cage),
        generation=generation,
    )


def _matcher(settings: Settings, state: Path) -> Matcher:
    opened = open_meaning(settings.service, settings.topics, state=state)
    for note in notes(settings.topics, opened):
        _log.warning("%s", note)
    found = compile_topics(settings.topics, meaning=opened.meaning)
    return CanaryMatcher(found) if settings.service.heartbeat.url else found


def own_service(place: Place) -> Service:
    """Return what service.yaml of this place says.

    Raises:
        worker.errors.ConfigError: it is wrong.
    """
    return load_service(place.config, os.environ)
