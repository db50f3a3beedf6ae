"""What to ask of a feed, what an answer means, and when to ask again."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

from worker.feeds.polling import Polling
from worker.model import Entry, Feed, FeedState, Reason

OK, NOT_MODIFIED, GONE, TOO_MANY, UNAVAILABLE = 200, 304, 410, 429, 503
#: A failing feed is given up, visibly, after this weight of failures in a row (mediacloud/rss-fetcher raised it
#: from 4 to 30 in production).
_GIVE_UP = 30.0
#: Weights of failures, by how likely it is that a person must act (the same source).
_HARD, _SOFT = 1.0, 0.5
_MAX_AGE = re.compile(r"(?:^|,)\s*max-age\s*=\s*\"?(\d{1,10})", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Poll:
    """What one poll has taught: the state to keep, when to poll again, and the reason."""

    state: FeedState
    next_poll_at: datetime
    reason: Reason


def request_headers(feed: Feed, state: FeedState) -> dict[str, str]:
    """Return the headers to ask for a feed with; the validators go back byte for byte (RFC 9110 section 13.1)."""
    headers = {"accept": "application/rss+xml, application/atom+xml, application/xml;q=0.9, */*;q=0.5"}
    if feed.conditional and state.etag:
        headers["if-none-match"] = state.etag
    if feed.conditional and state.last_modified:
        headers["if-modified-since"] = state.last_modified
    return headers | dict(feed.headers)


def succeeded(
    feed: Feed,
    state: FeedState,
    polling: Polling,
    *,
    headers: Mapping[str, str],
    reason: Reason,
    body_hash: str | None,
    now: datetime,
    jitter: float,
) -> Poll:
    """Return what a good answer (200 or 304) has taught.

    The validators are those of this answer: a 200 without any drops the old ones, a 304 without any keeps them.
    ``jitter`` is a random number in 0..1.
    """
    kept = state if reason is Reason.NOT_MODIFIED else replace(state, etag=None, last_modified=None)
    due = _next(feed, polling, headers, now=now, jitter=jitter)
    return Poll(
        state=replace(
            kept,
            state="ok",
            outcome=reason,
            error=None,
            etag=headers.get("etag") or kept.etag,
            last_modified=headers.get("last-modified") or kept.last_modified,
            body_hash=body_hash or state.body_hash,
            failures=0.0,
            polled_at=now,
            last_success_at=now,
            interval=due - now,
        ),
        next_poll_at=due,
        reason=reason,
    )


def failed(
    feed: Feed,
    state: FeedState,
    polling: Polling,
    *,
    error: str,
    now: datetime,
    jitter: float,
    status: int | None = None,
    headers: Mapping[str, str] | None = None,
    reason: Reason = Reason.FETCH_FAILED,
) -> Poll:
    """Return what a failed poll has taught: wait longer with every failure in a row, at least as long as asked.

    A 410 stops the feed (RFC 9110 section 15.5.11), and so do failures of a weight of 30; both stay visible. The
    validators are kept, so that the next good answer may still be a 304.
    """
    failures = state.failures + (_HARD if status is None or (400 <= status < 500 and status != TOO_MANY) else _SOFT)  # noqa: PLR2004 - RFC 9110 section 15.5
    name, why = "failing", reason
    if status == GONE:
        name, why = "gone", Reason.GONE
    elif failures >= _GIVE_UP:
        name = "disabled"
    wait = min(max(feed.interval, polling.min_interval) * max(failures, 1.0), polling.max_interval)
    wait = max(wait, min(retry_after(headers or {}, now=now), polling.max_interval))
    due = now + wait * (1 + 0.1 * jitter)
    return Poll(
        state=replace(
            state, state=name, outcome=why, error=error, failures=failures, polled_at=now, interval=due - now
        ),
        next_poll_at=due,
        reason=why,
    )


def _next(feed: Feed, polling: Polling, headers: Mapping[str, str], *, now: datetime, jitter: float) -> datetime:
    # Never sooner than the publisher says its answer is fresh (RFC 9111 section 5.2.2.1), up to max_interval;
    # the jitter only ever adds, so that no publisher sees us early.
    own = max(feed.interval, polling.min_interval)
    fresh = timedelta(seconds=_max_age(headers))
    wait = max(own * (1 + 0.1 * jitter), min(fresh, polling.max_interval))
    return now + wait


def _max_age(headers: Mapping[str, str]) -> int:
    found = _MAX_AGE.search(headers.get("cache-control", ""))
    return int(found.group(1)) if found else 0


def retry_after(headers: Mapping[str, str], *, now: datetime) -> timedelta:
    """Return how long the answer asks to be left alone.

    Source: Retry-After in seconds or as a date, RFC 9110 section 10.2.3.
    """
    value = headers.get("retry-after", "").strip()
    if value.isdigit():
        return timedelta(seconds=min(int(value), 10**9))
    try:
        until = parsedate_to_datetime(value)
    except (TypeError, ValueError):
        return timedelta(0)
    return max(until - now, timedelta(0)) if until.tzinfo else timedelta(0)


def is_news(entry: Entry, *, first_poll: bool, polling: Polling, now: datetime) -> bool:
    """Return whether an entry that was not known is to be read.

    Only a feed's first good poll asks: what it holds then is its past, unless the configuration says otherwise.
    """
    if not first_poll or polling.first_poll == "all":
        return True
    if isinstance(polling.first_poll, timedelta):
        return entry.published_at is not None and entry.published_at >= now - polling.first_poll
    return False
