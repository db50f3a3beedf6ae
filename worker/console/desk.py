"""What the pages are made from: the ledger, the configuration in force, and the report on the service."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from worker.build.trying import Bench
from worker.errors import WirewatchError
from worker.ledger import channels, overview, snapshots
from worker.ledger.engine import Ledger, Transaction
from worker.settings import Settings

#: How long the numbers beside the navigation may be old.
_BADGES_KEPT: Final = timedelta(seconds=10)


class NoLedger(WirewatchError):  # noqa: N818 - named for what it says
    """There is no ledger yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A ledger, and whether it is that of a replay, on which nobody works any more."""

    ledger: Ledger
    recorded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Badges:
    """Numbers beside the navigation."""

    #: Dead letters that were not given back.
    dead: int
    #: What keeps the service from being ready, disabled channels and warnings.
    problems: int


class Desk:
    """Keeps what the pages need. It may be used from many threads.

    Args:
        open_ledger: Returns the ledger to show; ``None`` while there is none. Called until it returns one.
        in_force: Returns the configuration that the ledger has in force; ``None`` when it has none.
        own: Returns the configuration of the files beside the console.
        report: Returns the object of ``status --json`` for a ledger, a configuration and the present time; nobody
            here asks it how often topics have matched.
        feeds: Returns its ``feeds`` alone.
        state: The state directory: where models that were fetched are kept.
    """

    def __init__(
        self,
        *,
        open_ledger: Callable[[], Opened | None],
        in_force: Callable[[Ledger], Settings | None],
        own: Callable[[], Settings],
        report: Callable[[Opened, Settings, datetime], Mapping[str, Any]],
        feeds: Callable[[Transaction, Settings, bool], Sequence[Mapping[str, Any]]],
        state: Path,
    ) -> None:
        self._open_ledger, self._in_force, self._own, self._report = open_ledger, in_force, own, report
        self._feeds = feeds
        self.state = state
        self._opened: Opened | None = None
        self._settings: tuple[int, Settings] | None = None
        self._badges: tuple[datetime, Badges] | None = None
        self._lock = threading.Lock()
        #: The models that decide by meaning, opened when they are first needed, once for all pages.
        self.bench = Bench(state)

    @property
    def ledger(self) -> Ledger:
        """The ledger.

        Raises:
            NoLedger: there is none yet.
            worker.errors.WirewatchError: it cannot be used, or the configuration that names it is wrong.
        """
        return self._here().ledger

    @property
    def recorded(self) -> bool:
        """Whether the ledger is that of a replay.

        Raises:
            worker.errors.WirewatchError: as ``ledger``.
        """
        return self._here().recorded

    def read(self) -> AbstractContextManager[Transaction]:
        """Return a transaction that reads; the same as ``ledger.read``."""
        return self.ledger.read()

    def write(self) -> AbstractContextManager[Transaction]:
        """Return a transaction that writes; the same as ``ledger.write``."""
        return self.ledger.write()

    def now(self) -> datetime:
        """Return the time of the ledger: what every page calls now."""
        return self.ledger.clock()

    def settings(self) -> Settings:
        """Return the configuration in force; that of the files where the ledger has none.

        Raises:
            worker.errors.WirewatchError: it cannot be used here.
        """
        ledger = self.ledger
        with ledger.read() as t:
            generation = snapshots.generation(t)
        with self._lock:
            # Reading a large configuration takes as long as a second.
            if self._settings is None or self._settings[0] != generation:
                self._settings = generation, self._in_force(ledger) or self._own()
            return self._settings[1]

    def report(self) -> Mapping[str, Any]:
        """Return the object of ``status --json``.

        Raises:
            worker.errors.WirewatchError: the ledger or the configuration cannot be used.
        """
        return self._report(self._here(), self.settings(), self.now())

    def feeds(self) -> Sequence[Mapping[str, Any]]:
        """Return the ``feeds`` of the report, which costs less than all of it.

        Raises:
            worker.errors.WirewatchError: as ``report``.
        """
        settings = self.settings()
        with self.read() as t:
            return self._feeds(t, settings, self.recorded)

    def badges(self) -> Badges:
        """Return the numbers beside the navigation, at most some seconds old; zeros while there is no ledger."""
        try:
            now = self.now()
            with self._lock:
                kept = self._badges
            if kept is None or not timedelta(0) <= now - kept[0] <= _BADGES_KEPT:
                kept = now, self._counted()
                with self._lock:
                    self._badges = kept
            return kept[1]
        except WirewatchError:
            return Badges(dead=0, problems=1)

    def _counted(self) -> Badges:
        with self.read() as t:
            dead = overview.dead_count(t)
            disabled = sum(one.disabled for one in channels.states(t).values())
        found = self.report()
        return Badges(dead=dead, problems=disabled + len(found["why_not"]) + len(found.get("alarms", ())))

    def _here(self) -> Opened:
        with self._lock:
            # A replay's ledger is shown only until the service has one.
            if self._opened is None or self._opened.recorded:
                self._opened = self._open_ledger() or self._opened
            if self._opened is None:
                raise NoLedger("there is no ledger yet; start `wirewatch run`, or replay something")
            return self._opened
