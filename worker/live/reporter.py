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
from worker.settings import Settings, load, load_files


class Reporter:
    """Gives the object of ``status --json``; the ledger is opened when it is first there, and kept open."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._ledger: Ledger | None = None
        self._lock = threading.Lock()

    def __call__(self) -> dict[str, Any]:
        """Return the report.

        Raises:
            worker.errors.WirewatchError: the ledger or the configuration cannot be used.
        """
        settings = load(self._place.config, os.environ, required=self._place.named)
        with self._lock:
            if self._ledger is None:
                if not build.ledger_exists(settings.service, self._place.state):
                    return nothing_yet(settings, "there is no ledger yet; start `wirewatch run`")
                self._ledger = build.open_ledger(settings.service, self._place.state)
        return report(self._ledger, _in_force(self._ledger, settings), now=self._ledger.clock())


def _in_force(ledger: Ledger, own: Settings) -> Settings:
    with ledger.read() as t:
        newest = snapshots.latest(t)
    return own if newest is None or newest.files is None else load_files(newest.files, os.environ)
