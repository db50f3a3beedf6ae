"""One process that starts the others, starts them again when they die, and stops them in order.

It has no threads and opens neither ledger nor broker, so that it can be forked at any time: its parts begin with
everything imported, and share the memory of it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, Protocol

from setproctitle import setproctitle

from worker.errors import ConfigError, WirewatchError
from worker.live.parent import watch

_log = logging.getLogger("wirewatch")
#: Seconds between two looks at what has died; a child that dies and a signal end them. Ten looks a second were as much
#: as a tenth of what an idle service takes.
_NAP: Final = 1.0
#: Seconds before a part that died is started again: at first, and at most.
FIRST_WAIT, LONGEST_WAIT = 0.5, 30.0
#: A part that has lived for so many seconds had started well.
_WELL: Final = 60.0
#: One that has ever lived for so many seconds could be started: what is wrong now has come since, and may be mended.
_BEGUN: Final = 10.0
#: Seconds that the parts of one round have to stop before they are killed.
PATIENCE: Final = 8.0
#: Seconds that a part whose supervisor has died has to end by itself.
_ORPHANED: Final = 10.0
#: The exit code of a part that need not be started again: it would fail in the same way.
HOPELESS: Final = 2


class Helper(Protocol):
    """A part that is no Python process of ours: the embedded server."""

    @property
    def pid(self) -> int | None:
        """Its process, if it is a child of this one."""
        ...

    def alive(self) -> bool:
        """Return whether it runs."""
        ...

    def stop(self, timeout: float) -> None:
        """End it."""
        ...


@dataclass(slots=True)
class Part:
    """Something that is kept running. Not frozen: the supervisor notes here how it goes."""

    name: str
    #: Runs in a process of its own and returns its exit code.
    work: Callable[[], int] | None = None
    #: Starts it, where it is no process of ours.
    helper: Callable[[], Helper] | None = None
    #: Parts of a lower order are started first and stopped last.
    order: int = 0
    pid: int | None = None
    running: Helper | None = None
    started_at: float = 0.0
    start_at: float = 0.0
    deaths: int = field(default=0)
    begun: bool = False


class Supervisor:
    """Keeps ``parts`` running until it is told to stop."""

    def __init__(self, parts: Iterable[Part], *, look: Callable[[], None] = lambda: None) -> None:
        """Keep ``parts``; ``look`` is called again and again, between two looks at them."""
        self._parts = sorted(parts, key=lambda part: part.order)
        self._look = look
        self._stop = False
        self._failed = 0

    def stop(self, *_: object) -> None:
        """Come to an end; a signal handler."""
        self._stop = True

    def run(self) -> int:
        """Start everything, and return the exit code when all of it has stopped."""
        try:
            with _naps() as nap:
                while not self._stop:
                    for part in self._parts:
                        self._tend(part)
                    self._reap()
                    self._look()
                    nap(self._rest())
        finally:
            self._stop_all()
        return self._failed

    def _rest(self) -> float:
        """Return the seconds until a part that died is to be started again, ``_NAP`` at most, none at the end."""
        if self._stop:
            return 0.0
        starts = [part.start_at for part in self._parts if part.pid is None and part.running is None]
        return min(max(min(starts, default=float("inf")) - time.monotonic(), 0.0), _NAP)

    def _tend(self, part: Part) -> None:
        if part.running is not None and not part.running.alive():
            part.running, part.pid = None, None
            self._died(part, "is gone")
        if part.pid is None and part.running is None and time.monotonic() >= part.start_at and not self._stop:
            self._start(part)

    def _start(self, part: Part) -> None:
        part.started_at = time.monotonic()
        if part.helper is not None:
            try:
                part.running = part.helper()
                part.pid = part.running.pid
            except WirewatchError as error:
                self._died(part, str(error))
        elif part.work is not None:
            part.pid = _forked(part.name, part.work)
        if part.deaths:
            _log.warning("%s was started again", part.name)

    def _reap(self) -> None:
        for part in self._parts:
            if part.pid is None or part.running is not None:
                continue
            with contextlib.suppress(ChildProcessError):
                found, status = os.waitpid(part.pid, os.WNOHANG)
                if found:
                    # Its children notice by themselves and finish what they have in hand.
                    code, part.pid = os.waitstatus_to_exitcode(status), None
                    self._died(part, f"died of {_how(code)}")
                    if code == HOPELESS and not part.begun:
                        _log.critical("%s cannot be started; the service stops", part.name)
                        self._failed, self._stop = HOPELESS, True

    def _died(self, part: Part, how: str) -> None:
        lived = time.monotonic() - part.started_at
        part.deaths = 1 if lived > _WELL else part.deaths + 1
        part.begun = part.begun or lived > _BEGUN
        wait = min(FIRST_WAIT * 2 ** min(part.deaths - 1, 10), LONGEST_WAIT)
        part.start_at = time.monotonic() + wait
        _log.error("%s %s after %.0f s; started again in %.1f s", part.name, how, lived, wait)

    def _stop_all(self) -> None:
        """Stop the parts that were started last first, those of one order together."""
        for order in sorted({part.order for part in self._parts}, reverse=True):
            parts = [part for part in self._parts if part.order == order]
            began = time.monotonic()
            for part in parts:
                if part.pid is not None and part.running is None:
                    _signal(part.pid, signal.SIGTERM)
            for part in parts:
                if part.running is not None:
                    part.running.stop(PATIENCE)
                    part.running = None
                elif part.pid is not None:
                    self._wait(part, began + PATIENCE)
            _log.info("stopped %s in %.1f s", ", ".join(part.name for part in parts), time.monotonic() - began)

    def _wait(self, part: Part, until: float) -> None:
        pid, part.pid = part.pid, None
        if pid is None:
            return
        while time.monotonic() < until:
            try:
                if os.waitpid(pid, os.WNOHANG)[0]:
                    _kill_group(pid)
                    return
            except ChildProcessError:
                return
            time.sleep(0.02)
        _log.error(
            "%s did not stop within %.0f s and was killed; what it had in hand is claimed again", part.name, PATIENCE
        )
        _kill_group(pid)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)


@contextlib.contextmanager
def _naps() -> Iterator[Callable[[float], None]]:
    """Yield what sleeps for so many seconds, or until this process receives a signal or a child of it dies."""
    heard, told = socket.socketpair()
    heard.setblocking(False)
    told.setblocking(False)
    # Nothing is to be done but to wake up, for which the number of each signal is written into ``told``.
    before = signal.signal(signal.SIGCHLD, lambda *_: None)
    woken_before = signal.set_wakeup_fd(told.fileno(), warn_on_full_buffer=False)

    def nap(seconds: float) -> None:
        if select.select([heard], [], [], seconds)[0]:
            heard.recv(4096)

    try:
        yield nap
    finally:
        signal.set_wakeup_fd(woken_before)
        signal.signal(signal.SIGCHLD, before)
        heard.close()
        told.close()


def wake_nobody() -> None:
    """Have a process that was forked from a supervisor not wake it with its own signals."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)


def _forked(name: str, work: Callable[[], int]) -> int:
    """Run ``work`` in a process of its own and return its id."""
    sys.stdout.flush()
    sys.stderr.flush()
    parent = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        # A group of its own: Ctrl-C is for the supervisor, which stops its parts in order.
        os.setpgid(0, 0)
        wake_nobody()
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        setproctitle(f"wirewatch: {name}")
        watch(parent, _orphaned)
        code = work()
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except ConfigError as error:
        _log.critical("%s: %s", name, error)
        code = HOPELESS
    except BaseException:  # noqa: BLE001 - a forked process must not go on as the one it came from
        _log.exception("%s: unexpected error", name)
    finally:
        logging.shutdown()
        os._exit(code)


def _orphaned() -> None:
    _log.error("the supervisor has died; this part ends")
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_ORPHANED)
    os._exit(1)


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _kill_group(pid: int) -> None:
    """Kill what is left of a part: children that it has left behind."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _how(code: int) -> str:
    return f"signal {-code} ({signal.Signals(-code).name})" if code < 0 else f"exit code {code}"
