"""Stage ``poll``: feeds that are due, asked for what is new."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from worker.errors import Retryable, Unusable
from worker.feeds import decisions, identity
from worker.feeds.decisions import Poll
from worker.feeds.document import Document, body_hash
from worker.feeds.identity import Sorted
from worker.feeds.waits import RETRY_MOST, retry_after
from worker.ledger import entries, feeds
from worker.ledger.engine import Transaction
from worker.ledger.entries import NewEntry
from worker.ledger.feeds import Polled
from worker.ledger.leases import MAX_ATTEMPTS, Claim
from worker.ledger.sweep import STILL_SHOWN
from worker.model import Entry, Feed, FeedState, Reason
from worker.stages import counting
from worker.stages.pipeline import UNANSWERED, Outcome, Pipeline, logged
from worker.url import canonical, shown
from worker.url import host as host_of
from worker.web.response import Response

BATCH = 20
_log = logging.getLogger("wirewatch")

#: Answers whose Retry-After speaks for the whole host.
_HOLDS = frozenset({429, 503})
#: Until a feed that is not of this configuration is due again.
_NOT_OURS = timedelta(seconds=5)

Claimed = Claim[FeedState]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A claim and what its feed has answered, before anything is recorded."""

    claim: Claimed
    #: Whether the feed's validators were sent.
    conditional: bool = False
    #: Without its body; ``None`` when no answer came.
    response: Response | None = None
    #: What the body holds, when it was parsed.
    document: Document | None = None
    body_hash: str | None = None
    #: Why there is nothing to read in the answer, or no answer; ``reason`` is set with it.
    error: str = ""
    reason: Reason = Reason.FETCH_FAILED


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a document has brought, held against what the feed has shown before."""

    #: Entries with new identities that are not old ones, whether they are read or not.
    new: tuple[Entry, ...] = ()
    #: How many of those are to be read.
    news: int = 0
    known: int = 0
    edited: int = 0
    rekeyed: int = 0


def run(p: Pipeline, *, now: datetime, limit: int = BATCH) -> list[Outcome]:
    """Poll at most ``limit`` feeds that are due and return what came of each."""
    claims, outcomes = claim(p, now=now, limit=limit)
    return [*outcomes, *record(p, [do(p, one, now=now) for one in claims], now=now)]


def claim(p: Pipeline, *, now: datetime, limit: int = BATCH) -> tuple[list[Claimed], list[Outcome]]:
    """Return at most ``limit`` feeds to be polled. Those whose publisher is to be left alone for now go back.

    So do those that this pipeline does not know: they are of another configuration, whose workers will take them.

    Raises:
        worker.stages.pipeline.Outdated: another configuration is in force; nothing was claimed.
    """
    with p.ledger.write() as t:
        p.must_be_in_force(t)
        claims = feeds.claim(t, now=now, limit=limit)
    ours = [one for one in claims if one.id in p.feeds]
    told = zip(ours, p.gates.enter_all([_host(p, one) for one in ours], now=now), strict=True)
    later = {one.mark: at for one, at in told}
    admitted = [one for one in ours if later[one.mark] is None]
    # Those that are not ours know no gate.
    waiting = [(one, at) for one in claims if (at := later.get(one.mark, now + _NOT_OURS)) is not None]
    if waiting:
        with p.ledger.write() as t:
            feeds.release(t, waiting)
        _log.debug("poll verdict=%s feeds=%d", Reason.HOST_WAITS, len(waiting))
    return admitted, []


def release(p: Pipeline, claims: Sequence[Claimed], *, now: datetime) -> None:
    """Give back what was claimed and will not be polled here; its publisher may have seen the request."""
    with p.ledger.write() as t:
        feeds.release(t, [(one, now + min(one.value.interval, p.feeds[one.id].interval)) for one in claims])


def address(feed: Feed, state: FeedState) -> str:
    """Return where a feed is polled: where it has moved to, else where it is configured."""
    return state.address or feed.url


def _host(p: Pipeline, one: Claimed) -> str:
    return host_of(address(p.feeds[one.id], one.value))


def do(p: Pipeline, one: Claimed, *, now: datetime) -> Asked:
    """Return what a feed answers. Touches the web and not the ledger, so that many may run at once."""
    feed, state = p.feeds[one.id], one.value
    answered = True
    try:
        if one.attempt > MAX_ATTEMPTS:
            error = f"{one.attempt - 1} polls in a row ended with their worker"
            return Asked(claim=one, error=error, reason=Reason.OVERRAN)
        return ask(p, feed, one, now=now)
    except (Retryable, Unusable) as error:
        answered = error.name not in UNANSWERED
        return Asked(claim=one, error=str(error), reason=decisions.fault_of_error(error))
    finally:
        p.gates.leave(host_of(address(feed, state)), now=now, answered=answered)


def ask(p: Pipeline, feed: Feed, one: Claimed, *, now: datetime) -> Asked:
    """Return what one request to a feed shows.

    Raises:
        Retryable: no answer came.
        Unusable: our own rules forbid the request or the answer.
    """
    state = one.value
    response = p.web.get(
        address(feed, state),
        now=now,
        headers=decisions.request_headers(feed, state, now=now),
        allow_private=feed.allow_private,
    )
    conditional = decisions.is_conditional(feed, state, now)
    asked = Asked(claim=one, response=replace(response, body=b""), conditional=conditional)
    if response.status == decisions.NOT_MODIFIED and conditional:
        return asked
    if response.status != decisions.OK:
        error = f"{shown(response.url)}: the server answered {response.status}"
        reason = decisions.fault_of_answer(response.status, response.headers, response.body)
        return replace(asked, error=error, reason=reason)
    found = body_hash(response.body)
    if found == state.body_hash:
        return replace(asked, body_hash=found)
    try:
        before = decisions.shown_before(state, now)
        document = p.readers.feed(response.body, feed=feed, headers=response.headers, shown=before)
    except (Retryable, Unusable) as error:
        return replace(asked, error=str(error), reason=Reason(error.name or Reason.NOT_A_FEED))
    return replace(asked, body_hash=found, document=document)


def record(p: Pipeline, asked: Sequence[Asked], *, now: datetime) -> list[Outcome]:
    """Write down what polls have taught, with their new entries, in one transaction; return what came of each."""
    with p.ledger.write() as t:
        held = feeds.held(t, [one.claim for one in asked])
        kept = [one for one in asked if one.claim.mark in held]
        settled = [_settle(t, p, one, now) for one in kept]
        rows = [_row(p, one, poll) for one, (poll, _) in zip(kept, settled, strict=True)]
        feeds.record(t, rows)
        for one, row, (poll, _) in zip(kept, rows, settled, strict=True):
            _spread_hold(t, p, one, row, now)
            counting.polled(t, poll.reason, host=row.host, now=now)
    lost = [_lost(one) for one in asked if one.claim.mark not in held]
    return [logged(outcome) for outcome in (*lost, *(outcome for _, outcome in settled))]


def _lost(one: Asked) -> Outcome:
    detail = "the lease ran out and the feed was claimed again"
    return Outcome(stage="poll", subject=one.claim.id, reason=Reason.RETRY, detail=detail)


def _row(p: Pipeline, one: Asked, poll: Poll) -> Polled:
    return Polled(
        claim=one.claim,
        state=poll.state,
        next_poll_at=poll.next_poll_at,
        host=host_of(address(p.feeds[one.claim.id], poll.state)),
        parsed=one.document is not None,
    )


def _spread_hold(t: Transaction, p: Pipeline, one: Asked, row: Polled, now: datetime) -> None:
    """Have the host's other feeds wait as long as it has asked for with this one."""
    if one.response is None or one.response.status not in _HOLDS:
        return
    after = min(retry_after(one.response.headers, now=now), RETRY_MOST)
    if after:
        for host in {row.host, host_of(one.response.url)}:
            p.gates.hold(host, until=now + after, now=now)
            feeds.hold(t, host, until=now + after)


