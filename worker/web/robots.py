"""robots.txt (RFC 9309): what the sites ask of programs that read their pages. The home of protego."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock

from protego import Protego

from worker.errors import Retryable, Unusable
from worker.url import shown

#: The product token that a site names us by (RFC 9309 section 2.2.1).
TOKEN = "wirewatch"  # noqa: S105 - a name
#: Bytes of a robots.txt that are read (RFC 9309 section 2.5).
PARSED = 500 * 1024
#: Redirects that are followed (RFC 9309 section 2.3.1.2).
REDIRECTS = 5
#: A copy is used for so long (RFC 9309 section 2.4).
_KEEP = timedelta(hours=24)
#: A site that gave no answer is asked again after so long.
_AGAIN = timedelta(minutes=5)
#: Hosts, and lines of their files, that are remembered: at some 300 bytes each the lines take 30 MB.
_HOSTS, _LINES = 10_000, 100_000
_AGENT = re.compile(r"user[- ]?agent\s*(?::|\s)\s*(\*|[a-z_-]*)", re.IGNORECASE)
#: Lines that belong to no group, and so do not end the names of one.
_SITE_WIDE = re.compile(r"(?:site-?maps?|host)\s*:", re.IGNORECASE)

#: Gets an address: its status and the first ``PARSED`` bytes, redirects followed. Raises as ``Web.get`` does.
Fetch = Callable[[str], tuple[int, bytes]]


@dataclass(slots=True)
class _Site:
    """What is known of one site. ``rules`` is ``None`` when nobody has ever answered."""

    lock: Lock = field(default_factory=Lock)
    rules: Protego | None = None
    lines: int = 0
    again_at: datetime | None = None
    #: Why there was no answer; empty when there was one.
    failure: str = ""


class Robots:
    """The robots.txt of all sites, each asked for when it is needed and kept for a day. Threads may share it."""

    def __init__(self, *, hosts: int = _HOSTS, lines: int = _LINES) -> None:
        self._hosts = hosts
        self._lines = lines
        self._lock = Lock()
        self._sites: OrderedDict[Hashable, _Site] = OrderedDict()
        #: Lines of all that are kept.
        self._total = 0

    def check(self, url: str, *, site: str, key: Hashable, now: datetime, fetch: Fetch) -> timedelta:
        """Return the gap that a site asks for between two requests, zero if none, when ``url`` may be read.

        ``site`` is the root of the URL's origin without a slash at its end, ``key`` what its rules are kept under.

        Raises:
            Unusable: the site forbids it.
            Retryable: the site's robots.txt cannot be had now, and so nothing may be read (RFC 9309 section 2.3.1.4).
        """
        kept = self._site(key)
        with kept.lock:
            if kept.again_at is None or now >= kept.again_at:
                before = kept.lines
                self._look(kept, site, now=now, fetch=fetch)
                self._tidy(key, kept, more=kept.lines - before)
            rules, failure, again_at = kept.rules, kept.failure, kept.again_at
        if rules is None:
            after = again_at - now if again_at else _AGAIN
            raise Retryable(f"{shown(site)}/robots.txt: {failure}", name="robots", after=after)
        if not rules.can_fetch(url, TOKEN):
            raise Unusable(f"{shown(url)}: the site's robots.txt forbids it", name="robots")
        return _gap(rules)

    def _site(self, key: Hashable) -> _Site:
        with self._lock:
            kept = self._sites.setdefault(key, _Site())
            self._sites.move_to_end(key)
            return kept

    def _tidy(self, key: Hashable, kept: _Site, *, more: int) -> None:
        """Count ``more`` lines, and forget the sites that were not asked for longest until the rest is small enough."""
        with self._lock:
            if self._sites.get(key) is not kept:
                return
            self._total += more
            self._sites.move_to_end(key)
            while len(self._sites) > 1 and (len(self._sites) > self._hosts or self._total > self._lines):
                self._total -= self._sites.popitem(last=False)[1].lines

    def _look(self, kept: _Site, site: str, *, now: datetime, fetch: Fetch) -> None:
        """Ask the site. Without an answer the last one holds, if there ever was one (RFC 9309 section 2.4)."""
        try:
            status, content = fetch(f"{site}/robots.txt")
        except Retryable as error:
            kept.failure, kept.again_at = str(error), now + _AGAIN
            return
        except Unusable:
            # A robots.txt that no one could read forbids nothing; where the page itself is forbidden, it says so.
            status, content = 404, b""
        if status >= 500 or status == 429:  # noqa: PLR2004
            # 429 is no answer about robots either: the site is busy (RFC 6585 section 4).
            kept.failure, kept.again_at = f"the server answered {status}", now + _AGAIN
            return
        text = "\n".join(_ours(content)) if 200 <= status < 300 else ""  # noqa: PLR2004 - a success
        kept.rules, kept.lines = Protego.parse(text), text.count("\n")
        kept.failure, kept.again_at = "", now + _KEEP


def _ours(content: bytes) -> Iterator[str]:
    """Yield the lines of the groups that are about us or about everybody.

    protego's time grows with the number of names in a group times that of its rules: the names of others must not
    reach it.
    """
    naming = ours = False
    for raw in content[:PARSED].decode("utf-8-sig", errors="replace").splitlines():
        line = raw.partition("#")[0].strip()
        if found := _AGENT.match(line):
            name = found[1].lower()
            if not naming:
                ours = False
            naming = True
            if name in {"*", TOKEN}:
                ours = True
                yield f"User-agent: {name}"
        elif line and not _SITE_WIDE.match(line):
            naming = False
            if ours:
                yield line


def _gap(rules: Protego) -> timedelta:
    """Return the longer of the two gaps that a robots.txt can ask for; neither is part of RFC 9309."""
    rate = rules.request_rate(TOKEN)
    seconds = max(rules.crawl_delay(TOKEN) or 0.0, rate.seconds / rate.requests if rate else 0.0)
    return timedelta(seconds=min(seconds, _KEEP.total_seconds()))
