"""A recording: material that was kept, as the web it once was part of.

PATH may be a directory with a manifest, a directory of plain texts and pages, one text or page, a feed document, or a
file with one JSON object a line. What the material does not say is filled in the same way every time, and said.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from worker.articles import language_of
from worker.errors import ConfigError, Problem
from worker.model import Feed
from worker.replay.found import Findings, FoundArticle, FoundFeed
from worker.replay.slugs import free, slug
from worker.replay.sources import headline, read_path
from worker.replay.web import RecordedArticle, RecordedDocument, RecordedWeb
from worker.url import canonical, host

#: When a recording without any date begins to be published.
UNDATED_START = datetime(2026, 1, 1, tzinfo=UTC)
#: Articles without a date follow each other, and the last dated one, at this distance.
UNDATED_STEP = timedelta(minutes=1)
#: How often a recorded feed is polled.
INTERVAL = timedelta(minutes=10)
#: A recording starts this long before its first article, so that its feeds are first polled while still empty, and the
#: second poll comes at the very moment of the first article.
LEAD = INTERVAL
#: Name of the outlet of articles that name neither outlet nor URL.
OUTLET = "Recorded"
#: Characters; the feeds and pages of longer ones are not asked for.
URL_MAX = 2048
_URL = re.compile(r"https?://[^\s/?#@\x00-\x1f]+(?:[/?#][^\s\x00-\x1f]*)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """Recorded material with every gap filled."""

    #: In order of publication.
    articles: tuple[RecordedArticle, ...]
    #: One for each outlet, and one for each recorded feed document.
    feeds: tuple[Feed, ...]
    documents: tuple[RecordedDocument, ...]
    #: One interval of its feed before the first article; for feed documents alone, the time of their newest entry.
    start: datetime
    #: When the last article is published.
    end: datetime
    #: Files that were left out, and why.
    skipped: tuple[Problem, ...] = ()
    #: What was read otherwise than it was given.
    notes: tuple[Problem, ...] = ()

    def web(self) -> RecordedWeb:
        """Return the web that publishes this recording."""
        verbatim = {recorded.feed.id for recorded in self.documents}
        feeds = {feed.outlet: feed for feed in self.feeds if feed.id not in verbatim}
        return RecordedWeb(self.articles, feeds, self.documents, start=self.start)


def load(path: Path) -> Recording:
    """Return the recording at ``path``: equal for equal files.

    Raises:
        worker.errors.ConfigError: something in it cannot be used; all that was found is in ``problems``.
    """
    found = read_path(path)
    _check(found)
    if not (found.problems or found.articles or found.feeds):
        found.wrong(str(path), "holds nothing to replay")
    if found.problems:
        raise ConfigError(*found.problems)
    articles = _complete(found)
    feeds = _feeds(articles)
    documents = _documents(found.feeds, articles, feeds)
    start, end = _span(articles, documents)
    return Recording(
        articles=articles,
        feeds=(*feeds, *(recorded.feed for recorded in documents)),
        documents=documents,
        start=start,
        end=end,
        skipped=tuple(found.skipped),
        notes=tuple(found.notes),
    )


def _check(found: Findings) -> None:
    seen: dict[str, FoundArticle] = {}
    for article in found.articles:
        if len(article.url) > URL_MAX:
            found.wrong(article.file, f"url: is longer than {URL_MAX} characters", line=article.line)
        if article.url and not _is_url(article.url):
            found.wrong(article.file, f"url: {article.url[:100]} is not an http or https URL", line=article.line)
        if (first := seen.get(article.id)) is not None:
            where = f"line {first.line}" if first.file == article.file else f"{first.file}:{first.line}"
            found.wrong(article.file, f"id: {article.id} is the id of another article too ({where})", line=article.line)
        seen.setdefault(article.id, article)


def _is_url(url: str) -> bool:
    try:
        # Reading the port is what finds a host that is none, such as "[::" or "news:x".
        return _URL.fullmatch(url) is not None and urlsplit(url).port != 0
    except ValueError:
        return False


def _complete(found: Findings) -> tuple[RecordedArticle, ...]:
    times = _times(found.articles)
    taken: set[str] = set()
    articles = []
    for article, moment in zip(found.articles, times, strict=True):
        outlet = article.outlet or host(article.url) or OUTLET
        url = _unique_url(article, outlet, taken, found)
        taken.add(canonical(url))
        articles.append(
            RecordedArticle(
                id=article.id,
                url=url,
                title=article.title or headline(article.text),
                text=article.text,
                html=article.html,
                outlet=outlet,
                published_at=moment,
                dated=article.published_at is not None,
                language=_language(article, found),
                assumed=article.assumed,
            )
        )
    undated = sum(not article.dated for article in articles)
    if undated:
        found.note(
            found.articles[0].file,
            f"{undated} of {len(articles)} articles have no date; they are published one minute apart from "
            f"{min(a.published_at for a in articles if not a.dated):%Y-%m-%dT%H:%M:%SZ}",
        )
    return tuple(sorted(articles, key=lambda article: article.published_at))


def _times(articles: Iterable[FoundArticle]) -> list[datetime]:
    articles = list(articles)
    latest = max((article.published_at for article in articles if article.published_at is not None), default=None)
    following = latest + UNDATED_STEP if latest is not None else UNDATED_START
    times = []
    for article in articles:
        if article.published_at is not None:
            times.append(article.published_at)
        else:
            times.append(following)
            following += UNDATED_STEP
    return times


def _unique_url(article: FoundArticle, outlet: str, taken: set[str], found: Findings) -> str:
    url = article.url or f"https://{slug(outlet)}.example/{slug(article.id)}"
    if canonical(url) not in taken:
        return url
    # Two articles at one address cannot both be read there, and neither may be lost.
    parts = urlsplit(url)
    query = f"{parts.query}&" if parts.query else ""
    name, number = slug(article.id), 1
    candidate = parts._replace(query=f"{query}recorded={name}").geturl()
    while canonical(candidate) in taken:
        number += 1
        candidate = parts._replace(query=f"{query}recorded={name}-{number}").geturl()
    if article.url:
        found.note(
            article.file, f"another article has the URL {url} too; this one is read at {candidate}", line=article.line
        )
    return candidate


def _language(article: FoundArticle, found: Findings) -> str | None:
    if not article.language:
        return None
    code = language_of(article.language)
    if code is None:
        found.note(
            article.file, f"language: {article.language[:40]} is no two-letter code and is left out", line=article.line
        )
    return code


def _feeds(articles: Sequence[RecordedArticle]) -> tuple[Feed, ...]:
    outlets: dict[str, list[RecordedArticle]] = {}
    for article in articles:
        outlets.setdefault(article.outlet, []).append(article)
    taken = {canonical(article.url) for article in articles}
    feeds: dict[str, Feed] = {}
    for outlet, own in outlets.items():
        name = free(slug(outlet), feeds)
        url = _feed_url(own[0].url, name, taken)
        languages = {article.language for article in own}
        feeds[name] = Feed(
            id=name,
            url=url,
            outlet=outlet,
            interval=INTERVAL,
            language=languages.pop() if len(languages) == 1 else None,
        )
        taken.add(canonical(url))
    return tuple(feeds.values())


def _feed_url(article_url: str, name: str, taken: set[str]) -> str:
    parts = urlsplit(article_url)
    path, number = "/feed.xml", 1
    while canonical(url := parts._replace(path=path, query="", fragment="").geturl()) in taken:
        path = f"/{name}/feed.xml" if number == 1 else f"/{name}/feed-{number}.xml"
        number += 1
    return url


def _documents(
    found: Sequence[FoundFeed], articles: Sequence[RecordedArticle], feeds: Sequence[Feed]
) -> tuple[RecordedDocument, ...]:
    ids = {feed.id for feed in feeds}
    taken = {canonical(article.url) for article in articles} | {canonical(feed.url) for feed in feeds}
    documents = []
    for feed in found:
        name = free(slug(feed.name), ids)
        ids.add(name)
        url = _feed_url(f"https://{name}.example/", name, taken)
        taken.add(canonical(url))
        # No pages were recorded with the document, so its own text is all there is.
        one = Feed(id=name, url=url, outlet=feed.title or feed.name, interval=INTERVAL, full_text=True)
        documents.append(RecordedDocument(feed=one, body=feed.body, changed_at=feed.changed_at or UNDATED_START))
    return tuple(documents)


def _span(articles: Sequence[RecordedArticle], documents: Sequence[RecordedDocument]) -> tuple[datetime, datetime]:
    newest = max((recorded.changed_at for recorded in documents), default=None)
    if not articles:
        moment = newest or UNDATED_START
        return moment, moment
    start, end = articles[0].published_at - LEAD, articles[-1].published_at
    return start, end if newest is None else max(end, newest)
