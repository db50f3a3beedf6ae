"""Reloading: the files of a place become the configuration of all workers."""

from __future__ import annotations

import logging
import time
from contextlib import closing
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import Final

from worker import build
from worker.errors import ConfigError, WirewatchError
from worker.ledger import progress
from worker.ledger.engine import Ledger
from worker.ledger.progress import RELOAD
from worker.live.place import Place
from worker.live.service import own_service, put_in_force

_log = logging.getLogger("wirewatch")
#: Seconds between two looks at the files.
_WATCH_EVERY: Final = 2.0
#: Characters of a failure that are kept.
_SHOWN: Final = 1000


def reload(place: Place) -> int:
    """Put the files of ``place`` in force and return their generation.

    Raises:
        ConfigError: something is wrong with them; the last configuration stays in force.
        worker.errors.LedgerError: the ledger cannot be used.
    """
    with closing(build.open_ledger(own_service(place), place.state)) as ledger:
        now = ledger.clock()
        try:
            settings, generation = put_in_force(ledger, place, now=now)
        except ConfigError as error:
            _note(ledger, str(error), now=now)
            raise
        _note(ledger, "", now=now)
    _log.warning("generation %d: %d feeds, %d topics", generation, len(settings.feeds), len(settings.topics))
    return generation


def _note(ledger: Ledger, failed: str, *, now: datetime) -> None:
    """Note how the last reload has ended: a wrong file leaves the last configuration in force, where nobody looks."""
    with ledger.write() as t:
        progress.note(t, RELOAD, now=now, detail=failed[:_SHOWN])


class Reloader:
    """Reloads when it is asked to, and with ``watch`` when a file of the configuration directory changes."""

    def __init__(self, place: Place, *, watch: bool) -> None:
        self._place, self._watch = place, watch
        self._seen = _stamps(place.config) if watch else {}
        self._look_at = time.monotonic() + _WATCH_EVERY
        self._asked = False

    def ask(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - signal's signature
        """Reload soon; a signal handler."""
        self._asked = True

    def due(self) -> bool:
        """Return whether there is reason to reload, once for each reason."""
        asked, self._asked = self._asked, False
        return self._changed() or asked

    def reload(self) -> None:
        """Reload; what is wrong is said, and changes nothing."""
        try:
            reload(self._place)
        except ConfigError as error:
            _log.error("the configuration was not reloaded, the last one stays in force:\n%s", error)
        except WirewatchError as error:
            _log.error("the configuration was not reloaded: %s", error)

    def _changed(self) -> bool:
        if not self._watch or time.monotonic() < self._look_at:
            return False
        self._look_at = time.monotonic() + _WATCH_EVERY
        seen, self._seen = self._seen, _stamps(self._place.config)
        return seen != self._seen


def _stamps(directory: Path) -> dict[str, tuple[int, int]]:
    """Return what tells the versions of the files of a directory apart."""
    try:
        files = [path for path in directory.iterdir() if path.is_file()]
        return {path.name: (path.stat().st_mtime_ns, path.stat().st_size) for path in files}
    except OSError:
        return {}
