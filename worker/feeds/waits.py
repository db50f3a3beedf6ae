"""How long a publisher asks to be left alone: in the headers of an answer and in the feed itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from worker.model import Hints

#: ``ttl`` and ``sy:`` count up to this much. Many publishers write a day and publish every hour; those who mean it can
#: say max-age, which counts in full.
HINT_MOST = timedelta(hours=1)
#: ``Retry-After`` counts up to this much (mediacloud/rss-fetcher clamps to the same).
RETRY_MOST = timedelta(hours=24)

_DIRECTIVE = re.compile(r"([!#$%&'*+.^_`|~0-9a-z-]+)(?:\s*=\s*(?:\"([^\"]*)\"|([^\s,\"]*)))?", re.IGNORECASE)
_SECONDS = re.compile(r"[0-9]+")
#: No publisher means more, and a time that far away can still be written down.
_SECONDS_MOST = 10**9
_NOTHING = timedelta(0)
_HOUR = timedelta(hours=1)
_HOURS, _DAYS = 24, 7


def retry_after(headers: Mapping[str, str], *, now: datetime) -> timedelta:
    """Return how long the answer asks to be left alone; 0 when it does not ask, or nobody can tell what.

    Source: Retry-After in seconds or as a date, RFC 9110 section 10.2.3.
    """
    value = headers.get("retry-after", "").strip()
    seconds = _seconds(value)
    if seconds is not None:
        return seconds
    until = _date(value)
    return max(until - now, _NOTHING) if until else _NOTHING


def fresh_for(headers: Mapping[str, str], *, now: datetime) -> timedelta:
    """Return how long an answer stays fresh from now on; 0 when it does not say.

    That is ``max-age``, or without one ``Expires`` less ``Date``, and in both cases less ``Age``. ``no-cache`` and
    ``no-store`` make nothing fresh; ``s-maxage`` is for shared caches, and we are none. A 304 counts by what it says
    itself.

    Source: RFC 9111 sections 4.2.1, 4.2.3 and 5.2.2.
    """
    lifetime = _lifetime(headers, now=now)
    if not lifetime:
        return _NOTHING
    age = _seconds(headers.get("age", "").strip()) or _NOTHING
    return max(lifetime - age, _NOTHING)


def _lifetime(headers: Mapping[str, str], *, now: datetime) -> timedelta:
    directives: dict[str, str] = {}
    for name, quoted, plain in _DIRECTIVE.findall(headers.get("cache-control", "")):
        directives.setdefault(name.lower(), quoted or plain)
    if directives.keys() & {"no-cache", "no-store"}:
        return _NOTHING
    if "max-age" in directives:
        return _seconds(directives["max-age"]) or _NOTHING
    expires = _date(headers.get("expires", ""))
    if expires is None:
        return _NOTHING
    return max(expires - (_date(headers.get("date", "")) or now), _NOTHING)


def _seconds(value: str) -> timedelta | None:
    if not _SECONDS.fullmatch(value):
        return None
    # int() refuses some thousands of digits.
    digits = value.lstrip("0") or "0"
    return timedelta(seconds=min(int(digits[:11]), _SECONDS_MOST))


def _date(value: str) -> datetime | None:
    """Return a date of HTTP (RFC 9110 section 5.6.7), ``None`` when it is none."""
    if not value:
        return None
    try:
        date = parsedate_to_datetime(value.strip())
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    # "-0000" and the old asctime form name no zone: dates of HTTP are in UTC.
    return date if date.tzinfo else date.replace(tzinfo=UTC)


def hinted(hints: Hints) -> timedelta:
    """Return how long a feed document says that it stays the same, as far as that is believed."""
    return min(max(hints.update_interval or _NOTHING, _NOTHING), HINT_MOST)


def after_skipped(hints: Hints, due: datetime) -> datetime:
    """Return ``due``, or the end of the hours and days around it in which the feed asks not to be polled.

    A feed that asks to be skipped in all hours, or on all days, cannot mean it and is not heard.

    Source: ``skipHours`` and ``skipDays``, in GMT, https://www.rssboard.org/rss-specification.
    """
    if not hints.skip_hours and not hints.skip_days:
        return due
    hours, days = frozenset(hints.skip_hours), frozenset(hints.skip_days)
    if len(hours) >= _HOURS:
        hours = frozenset()
    if len(days) >= _DAYS:
        days = frozenset()
    for _ in range(_HOURS * (_DAYS + 1)):
        utc = due.astimezone(UTC)
        if utc.hour not in hours and utc.weekday() not in days:
            break
        due = utc.replace(minute=0, second=0, microsecond=0) + _HOUR
    return due
