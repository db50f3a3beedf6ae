"""Quiet hours and the times of digests, as ``worker.alerts`` reads them, with a hint for a misspelt zone."""

from __future__ import annotations

import zoneinfo
from collections.abc import Callable

from worker.alerts.digests import parse_digest
from worker.alerts.quiet import parse_quiet_hours
from worker.settings.words import Substituted, did_you_mean, shown


def quiet_hours(value: str) -> str:
    """Return ``value`` without spaces at its ends; empty means never.

    Raises:
        ValueError: It is no span of hours, or its zone is unknown; the text says what to write.
    """
    return _read(value, parse_quiet_hours, "22:00-07:00")


def digest(value: str) -> str:
    """Return ``value`` with single spaces; empty means never.

    Raises:
        ValueError: It is no list of times, or its zone is unknown; the text says what to write.
    """
    return " ".join(_read(value, parse_digest, "08:00").split())


def _read(value: str, parse: Callable[[str], object], example: str) -> str:
    try:
        parse(value)
    except ValueError as error:
        # The other room's words may repeat the value.
        why = f"expected {example}" if isinstance(value, Substituted) else f"{error}{_zone_hint(value)}"
        raise ValueError(f"{shown(value)}: {why}") from None
    return value.strip()


def _zone_hint(value: str) -> str:
    words = value.split()
    if not words or ":" in words[-1]:
        return ""
    zones = zoneinfo.available_timezones()
    return did_you_mean(words[-1], zones) if zones else "; this machine has no time zones, install tzdata"
