"""One poll of one feed for a person to look at: nothing is recorded."""

from __future__ import annotations

from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

from worker import build
from worker.channels.base import timestamp
from worker.errors import Retryable, Unusable
from worker.feeds import decisions, identity
from worker.feeds.decisions import Poll
from worker.feeds.document import Document
from worker.feeds.identity import identities
from worker.ledger import entries, feeds
from worker.live.cage import Cage
from worker.live.readers import caged
from worker.model import Entry, Feed, FeedState, KnownEntry, Reason
from worker.settings import Service, Settings
from worker.url import host, shown
from worker.web.client import LiveWeb
from worker.web.response import Response


def trial(settings: Settings, feed: Feed | str, *, state: Path, now: datetime) -> dict[str, Any]:
    """Return what one unconditional poll of a configured feed, or of an address, shows and would lead to.

    What the service's ledger knows of a configured feed is taken into account, if there is one.

    Raises:
        worker.errors.LedgerError: there is one and it cannot be used.
    """
    if isinstance(feed, str):
        feed = Feed(id="trial", url=feed, outlet=host(feed) or feed)
        past, known = FeedState(feed_id=feed.id), dict[str, KnownEntry]()
    else:
        past, known = _remembered(settings.service, state, feed)
    response, document, poll = _asked(settings, feed, past, known, now)
    return {
        "url": shown(feed.url),
        "answered_by": shown(response.url) if response else None,
        "redirects": [shown(url) for url in response.redirects] if response else [],
        "moved": response.moved if response else False,
        "status": response.status if response else None,
        "reason": poll.reason.value,
        "error": poll.state.error or "",
        "warning": document.warning if document else "",
        "title": document.title if document else "",
        "etag": poll.state.etag,
        "last_modified": poll.state.last_modified,
        "hub": poll.state.hints.hub,
        "interval_s": poll.state.interval.total_seconds(),
        "next_poll_at": timestamp(poll.next_poll_at),
        "entries": _entries(settings, document, past, known, now) if document else [],
    }


def _remembered(service: Service, state: Path, feed: Feed) -> tuple[FeedState, dict[str, KnownEntry]]:
    nothing = FeedState(feed_id=feed.id)
    if not build.ledger_exists(service, state):
        return nothing, {}
    with closing(build.open_ledger(service, state)) as ledger, ledger.read() as t:
        return feeds.states(t).get(feed.id, nothing), entries.known_of(t, feed.id)


def _asked(
    settings: Settings, feed: Feed, past: FeedState, known: dict[str, KnownEntry], now: datetime
) -> tuple[Response | None, Document | None, Poll]:
    web = LiveWeb(settings.service.network, user_agent=settings.service.user_agent)
    cage = Cage(1)
    polling = settings.service.polling
    response: Response | None = None
    try:
        headers = decisions.request_headers(feed, FeedState(feed_id=feed.id), now=now)
        response = web.get(past.address or feed.url, now=now, headers=headers, allow_private=feed.allow_private)
        document: Document = caged(cage).feed(_good(response).body, feed=feed, headers=response.headers)
    except (Retryable, Unusable) as error:
        status = response.status if response and response.status != decisions.OK else None
        answered = response.headers if response else {}
        poll = decisions.failed(
            feed,
            past,
            polling,
            error=str(error),
            reason=decisions.fault_of_error(error),
            status=status,
            headers=answered,
            now=now,
            jitter=0.0,
        )
        return response, None, poll
    finally:
        web.close()
        cage.close()
    found = identity.sort_out(document.entries, known)
    poll = decisions.succeeded(
        feed,
        past,
        polling,
        headers=response.headers,
        reason=Reason.BASELINE if past.last_success_at is None else Reason.NEW_ENTRIES,
        body_hash=None,
        url=response.url,
        moved=response.moved,
        conditional=False,
        new=found.unknown,
        known=len(found.shown),
        hints=document.hints,
        now=now,
        jitter=0.0,
    )
    return response, document, poll


def _good(response: Response) -> Response:
    if response.status != decisions.OK:
        fault = decisions.fault_of_answer(response.status, response.headers, response.body)
        raise Unusable(f"the server answered {response.status}", name=fault)
    return response


def _entries(
    settings: Settings, document: Document, past: FeedState, known: dict[str, KnownEntry], now: datetime
) -> list[dict[str, Any]]:
    """Return the entries, each with what a poll would make of it."""
    found = identity.sort_out(document.entries, known)
    edited = {change.entry.key for change in found.changed if change.again}
    unknown = {entry.key for entry in found.unknown}
    first, polling = past.last_success_at is None, settings.service.polling

    def verdict(entry: Entry) -> Reason:
        if entry.key in unknown:
            news = decisions.is_news(entry, first_poll=first, polling=polling, now=now)
            return Reason.QUEUED if news else Reason.BASELINE
        return Reason.EDITED if entry.key in edited else Reason.DUPLICATE

    return [_entry(entry, verdict(entry)) for entry in document.entries]


def _entry(entry: Entry, verdict: Reason) -> dict[str, Any]:
    return {
        "key": entry.key,
        "identities": list(identities(entry)),
        "url": entry.url,
        "title": entry.title,
        "published_at": timestamp(entry.published_at) if entry.published_at else None,
        "text_length": len(entry.text),
        "verdict": verdict.value,
    }
