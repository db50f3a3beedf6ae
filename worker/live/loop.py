"""The service as one process: the three stages in a loop over the ledger, on the wall clock.

It is what ``wirewatch run`` is where there is no broker, and it needs nothing but the ledger: stopped at any moment, it
goes on at the next start where it was.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import TextIO

from worker import build
from worker.build.meaning import notes, open_meaning
from worker.ledger import feeds, overview, sweep
from worker.settings import Settings
from worker.stages import deliver, poll, read
from worker.stages.pipeline import Pipeline
from worker.web.client import LiveWeb

_log = logging.getLogger("wirewatch")
#: Longest sleep while nothing is due: a stop or a row made by another process is noticed within it.
_NAP = timedelta(seconds=1)
_SWEEP_EVERY = timedelta(hours=24)


def serve(
    settings: Settings, state: Path, *, screen: TextIO, clock: Callable[[], datetime], stop: threading.Event
) -> None:
    """Work until ``stop`` is set; what is in hand then is finished.

    Raises:
        worker.errors.ConfigError: a channel cannot be sent to by this version.
        worker.errors.LedgerError: the ledger cannot be used.
    """
    channels = build.live_channels(settings, screen=screen)
    ledger = build.open_ledger(state)
    web = LiveWeb(settings.service.network, user_agent=settings.service.user_agent)
    try:
        jitter = random.Random().random  # noqa: S311 - spreads polls, guards nothing
        opened = open_meaning(settings.service, settings.topics, state=state)
        for note in notes(settings.topics, opened):
            _log.warning("%s", note)
        p = build.pipeline(settings, ledger=ledger, web=web, channels=channels, jitter=jitter, meaning=opened.meaning)
        with ledger.write() as t:
            feeds.sync(t, settings.feeds, now=clock())
            overview.keep_snapshot(t, settings.topics, now=clock())
        _work(p, settings, clock=clock, stop=stop)
    finally:
        web.close()
        ledger.close()


def _work(p: Pipeline, settings: Settings, *, clock: Callable[[], datetime], stop: threading.Event) -> None:
    sweep_at = clock()
    while not stop.is_set():
        done = 0
        for stage in (deliver, read, poll):
            if not stop.is_set():
                # One feed at a time, so that what is read and told never waits behind a row of slow feeds.
                done += len(stage.run(p, now=clock(), limit=1 if stage is poll else stage.BATCH))
        if clock() >= sweep_at:
            with p.ledger.write() as t:
                erased = sweep.sweep(t, settings.service.retention, now=clock())
            _log.info("sweep %s", " ".join(f"{name}={count}" for name, count in erased.items()))
            sweep_at = clock() + _SWEEP_EVERY
        if not done:
            stop.wait(_NAP.total_seconds())
