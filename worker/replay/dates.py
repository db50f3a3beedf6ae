"""Times as people and feeds write them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime

_FIRST_YEAR, _LAST_YEAR = 1970, 2200


def parse_time(value: object) -> tuple[datetime, bool]:
    """Return the instant that ``value`` names, in UTC, and whether it named its zone; without one it is UTC.

    ``value`` is a date or datetime (YAML knows both) or a string in the form of ISO 8601 or RFC 5322 (as in RSS). A
    date without time is its midnight.

    Raises:
        ValueError: it names no instant between 1970 and 2200; the message says what would.
    """
    match value:
        case datetime():
            found = value
        case date():
            found = datetime(value.year, value.month, value.day)  # noqa: DTZ001 - the zone is added below
        case str():
            found = _from_text(value.strip())
        case _:
            raise ValueError(_advice(value))
    zoned = found.tzinfo is not None
    try:
        found = found.astimezone(UTC) if zoned else found.replace(tzinfo=UTC)
    except (OverflowError, ValueError):
        raise ValueError(_advice(value)) from None
    if not _FIRST_YEAR <= found.year <= _LAST_YEAR:
        raise ValueError(f"{value} is not between {_FIRST_YEAR} and {_LAST_YEAR}")
    return found, zoned


def _from_text(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        pass
    try:
        return parsedate_to_datetime(text)
    except (ValueError, IndexError, TypeError):
        raise ValueError(_advice(text)) from None


def _advice(value: object) -> str:
    return f'{str(value)[:60]!r} is not a time; write it like "2026-02-11T09:30:00Z"'
