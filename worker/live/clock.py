"""Clocks: read by shells and handed down as ``now``.

What the service writes into the ledger (leases, due times) is by the ledger's clock, so that a machine whose own is
wrong takes nobody's lease and keeps nobody waiting. The wall clock is for commands.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from worker.errors import LedgerError
from worker.ledger.engine import Ledger

_log = logging.getLogger("wirewatch")
#: Seconds between two readings of the ledger's clock.
_EVERY: Final = 10.0
#: A reading further than this from what was expected is believed when the next one says the same.
_JUMP: Final = timedelta(seconds=60)


def wall_clock() -> datetime:
    """Return the time, aware and in UTC."""
    return datetime.now(UTC)  # noqa: TID251 - the one place that reads it


class LedgerClock:
    """The clock of a ledger's database, read now and then and carried on by this process's monotonic clock between.

    Calling it returns the time, aware and in UTC; it may be called from many threads. While the ledger is away it goes
    on by itself.

    Raises:
        worker.errors.LedgerError: the ledger cannot be read, when the clock is made.
    """

    def __init__(self, ledger: Ledger, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._ledger, self._monotonic = ledger, monotonic
        self._reading = threading.Lock()
        # The time of the ledger when the monotonic clock stood at nought: one value, so that threads need no lock.
        self._origin = self._read()
        self._read_again = monotonic() + _EVERY
        self._doubted: datetime | None = None

    def __call__(self) -> datetime:
        """Return the time of the ledger."""
        # One thread reads, and the others go on with what was read last.
        if self._monotonic() >= self._read_again and self._reading.acquire(blocking=False):
            try:
                self._look()
            finally:
                self._read_again = self._monotonic() + _EVERY
                self._reading.release()
        return self._origin + timedelta(seconds=self._monotonic())

    def _look(self) -> None:
        try:
            origin = self._read()
        except LedgerError as error:
            # Whoever works with the ledger says it louder.
            _log.debug("the clock of the ledger cannot be read: %s", error)
            return
        jump = origin - self._origin
        if abs(jump) <= _JUMP:
            self._origin, self._doubted = origin, None
        elif self._doubted is not None and abs(origin - self._doubted) <= _JUMP:
            _log.warning("the clock of the ledger has jumped by %.0f s; it is followed from now on", _seconds(jump))
            self._origin, self._doubted = origin, None
        else:
            _log.warning(
                "the clock of the ledger seems to have jumped by %.0f s; it is followed if it says so again in %.0f s",
                _seconds(jump),
                _EVERY,
            )
            self._doubted = origin

    def _read(self) -> datetime:
        before = self._monotonic()
        now = self._ledger.clock()
        # It was read somewhere between.
        return now - timedelta(seconds=(before + self._monotonic()) / 2)


def _seconds(span: timedelta) -> float:
    return span.total_seconds()
