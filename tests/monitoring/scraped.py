"""What a scrape gives, read as Prometheus reads it, and what there is beside a ledger in tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from worker.console.exposition import exposition
from worker.console.readings import Reader
from worker.ledger.engine import Ledger, Transaction
from worker.ledger.progress import Progress
from worker.model import Alarm
from worker.settings import Settings

Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


@dataclass
class Beside:
    """A broker and alarms as a test wants them; what ``readings.Outside`` promises."""

    up: bool = True
    found: Sequence[Alarm] = ()
    #: How often it was asked for alarms.
    asked: int = 0

    def broker(self) -> tuple[bool, Mapping[str, int]]:
        """Return whether the broker answers."""
        return self.up, {"read": 1} if self.up else {}

    def ready(self, seen: Mapping[str, Progress], queues: Mapping[str, Mapping[str, Any]], now: datetime) -> bool:
        """Return whether all parts have ever come round."""
        return bool(queues) and all(part in seen and seen[part].at <= now for part in ("poll", "read", "deliver"))

    def alarms(self, t: Transaction, settings: Settings, now: datetime) -> Sequence[Alarm]:  # noqa: ARG002 - what is promised
        """Return the alarms."""
        self.asked += 1
        return self.found


def page(ledger: Ledger, settings: Settings, beside: Beside | None = None) -> bytes:
    """Return what a scrape of a ledger gives."""
    reader = Reader(beside or Beside())
    return exposition(lambda: reader.take(ledger, settings))[0]


def series(body: bytes) -> Series:
    """Return all series of a scrape with their values."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
    }


def value(found: Series, name: str, **labels: str) -> float | None:
    """Return the value of one series; ``None`` when there is none."""
    return found.get((f"wirewatch_{name}", frozenset(labels.items())))


def names(found: Series) -> set[str]:
    """Return the names of all series."""
    return {name for name, _ in found}