def _settle(t: Transaction, p: Pipeline, one: Asked, now: datetime) -> tuple[Poll, Outcome]:
    feed, state = p.feeds[one.claim.id], one.claim.value
    if one.error or one.response is None:
        poll = decisions.failed(
            feed,
            state,
            p.polling,
            error=one.error,
            reason=one.reason,
            now=now,
            jitter=p.jitter(),
            status=one.response.status if one.response and one.response.status != decisions.OK else None,
            headers=one.response.headers if one.response else {},
        )
        return poll, Outcome(stage="poll", subject=feed.id, reason=poll.reason, detail=one.error)
    found = _take_in(t, p, state, one.document, now) if one.document else Found()
    poll = decisions.succeeded(
        feed,
        state,
        p.polling,
        headers=one.response.headers,
        reason=_reason(one, found),
        body_hash=one.body_hash,
        url=one.response.url,
        moved=one.response.moved,
        conditional=one.conditional,
        now=now,
        jitter=p.jitter(),
        new=found.new,
        known=found.known,
        hints=one.document.hints if one.document else None,
        cut=one.document.cut if one.document else False,
        shown=one.document.shown if one.document else None,
        whole=one.document is None or not one.document.unchanged,
    )
    poll = _merged(p, feed, poll)
    detail = poll.state.error or ("every entry is new: others may have come and gone unseen" if poll.gap else "")
    return poll, Outcome(
        stage="poll", subject=feed.id, reason=poll.reason, detail=detail, facts=_facts(one, found, poll)
    )


