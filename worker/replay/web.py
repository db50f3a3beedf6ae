"""The recorded web: what publishers would have answered at any moment of a recording."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from math import ceil

from worker.model import Feed
from worker.replay.feeds import content_type, document
from worker.replay.pages import not_found, page
from worker.url import canonical, host
from worker.web.response import Response

#: Entries that a feed shows, as most publishers' do.
ENTRIES = 20
#: And all that were published within this span, so that none is lost when many share a time.
RECENT = timedelta(hours=1)
#: Seconds for which an answer that will never change is fresh: a year.
FRESH = 31_536_000
_OK, _NOT_MODIFIED, _NOT_FOUND = 200, 304, 404


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedArticle:
    """One article of a recording, with every gap filled."""

    id: str
    url: str
    title: str
    #: The text as recorded, one paragraph a line; empty when ``html`` holds the page itself.
    text: str
    #: The recorded page, served byte for byte.
    html: bytes | None = None
    outlet: str
    #: In UTC; invented when ``dated`` is false.
    published_at: datetime
    #: Whether the recording knows when the article was published, so that feed and page say it.
    dated: bool = True
    #: ISO 639-1 code, or ``None`` when unknown.
    language: str | None = None
    #: Names of the fields that whoever made the recording inferred.
    assumed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedDocument:
    """A feed document that was recorded itself and is served byte for byte."""

    feed: Feed
    body: bytes
    #: When it was last changed, as far as its entries tell.
    changed_at: datetime


class RecordedWeb:
    """Answers as the publishers of a recording would have, at any moment.

    Nothing is random and nothing depends on what was asked before.
    """

    def __init__(
        self,
        articles: Sequence[RecordedArticle],
        feeds: Mapping[str, Feed],
        documents: Sequence[RecordedDocument] = (),
        *,
        start: datetime,
    ) -> None:
        """Take the ``feeds`` by the name of their outlet; ``start`` is when the recording begins."""
        self._start = start
        self._pages = {canonical(article.url): article for article in articles}
        self._documents = {canonical(recorded.feed.url): recorded for recorded in documents}
        own: dict[str, list[RecordedArticle]] = {}
        for article in sorted(articles, key=lambda one: one.published_at):
            own.setdefault(article.outlet, []).append(article)
        self._feeds = {
            canonical(feed.url): _Channel(feed, "atom" if number % 2 else "rss", own.get(outlet, []))
            for number, (outlet, feed) in enumerate(feeds.items())
        }
        self._changes = sorted({article.published_at for article in articles})

    def get(
        self,
        url: str,
        *,
        now: datetime,
        headers: Mapping[str, str],
        robots: bool = False,  # noqa: ARG002 - a recording asks nobody
        allow_private: bool | tuple[str, ...] | None = None,  # noqa: ARG002 - the same
    ) -> Response:
        """Return the answer to a GET for ``url`` at ``now``: a feed, a page, 304 or 404."""
        key = canonical(url)
        if (channel := self._feeds.get(key)) is not None:
            return channel.answer(url, now=now, headers=headers, start=self._start)
        if (recorded := self._documents.get(key)) is not None:
            return _answer(url, recorded.body, kind="application/xml", changed_at=recorded.changed_at, headers=headers)
        article = self._pages.get(key)
        if article is None or now < article.published_at:
            return _missing(url)
        if article.html is not None:
            return _found(url, article.html, {"content-type": "text/html"})
        return _found(url, page(article), {"content-type": "text/html; charset=utf-8"})

    def next_change_after(self, now: datetime) -> datetime | None:
        """Return when something is next published; ``None`` when nothing more will be."""
        later = bisect_right(self._changes, now)
        return self._changes[later] if later < len(self._changes) else None

    def last_change(self, feed_url: str) -> datetime | None:
        """Return when the feed changes for the last time; ``None`` for one that never changes or is not known."""
        channel = self._feeds.get(canonical(feed_url))
        return channel.times[-1] if channel is not None and channel.times else None


class _Channel:
    """The feed of one outlet."""

    def __init__(self, feed: Feed, kind: str, articles: list[RecordedArticle]) -> None:
        self._feed = feed
        self._kind = kind
        self._articles = articles
        self.times = [article.published_at for article in articles]

    def answer(self, url: str, *, now: datetime, headers: Mapping[str, str], start: datetime) -> Response:
        count = bisect_right(self.times, now)
        changed_at = self.times[count - 1] if count else min(start, now)
        # Counted back from the change and not from now, so that the document stays the same between two changes.
        since = min(count - ENTRIES, bisect_right(self.times, changed_at - RECENT)) if count else 0
        body = document(
            self._articles[max(since, 0) : count][::-1],
            kind=self._kind,
            outlet=self._feed.outlet,
            url=self._feed.url,
            language=self._feed.language,
            changed_at=changed_at,
        )
        fresh = ceil((self.times[count] - now).total_seconds()) if count < len(self.times) else FRESH
        return _answer(url, body, kind=content_type(self._kind), changed_at=changed_at, headers=headers, fresh_s=fresh)


def _answer(
    url: str,
    body: bytes,
    *,
    kind: str,
    changed_at: datetime,
    headers: Mapping[str, str],
    fresh_s: int = FRESH,
) -> Response:
    etag = f'"{hashlib.sha256(body).hexdigest()[:24]}"'
    own = {
        "content-type": kind,
        "etag": etag,
        "last-modified": format_datetime(changed_at.astimezone(UTC), usegmt=True),
        "cache-control": f"max-age={fresh_s}",
    }
    if _unchanged(headers, etag=etag, changed_at=changed_at):
        return Response(status=_NOT_MODIFIED, url=url, headers=own)
    return _found(url, body, own)


def _unchanged(headers: Mapping[str, str], *, etag: str, changed_at: datetime) -> bool:
    # RFC 9110 section 13.2.2: If-Modified-Since counts only without If-None-Match; tags compare weakly.
    asked = {name.lower(): value for name, value in headers.items()}
    if (tags := asked.get("if-none-match")) is not None:
        known = {tag.strip().removeprefix("W/") for tag in tags.split(",")}
        return etag in known or "*" in known
    try:
        since = parsedate_to_datetime(asked.get("if-modified-since", ""))
    except (TypeError, ValueError):
        return False
    return since.tzinfo is not None and changed_at.replace(microsecond=0) <= since


def _found(url: str, body: bytes, headers: Mapping[str, str]) -> Response:
    return Response(status=_OK, url=url, headers={**headers, "content-length": str(len(body))}, body=body)


def _missing(url: str) -> Response:
    body = not_found(host(url))
    return Response(
        status=_NOT_FOUND,
        url=url,
        headers={"content-type": "text/html; charset=utf-8", "content-length": str(len(body))},
        body=body,
    )
