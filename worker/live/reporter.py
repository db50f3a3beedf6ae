"""Reports on a service for somebody who asks again and again."""

from __future__ import annotations

import os
import threading
from typing import Any

from worker import build
from worker.ledger import snapshots
from worker.ledger.engine import Ledger
from worker.live.place import Place
from worker.live.report import nothing_yet, report
from worker.settings import Settings, load, load_files, load_service


def settings_in_force(ledger: Ledger) -> Settings | None:
    """Return the configuration that the ledger has in force; ``None`` when it has none.

    Raises:
        worker.errors.ConfigError: it cannot be used here; a variable of the environment may be missing.
    """
    with ledger.read() as t:
        newest = snapshots.latest(t)
    return None if newest is None or newest.files is None else load_files(newest.files, os.environ)


class Reporter:
    """Gives the object of ``status --json``; the ledger is opened when it is first there, and kept open."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._ledger: Ledger | None = None
        # Reading a large configuration takes as long as a second, and a health check comes every few.
        self._generation, self._settings = 0, Settings()
        self._lock = threading.Lock()

    def __call__(self) -> dict[str, Any]:
        """Return the report.

        Raises:
            worker.errors.WirewatchError: the ledger or the configuration cannot be used.
        """
        with self._lock:
            if self._ledger is None:
                service = load_service(self._place.config, os.environ)
                if not build.ledger_exists(service, self._place.state):
                    return nothing_yet(self._own(), "there is no ledger yet; start `wirewatch run`")
                self._ledger = build.open_ledger(service, self._place.state)
            settings = self._in_force(self._ledger)
        return report(self._ledger, settings, now=self._ledger.clock())

    def _in_force(self, ledger: Ledger) -> Settings:
        with ledger.read() as t:
            generation = snapshots.generation(t)
        if generation == 0:
            return self._own()
        if generation != self._generation:
            self._settings, self._generation = settings_in_force(ledger) or self._own(), generation
        return self._settings

    def _own(self) -> Settings:
        return load(self._place.config, os.environ, required=self._place.named)
