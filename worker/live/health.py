"""Whether one part of the service does its work on one machine: what the health check of a container asks.

It is asked of the ledger, where parts write down that they come round, and not of a process: a worker that has lost its
broker still answers when it is pinged, and receives nothing any more. The console writes nothing down, and is asked
itself.
"""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from contextlib import closing
from datetime import datetime, timedelta
from typing import Final

from worker.ledger.progress import Progress
from worker.live.celery_settings import STAGES, TICK
from worker.settings import Console

#: The name of the scheduler in the ledger's progress.
SCHEDULER: Final = "scheduler"
#: A scheduler gives a sign every 15 s.
_SCHEDULER_QUIET: Final = timedelta(seconds=75)
#: Workers share the rounds, of which there are some twenty a minute when there is nothing to do; among twenty machines
#: this one comes round about once a minute.
_WORKER_QUIET: Final = timedelta(minutes=5)
_PARTS: Final[Mapping[str, tuple[tuple[str, ...], timedelta]]] = {
    "scheduler": ((SCHEDULER,), _SCHEDULER_QUIET),
    "worker": ((TICK, *STAGES), _WORKER_QUIET),
}
_TIMEOUT: Final = 5.0
_OK: Final = 200
_EVERYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared with, not bound to


def why_not(part: str, seen: Mapping[str, Progress], *, machine: str, now: datetime) -> str:
    """Return why ``part`` (``scheduler`` or ``worker``) is not healthy; empty when it is.

    Args:
        part: Which part.
        seen: What the ledger has of ``machine``, see ``worker.ledger.progress.read_of``.
        machine: For the text.
        now: The time of the ledger.
    """
    names, quiet = _PARTS[part]
    last = max((seen[name].at for name in names if name in seen), default=None)
    if last is None:
        return f"{part}: no sign of one on {machine} yet"
    if now - last > quiet:
        return f"{part}: no sign of the one on {machine} for {(now - last).total_seconds():.0f} s"
    return ""


def why_no_console(address: Console) -> str:
    """Return why the console of this machine is not healthy; empty when it answers."""
    host = _EVERYWHERE.get(address.host, address.host)
    with closing(http.client.HTTPConnection(host, address.port, timeout=_TIMEOUT)) as connection:
        try:
            connection.request("GET", "/healthz")
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException) as error:
            return f"console: {host}:{address.port} does not answer: {error}"
    return "" if status == _OK else f"console: {host}:{address.port} answers {status}"
