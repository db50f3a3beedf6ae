"""The service as one process: the three stages at work over the ledger, on the wall clock.

It is what ``wirewatch run`` is where there is no broker, and it needs nothing but the ledger: stopped at any moment, it
goes on at the next start where it was.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TextIO

from worker import build
from worker.build.meaning import notes, open_meaning
from worker.errors import WirewatchError
from worker.ledger import feeds, overview, sweep
from worker.live.cage import Cage
from worker.live.flow import Flow, Steps
from worker.live.gates import open_gates
from worker.live.readers import caged
from worker.settings import Settings
from worker.stages import deliver, poll, read
from worker.stages.pipeline import Pipeline
from worker.web.client import LiveWeb

_log = logging.getLogger("wirewatch")
#: Seconds; how soon a stop is noticed, and an alert that is due.
_NAP = 0.25
_SWEEP_EVERY = timedelta(hours=24)
#: Requests at once, for feeds and for pages.
POLLS, READS = 64, 16
#: Processes that parse and extract.
_READERS = 2


def serve(
    settings: Settings, state: Path, *, screen: TextIO, clock: Callable[[], datetime], stop: threading.Event
) -> None:
    """Work until ``stop`` is set; what is in hand then is finished.

    Raises:
        worker.errors.ConfigError: a channel cannot be sent to by this version.
        worker.errors.LedgerError: the ledger cannot be used.
    """
    with pipeline(settings, state, screen=screen) as p:
        with p.ledger.write() as t:
            feeds.sync(t, settings.feeds, now=clock())
            overview.keep_snapshot(t, settings.topics, now=clock())
        _work(p, settings, clock=clock, stop=stop)


@contextmanager
def pipeline(settings: Settings, state: Path, *, screen: TextIO) -> Iterator[Pipeline]:
    """Yield the live pipeline of ``settings``, and close all its edges at the end.

    Raises:
        worker.errors.ConfigError: a channel cannot be sent to by this version.
        worker.errors.LedgerError: the ledger cannot be used.
    """
    channels = build.live_channels(settings, screen=screen)
    service = settings.service
    with ExitStack() as stack:
        ledger = build.open_ledger(state)
        stack.callback(ledger.close)
        gates = open_gates(service.broker, service.network)
        stack.callback(gates.close)
        web = LiveWeb(service.network, user_agent=service.user_agent, gates=gates)
        stack.callback(web.close)
        cage = Cage(_READERS)
        stack.callback(cage.close)
        opened = open_meaning(service, settings.topics, state=state)
        for note in notes(settings.topics, opened):
            _log.warning("%s", note)
        jitter = random.Random().random  # noqa: S311 - spreads polls, guards nothing
        yield build.pipeline(
            settings,
            ledger=ledger,
            web=web,
            channels=channels,
            jitter=jitter,
            meaning=opened.meaning,
            gates=gates,
            readers=caged(cage),
        )


def _work(p: Pipeline, settings: Settings, *, clock: Callable[[], datetime], stop: threading.Event) -> None:
    polls = Flow(
        p, Steps(claim=poll.claim, do=poll.do, record=poll.record, release=poll.release), room=POLLS, name="poll"
    )
    reads = Flow(
        p, Steps(claim=read.claim, do=read.do, record=read.record, release=read.release), room=READS, name="read"
    )
    crew = _Crew(stop)
    crew.start("poll", lambda: polls.serve(clock=clock, stop=stop))
    crew.start("read", lambda: reads.serve(clock=clock, stop=stop))
    crew.start("deliver", lambda: _deliver(p, clock=clock, stop=stop))
    try:
        _sweep(p, settings, clock=clock, stop=stop)
    finally:
        stop.set()
        crew.finish()


def _sweep(p: Pipeline, settings: Settings, *, clock: Callable[[], datetime], stop: threading.Event) -> None:
    sweep_at = clock()
    while not stop.wait(_NAP):
        if clock() >= sweep_at:
            with p.ledger.write() as t:
                erased = sweep.sweep(t, settings.service.retention, now=clock())
            _log.info("sweep %s", " ".join(f"{name}={count}" for name, count in erased.items()))
            sweep_at = clock() + _SWEEP_EVERY


def _deliver(p: Pipeline, *, clock: Callable[[], datetime], stop: threading.Event) -> None:
    while not stop.is_set():
        try:
            done = deliver.run(p, now=clock())
        except WirewatchError:  # the ledger itself
            raise
        except Exception:  # noqa: BLE001 - a mistake of ours in one alert must not keep the others back
            _log.exception("unexpected error; the alert is tried again when its lease has run out")
            done = []
        if not done:
            stop.wait(_NAP)


class _Crew:
    """Threads that stop together: when one fails, all end, and its error is the service's."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self._threads: list[threading.Thread] = []
        self._error: BaseException | None = None

    def start(self, name: str, work: Callable[[], None]) -> None:
        def guarded() -> None:
            try:
                work()
            except BaseException as error:  # noqa: BLE001 - it is raised again where the service was started
                self._error = self._error or error
                self._stop.set()

        thread = threading.Thread(target=guarded, name=name)
        self._threads.append(thread)
        thread.start()

    def finish(self) -> None:
        """Wait for all, and raise the error of the first that failed."""
        for thread in self._threads:
            thread.join()
        if self._error is not None:
            raise self._error
