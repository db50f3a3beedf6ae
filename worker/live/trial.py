"""One poll of one feed for a person to look at: nothing is recorded."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from worker.channels.base import timestamp
from worker.errors import Retryable, Unusable
from worker.feeds import decisions
from worker.feeds.document import parse
from worker.model import Entry, Feed, FeedState, Reason
from worker.settings import Settings
from worker.url import host
from worker.web.client import LiveWeb
from worker.web.response import Response


def trial(settings: Settings, feed: Feed | str, *, now: datetime) -> dict[str, Any]:
    """Return what one unconditional poll of a configured feed, or of an address, shows and would lead to."""
    if isinstance(feed, str):
        feed = Feed(id="trial", url=feed, outlet=host(feed) or feed)
    web = LiveWeb(settings.service.network, user_agent=settings.service.user_agent)
    polling, state = settings.service.polling, FeedState(feed_id=feed.id)
    entries: tuple[Entry, ...] = ()
    status, warning = None, ""
    try:
        response = web.get(feed.url, now=now, headers=decisions.request_headers(feed, state))
        status = response.status
        document = parse(_good(response).body, feed=feed, headers=response.headers)
        entries, warning = document.entries, document.warning
        poll = decisions.succeeded(
            feed, state, polling, headers=response.headers, reason=Reason.BASELINE, body_hash=None, now=now, jitter=0.0
        )
    except (Retryable, Unusable) as error:
        poll = decisions.failed(feed, state, polling, error=str(error), now=now, jitter=0.0, status=status)
    finally:
        web.close()
    return {
        "url": feed.url,
        "status": status,
        "reason": poll.reason.value,
        "error": poll.state.error or "",
        "warning": warning,
        "etag": poll.state.etag,
        "last_modified": poll.state.last_modified,
        "next_poll_at": timestamp(poll.next_poll_at),
        "entries": [_entry(entry) for entry in entries],
    }


def _good(response: Response) -> Response:
    if response.status != decisions.OK:
        raise Unusable(f"the server answered {response.status}")
    return response


def _entry(entry: Entry) -> dict[str, Any]:
    return {
        "key": entry.key,
        "url": entry.url,
        "title": entry.title,
        "published_at": timestamp(entry.published_at) if entry.published_at else None,
        "text_length": len(entry.text),
    }
