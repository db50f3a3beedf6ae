"""Stage ``poll``: feeds that are due, asked for what is new."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from worker.errors import Retryable, Unusable
from worker.feeds import decisions
from worker.feeds.decisions import Poll
from worker.feeds.document import body_hash, parse
from worker.ledger import entries, feeds
from worker.ledger.engine import Transaction
from worker.ledger.leases import MAX_ATTEMPTS, Claim, LeaseLost
from worker.model import Entry, Feed, FeedState, Reason
from worker.stages.pipeline import Outcome, Pipeline, logged
from worker.web.response import Response

BATCH = 20


def run(p: Pipeline, *, now: datetime, limit: int = BATCH) -> list[Outcome]:
    """Poll at most ``limit`` feeds that are due and return what came of each."""
    with p.ledger.write() as t:
        claims = feeds.claim(t, now=now, limit=limit)
    return [logged(_poll(p, claim, now)) for claim in claims]


def _poll(p: Pipeline, claim: Claim[FeedState], now: datetime) -> Outcome:
    feed, state = p.feeds[claim.id], claim.value
    found: Sequence[Entry] = ()
    if claim.attempt > MAX_ATTEMPTS:
        poll = _failed(p, feed, state, now, error=f"{claim.attempt - 1} polls in a row ended with their worker")
    else:
        poll, found = ask(p, feed, state, now)
    try:
        with p.ledger.write() as t:
            new = _record(t, p, claim, poll, found=found, now=now)
    except LeaseLost as lost:
        return Outcome(stage="poll", subject=feed.id, reason=Reason.RETRY, detail=str(lost))
    return Outcome(
        stage="poll",
        subject=feed.id,
        reason=poll.reason if poll.reason is not Reason.NEW_ENTRIES or new else Reason.DUPLICATE,
        detail=poll.state.error or "",
        facts={"entries": len(found), "new": new},
    )


def ask(p: Pipeline, feed: Feed, state: FeedState, now: datetime) -> tuple[Poll, Sequence[Entry]]:
    """Return what one request to a feed teaches and the entries it shows, without recording anything."""
    try:
        response = p.web.get(feed.url, now=now, headers=decisions.request_headers(feed, state))
    except (Retryable, Unusable) as error:
        return _failed(p, feed, state, now, error=str(error)), ()
    if response.status == decisions.NOT_MODIFIED:
        return _succeeded(p, feed, state, now, response=response, reason=Reason.NOT_MODIFIED), ()
    if response.status != decisions.OK:
        error_text = f"{feed.url}: the server answered {response.status}"
        return (
            _failed(p, feed, state, now, error=error_text, status=response.status, headers=response.headers),
            (),
        )
    if body_hash(response.body) == state.body_hash:
        return _succeeded(p, feed, state, now, response=response, reason=Reason.UNCHANGED), ()
    try:
        document = parse(response.body, feed=feed, headers=response.headers)
    except Unusable as error:
        return _failed(p, feed, state, now, error=str(error), status=response.status, reason=Reason.NOT_A_FEED), ()
    reason = Reason.BASELINE if state.last_success_at is None else Reason.NEW_ENTRIES
    return _succeeded(p, feed, state, now, response=response, reason=reason), document.entries


def _succeeded(p: Pipeline, feed: Feed, state: FeedState, now: datetime, *, response: Response, reason: Reason) -> Poll:
    return decisions.succeeded(
        feed,
        state,
        p.polling,
        headers=response.headers,
        reason=reason,
        body_hash=body_hash(response.body) if reason is not Reason.NOT_MODIFIED else None,
        now=now,
        jitter=p.jitter(),
    )


def _failed(
    p: Pipeline,
    feed: Feed,
    state: FeedState,
    now: datetime,
    *,
    error: str,
    status: int | None = None,
    headers: Mapping[str, str] | None = None,
    reason: Reason = Reason.FETCH_FAILED,
) -> Poll:
    return decisions.failed(
        feed,
        state,
        p.polling,
        error=error,
        now=now,
        jitter=p.jitter(),
        status=status,
        headers=headers,
        reason=reason,
    )


def _record(
    t: Transaction, p: Pipeline, claim: Claim[FeedState], poll: Poll, *, found: Sequence[Entry], now: datetime
) -> int:
    """Write the feed's state and its new entries together, and return how many are to be read."""
    feeds.record(t, claim, poll.state, next_poll_at=poll.next_poll_at)
    first = claim.value.last_success_at is None
    news: list[Entry] = []
    past: list[Entry] = []
    for entry in found:
        is_news = decisions.is_news(entry, first_poll=first, polling=p.polling, now=now)
        (news if is_news else past).append(entry)
    entries.add(t, past, now=now, reason=Reason.BASELINE)
    return len(entries.add(t, news, now=now, reason=Reason.QUEUED))