def _facts(one: Asked, found: Found, poll: Poll) -> dict[str, object]:
    shown_entries = len(one.document.entries) + one.document.unchanged if one.document else 0
    facts: dict[str, object] = {"entries": shown_entries, "new": found.news}
    facts |= {name: getattr(found, name) for name in ("edited", "rekeyed") if getattr(found, name)}
    return facts | ({"gap": True} if poll.gap else {})


def _reason(one: Asked, found: Found) -> Reason:
    if one.document is None:
        return Reason.UNCHANGED if one.body_hash else Reason.NOT_MODIFIED
    if one.claim.value.last_success_at is None:
        return Reason.BASELINE
    if found.news:
        return Reason.NEW_ENTRIES
    return Reason.EDITED if found.edited else Reason.REKEYED if found.rekeyed else Reason.DUPLICATE


def _merged(p: Pipeline, feed: Feed, poll: Poll) -> Poll:
    """Return the poll; one that has found its feed to have moved to where another one is stops it."""
    if poll.state.address is None:
        return poll
    target = canonical(poll.state.address)
    other = next((f for f in p.feeds.values() if f.id != feed.id and f.enabled and canonical(f.url) == target), None)
    if other is None:
        return poll
    error = f"moved for good to {shown(poll.state.address)}, which is feed {other.id}; take {feed.id} out of feeds.yaml"
    state = replace(poll.state, state="merged", outcome=Reason.MERGED, error=error)
    return replace(poll, state=state, reason=Reason.MERGED)


def _take_in(t: Transaction, p: Pipeline, state: FeedState, document: Document, now: datetime) -> Found:
    """Record what a document shows: new entries, changed ones, and old ones under new names."""
    feed_id = state.feed_id
    known = entries.known(t, feed_id, (key for e in document.entries for key in identity.identities(e)))
    sorted_out = identity.sort_out(document.entries, known)
    titles = entries.known_titles(t, feed_id, map(identity.title_key, sorted_out.unknown))
    old = identity.rekeyed(sorted_out.unknown, titles, last_seen=state.last_success_at)
    new = tuple(e for e in sorted_out.unknown if e.key not in old)
    recorded = entries.add(t, [_new(p, state, e, now) for e in new], now=now)
    names = {key: k.id for k, keys in sorted_out.shown for key in keys if key not in known}
    names |= {key: old[e.key] for e in sorted_out.unknown if e.key in old for key in identity.identities(e)}
    entries.add_aliases(t, feed_id, names)
    _remember(t, sorted_out, now)
    return Found(
        new=new,
        news=sum(_is_news(p, state, e, now) for e in recorded),
        known=len(sorted_out.shown) + len(old) + document.unchanged,
        edited=sum(change.again for change in sorted_out.changed),
        rekeyed=len(old),
    )


def _new(p: Pipeline, state: FeedState, e: Entry, now: datetime) -> NewEntry:
    return NewEntry(
        entry=e,
        title_key=identity.title_key(e),
        fingerprint=identity.fingerprint(e),
        reason=Reason.QUEUED if _is_news(p, state, e, now) else Reason.BASELINE,
    )


def _is_news(p: Pipeline, state: FeedState, e: Entry, now: datetime) -> bool:
    return decisions.is_news(e, first_poll=state.last_success_at is None, polling=p.polling, now=now)


def _remember(t: Transaction, found: Sorted, now: datetime) -> None:
    """Record what has changed of known entries, and that the feed still shows them."""
    entries.still_shown(t, [k.id for k, _ in found.shown if now - k.seen_at > STILL_SHOWN / 2], now=now)
    for change in found.changed:
        entries.change(
            t,
            change.known.id,
            change.entry,
            title_key=identity.title_key(change.entry),
            fingerprint=identity.fingerprint(change.entry),
            again=change.again,
            now=now,
        )
