"""The answer to a scrape: metrics as text."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import Metric

from worker.console.metrics import collect, nothing
from worker.console.readings import Readings
from worker.errors import WirewatchError

_log = logging.getLogger("wirewatch")
CONTENT_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4
#: Seconds for which an answer is given again, so that two who scrape cost one, and how long one waits for another.
_KEEP, _PATIENCE = 1.0, 5.0


class Exporter:
    """Gives the body of an answer to a scrape, and its content type. It may be called from many threads."""

    def __init__(self, read: Callable[[], Readings], *, keep: float = _KEEP) -> None:
        """Take readings with ``read``, which may raise ``WirewatchError``; give each answer for ``keep`` seconds."""
        self._read, self._keep = read, keep
        self._lock = threading.Lock()
        self._made_at = float("-inf")
        self._body = b""

    def __call__(self) -> tuple[bytes, str]:
        """Return the metrics of this moment; those of a service without a ledger when it cannot be read."""
        if not self._lock.acquire(timeout=_PATIENCE):
            # Another scrape hangs in the ledger: whoever comes must not queue up behind it.
            return _rendered(nothing()), CONTENT_TYPE
        try:
            if time.monotonic() - self._made_at >= self._keep:
                self._body, self._made_at = exposition(self._read)[0], time.monotonic()
            return self._body, CONTENT_TYPE
        finally:
            self._lock.release()


def exposition(read: Callable[[], Readings]) -> tuple[bytes, str]:
    """Return all metrics in Prometheus' text format, and its content type.

    A ledger that cannot be read is not an error here: ``wirewatch_ledger_up`` says so, and that is worth an answer.
    """
    try:
        found = read()
    except WirewatchError as error:
        _log.warning("metrics: %s", error)
        return _rendered(nothing()), CONTENT_TYPE
    return _rendered(collect(found)), CONTENT_TYPE


def _rendered(metrics: Iterable[Metric]) -> bytes:
    """Return metrics as text."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Made(metrics))
    return generate_latest(registry)


class _Made:
    """What a registry asks for its metrics."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        """Return them."""
        return self._metrics
