"""The parts of the service, each the work of one process that a supervisor keeps running."""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
import warnings
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from celery import signals
from celery.exceptions import SecurityWarning

from worker import build
from worker.errors import LedgerAway, WirewatchError
from worker.ledger.engine import Ledger
from worker.live import valkey
from worker.live.celery_settings import STAGES, TICK
from worker.live.clock import wall_clock
from worker.live.doctor import examine
from worker.live.findings import refusals
from worker.live.place import Place
from worker.live.reloading import Reloader
from worker.live.service import in_force, own_service, put_in_force
from worker.live.supervisor import Part, Supervisor, wake_nobody
from worker.settings import Settings

T = TypeVar("T")

_log = logging.getLogger("wirewatch")
#: The order of starting: the server, then who sends and who receives.
_SERVER, _SENDERS, _WORKERS = 0, 1, 2


def server(place: Place) -> Part:
    """Return the embedded server."""
    return Part(name="valkey", helper=lambda: valkey.start(place.state), order=_SERVER)


def scheduler() -> Part:
    """Return the scheduler."""
    return Part(name="scheduler", work=_beat, order=_SENDERS)


def console(serve: Callable[[], int]) -> Part:
    """Return the console, which ``serve`` serves."""
    return Part(name="console", work=serve, order=_WORKERS)


def workers(readers: int) -> list[Part]:
    """Return a worker for each stage, so that none has to wait for another; ``readers`` processes read articles."""
    sizes = {stage: readers if stage == "read" else 1 for stage in STAGES}
    return [Part(name=f"worker {stage}", work=_worker(stage, size), order=_WORKERS) for stage, size in sizes.items()]


def supervise(
    parts: list[Part], place: Place, *, watch: bool = False, greet: Callable[[], object] = lambda: None
) -> int:
    """Keep ``parts`` running until SIGTERM or SIGINT, and return the exit code; SIGHUP reloads the configuration.

    ``greet`` is called when it can be stopped.
    """
    reloader = Reloader(place, watch=watch)
    supervisor = Supervisor(parts, look=_Apart(reloader).look)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, supervisor.stop)
    signal.signal(signal.SIGHUP, reloader.ask)
    greet()
    return supervisor.run()


def begin(place: Place, *, patience: float = 60.0) -> Settings:
    """Bring the ledger up to date, put the configuration of ``place`` in force, and return it.

    Waits ``patience`` seconds for a ledger that is away: on many machines things start in any order.

    Raises:
        ConfigError: the configuration is wrong.
        worker.errors.LedgerError: the ledger cannot be used.
    """
    return _patiently(place, lambda ledger: put_in_force(ledger, place, now=ledger.clock())[0], patience)


def migrate(place: Place, *, patience: float = 60.0) -> str:
    """Bring the ledger up to date, put nothing in force, and return which ledger it is; waits as ``begin`` does.

    Raises:
        ConfigError: service.yaml is wrong.
        worker.errors.LedgerError: the ledger cannot be used.
    """
    return _patiently(place, lambda ledger: ledger.name, patience)


def join(place: Place, *, patience: float = 60.0) -> Settings:
    """Return the configuration that is in force, for a worker of its own; its files count when there is none yet.

    Raises:
        ConfigError: it cannot be used here.
        worker.errors.LedgerError: the ledger cannot be used.
    """
    return _patiently(place, lambda ledger: in_force(ledger, place)[0], patience)


def _patiently(place: Place, use: Callable[[Ledger], T], patience: float) -> T:
    until = time.monotonic() + patience
    while True:
        try:
            with closing(build.open_ledger(own_service(place), place.state)) as ledger:
                return use(ledger)
        except LedgerAway as error:
            if time.monotonic() >= until:
                raise
            _log.warning("%s; waiting for it", error)
            time.sleep(1.0)


def _beat() -> int:
    from worker.live.app import app  # noqa: PLC0415 - it belongs to a place, which is told in the environment

    _keep_logging()
    app.Beat(quiet=True, loglevel=logging.getLevelName(logging.getLogger().level)).run()
    return 0


def _worker(stage: str, size: int) -> Callable[[], int]:
    def work() -> int:
        from worker.live.app import app  # noqa: PLC0415 - as above

        _keep_logging()
        node = app.Worker(
            hostname=f"{stage}-{os.getpid()}@{os.uname().nodename}",
            queues=[stage, TICK],
            concurrency=size,
            pool="prefork",
            optimization="fair",
            loglevel=logging.getLogger().level,
            quiet=True,
        )
        node.start()
        return int(node.exitcode or 0)

    return work


def _keep_logging() -> None:
    """Have Celery leave the logging of this process as it is, and write nothing to stdout, which is for alerts."""
    signals.setup_logging.connect(_nothing, weak=False)
    # What it says there, that it shuts down, our log says as well.
    sys.__stdout__ = Path(os.devnull).open("w")  # type: ignore[misc] # noqa: SIM115 - for the process's life
    # A container runs as whoever its image says; nothing here is pickled, which is what it warns of.
    warnings.filterwarnings("ignore", category=SecurityWarning)
    if logging.getLogger().level > logging.DEBUG:
        for name in ("celery", "kombu"):
            logging.getLogger(name).setLevel(logging.WARNING)


def _nothing(**_: object) -> None:
    pass


class _Apart:
    """Reloads in a process of its own: a supervisor opens no ledger."""

    def __init__(self, reloader: Reloader) -> None:
        self._reloader = reloader
        self._pid: int | None = None

    def look(self) -> None:
        """Start a reload if there is reason to, and take in one that has ended."""
        if self._pid is not None:
            if os.waitpid(self._pid, os.WNOHANG)[0]:
                self._pid = None
        elif self._reloader.due():
            self._pid = self._start()

    def _start(self) -> int:
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid:
            return pid
        try:
            wake_nobody()
            self._reloader.reload()
        finally:
            logging.shutdown()
            os._exit(0)


def check(place: Place, *, patience: float = 60.0) -> None:
    """Refuse to start where the service would lose more than wake-ups; a server that is away is waited for.

    Raises:
        Unfit: something is not what it must be, or a server did not answer in time; the text says what to do.
    """
    until = time.monotonic() + patience
    while True:
        findings = examine(own_service(place), place.state, clock=wall_clock, starting=True).findings
        refused = refusals(findings)
        if not refused:
            break
        if not all(finding.passing for finding in refused) or time.monotonic() >= until:
            raise Unfit("\n".join(map(str, refused)))
        _log.warning("%s; waiting for it", refused[0])
        time.sleep(1.0)
    for finding in findings:
        if finding.level == "warn":
            _log.warning("%s", finding)


class Unfit(WirewatchError):  # noqa: N818 - named for what it says, like its siblings
    """A part of the service is not what it must be."""
