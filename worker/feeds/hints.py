"""What a feed says about when to poll it and who would tell of news."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from datetime import timedelta

from worker.feeds.markup import attributes
from worker.model import Hints
from worker.url import absolute

#: Source: RSS 1.0 syndication module (https://web.resource.org/rss/1.0/modules/syndication/). It does not say how
#: long a month or a year is. "dayly" is what some feeds write; "always" tells nothing that could be waited for.
_PERIODS = {
    "hourly": timedelta(hours=1), "daily": timedelta(days=1), "dayly": timedelta(days=1),
    "weekly": timedelta(days=7), "monthly": timedelta(days=30), "yearly": timedelta(days=365),
    "annually": timedelta(days=365),
}  # fmt: skip
_LONGEST = timedelta(days=365)
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_HOURS_OF_A_DAY = 24
_LINK = re.compile(r"<(?:[\w.-]{1,100}:)?link\b[^<>]{0,4000}>", re.IGNORECASE)
_HEADER_LINK = re.compile(r"<([^<>]{1,2048})>([^<>]{0,1000})")
_REL = re.compile(r";\s{0,9}rel\s{0,9}=\s{0,9}(?:\"([^\"]*)\"|([^\s\",;]+))", re.IGNORECASE)
_LONGEST_ADDRESS = 2048


def channel_hints(channel: str, *, base: str, headers: Mapping[str, str]) -> Hints:
    """Return the hints of an RSS, RDF or Atom document.

    ``channel`` is the document without its items, as ``worker.feeds.recovery`` wrote it. ``ttl`` and ``sy:`` both
    count, and the longer one wins; ``sy:updateBase`` says nothing about how long to wait and is not read. A list of
    hours or days that leaves none to poll in is taken for a mistake.
    Source: RSS 2.0 (https://www.rssboard.org/rss-specification), elements ttl, skipHours and skipDays.
    """
    spans = [span for span in (_ttl(_text(channel, "ttl")), _syndication(channel)) if span]
    return Hints(
        update_interval=max(spans, default=None),
        skip_hours=_hours(_texts(_text(channel, "skipHours", markup=True), "hour")),
        skip_days=_days(_texts(_text(channel, "skipDays", markup=True), "day")),
        hub=header_hub(headers, base=base) or _channel_hub(channel, base),
    )


def header_hub(headers: Mapping[str, str], *, base: str) -> str | None:
    """Return the hub that the ``Link`` header of an answer names (RFC 8288, and WebSub section 4), if any."""
    for target, parameters in _HEADER_LINK.findall(headers.get("link", "")[:16_384]):
        rel = _REL.search(parameters)
        if rel and "hub" in (rel[1] or rel[2] or "").lower().split():
            return _address(base, target)
    return None


def first_hub(addresses: Sequence[str], *, base: str) -> str | None:
    """Return the first of ``addresses`` that can be one."""
    return next((hub for address in addresses if (hub := _address(base, address))), None)


def _channel_hub(channel: str, base: str) -> str | None:
    links = (attributes(tag) for tag in _LINK.findall(channel))
    return first_hub(
        [link.get("href", "") for link in links if "hub" in link.get("rel", "").lower().split()], base=base
    )


def _address(base: str, link: str) -> str | None:
    return absolute(base, link) or None if len(link) <= _LONGEST_ADDRESS else None


def _element(name: str, *, markup: bool) -> re.Pattern[str]:
    inside = r".{0,4000}?" if markup else r"[^<>]{0,200}"
    return re.compile(
        rf"<(?:[\w.-]{{1,100}}:)?{name}(?:\s[^<>]{{0,400}})?>({inside})</(?:[\w.-]{{1,100}}:)?{name}\s{{0,9}}>",
        re.IGNORECASE | re.DOTALL,
    )


_ELEMENTS = {
    name: _element(name, markup=name.startswith("skip"))
    for name in ("ttl", "updatePeriod", "updateFrequency", "skipHours", "skipDays", "hour", "day")
}


def _texts(text: str, name: str) -> list[str]:
    return [html.unescape(found).strip() for found in _ELEMENTS[name].findall(text)]


def _text(text: str, name: str, *, markup: bool = False) -> str:
    found = _ELEMENTS[name].search(text)
    if not found:
        return ""
    return found[1] if markup else html.unescape(found[1]).strip()


def _ttl(minutes: str) -> timedelta | None:
    number = _number(minutes)
    return min(timedelta(minutes=number), _LONGEST) if number else None


def _syndication(channel: str) -> timedelta | None:
    period_name, often = _text(channel, "updatePeriod").lower(), _text(channel, "updateFrequency")
    if not period_name and not often:
        return None
    # Without a period it is "daily" by the specification; without a frequency, or with one of 0, it is once.
    period = _PERIODS.get(period_name or "daily")
    if period is None:
        return None
    frequency = _number(often) or 1.0
    return min(period / max(frequency, period / _LONGEST), _LONGEST)


def _number(text: str) -> float:
    """Return a positive number, or 0 for all that is none."""
    if not re.fullmatch(r"[0-9]{0,9}(?:\.[0-9]{1,9})?", text) or not text:
        return 0.0
    return min(float(text), 1e6)


def _hours(texts: list[str]) -> tuple[int, ...]:
    # RSS 0.91 counted from 1 to 24; the hour 24 is midnight.
    hours = {int(text) % _HOURS_OF_A_DAY for text in texts if re.fullmatch(r"[01]?[0-9]|2[0-4]", text)}
    return tuple(sorted(hours)) if len(hours) < _HOURS_OF_A_DAY else ()


def _days(texts: list[str]) -> tuple[int, ...]:
    days = {_DAYS.index(text[:3].lower()) for text in texts if text[:3].lower() in _DAYS}
    return tuple(sorted(days)) if len(days) < len(_DAYS) else ()
