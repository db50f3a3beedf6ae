"""The wall clock: read by shells and handed down as ``now``."""

from __future__ import annotations

from datetime import UTC, datetime


def wall_clock() -> datetime:
    """Return the time, aware and in UTC."""
    return datetime.now(UTC)  # noqa: TID251 - the one place that reads it
