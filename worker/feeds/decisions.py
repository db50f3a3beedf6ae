"""What to ask of a feed, what an answer means, and when to ask again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from worker.errors import Retryable, Unusable
from worker.feeds import rhythm
from worker.feeds.polling import Polling
from worker.feeds.waits import RETRY_MOST, after_skipped, fresh_for, hinted, retry_after
from worker.model import Entry, Feed, FeedState, Hints, Reason

__all__ = [
    "Poll",
    "challenge",
    "failed",
    "fault_of_answer",
    "fault_of_error",
    "is_conditional",
    "is_news",
    "request_headers",
    "retry_after",
    "succeeded",
    "wait_after",
]

OK, NOT_MODIFIED, NOT_FOUND, GONE, TOO_MANY = 200, 304, 404, 410, 429
_VALIDATORS = frozenset({"etag", "last-modified"})
#: Feeds that were moved there for good are polled at their new address; the media types are those of RSS, Atom
#: (RFC 4287 section 7), RDF and JSON Feed (https://www.jsonfeed.org/version/1.1/).
_ACCEPT = (
    "application/rss+xml, application/atom+xml, application/rdf+xml, application/feed+json, "
    "application/xml;q=0.9, text/xml;q=0.9, application/json;q=0.8, */*;q=0.5"
)
#: A feed is asked without validators once in this span, in case they hide what is new; more often would cost
#: publishers what validators save them (https://rachelbythebay.com/fs/help.html).
FULL_EVERY = timedelta(hours=24)
#: What ``FeedState.validators`` says of validators that have hidden entries: once, or beyond doubt.
DOUBTFUL, BROKEN = "doubtful", "broken"
#: Jitter adds at most this share of a wait and never takes away, so that no publisher sees us early.
JITTER = 0.1

#: A failing feed is given up, visibly, after this weight of failures in a row (mediacloud/rss-fetcher raised it
#: from 4 to 30 in production).
GIVE_UP = 30.0
#: Weights of failures, by how likely it is that a person must act (the same source).
_HARD, _SOFT, _DNS = 1.0, 0.5, 0.25
_HARD_REASONS = frozenset(
    {Reason.CHALLENGED, Reason.FORBIDDEN, Reason.GONE, Reason.NOT_A_FEED, Reason.OVERRAN, Reason.TOO_LARGE}
)
#: 4xx that pass by themselves: not found (yet), too slow, too early, too many.
_SOFT_STATUSES = frozenset({NOT_FOUND, 408, 425, TOO_MANY})
_BACK_OFF_MOST = timedelta(hours=24)

#: Answers that may be a page for a browser or a person, and the words by which such a page is known.
_CHALLENGE_STATUSES = frozenset({401, 403, 503})
_CHALLENGE_WORDS = (
    "just a moment",
    "checking your browser",
    "attention required! | cloudflare",
    "challenge-platform",
    "captcha",
)
_CHALLENGE_BYTES = 20_000

#: Until a document is parsed as a whole although little of it has changed.
_WHOLE_EVERY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Poll:
    """What one poll has taught: the state to keep, when to poll again, and the reason."""

    state: FeedState
    next_poll_at: datetime
    reason: Reason
    #: The poll showed entries and not one that was known: others may have come and gone since the poll before.
    gap: bool = False


def is_conditional(feed: Feed, state: FeedState, now: datetime) -> bool:
    """Return whether the feed is asked for only what has changed: whether validators are sent.

    They are not when there are none, when the feed is configured without, when they have hidden entries, and once in
    ``FULL_EVERY``. A state that does not know when that was last begins its day with its next good answer.
    """
    if not feed.conditional or state.validators == BROKEN or not (state.etag or state.last_modified):
        return False
    return state.full_at is None or now - state.full_at < FULL_EVERY


def request_headers(feed: Feed, state: FeedState, *, now: datetime) -> dict[str, str]:
    """Return the headers to ask for a feed with, names in lower case.

    The validators go back byte for byte (RFC 9110 section 13.1), if ``is_conditional``.
    """
    headers = {"accept": _ACCEPT}
    if is_conditional(feed, state, now):
        if state.etag:
            headers["if-none-match"] = state.etag
        if state.last_modified:
            headers["if-modified-since"] = state.last_modified
    return headers | {name.lower(): value for name, value in feed.headers.items()}


def shown_before(state: FeedState, now: datetime) -> bytes:
    """Return what the last document of a feed showed, for the next to be held against.

    It is empty once a day, when the document is to be parsed as a whole: then the ledger learns that its entries are
    still shown, and a mistake of ours would not last.
    """
    return state.shown if state.whole_at is not None and now - state.whole_at < _WHOLE_EVERY else b""


def succeeded(
    feed: Feed,
    state: FeedState,
    polling: Polling,
    *,
    headers: Mapping[str, str],
    reason: Reason,
    body_hash: str | None,
    url: str,
    moved: bool,
    conditional: bool,
    now: datetime,
    jitter: float,
    new: Sequence[Entry] = (),
    known: int = 0,
    hints: Hints | None = None,
    cut: bool = False,
    shown: bytes | None = None,
    whole: bool = True,
) -> Poll:
    """Return what a good answer has taught: a 304, an unchanged 200 or a 200 that was parsed.

    The validators are those of this answer: a 200 without any drops the old ones, a 304 without any keeps them.
    ``url``, ``moved`` and ``headers`` are those of the answer; ``body_hash`` is ``None`` for a 304; ``conditional`` is
    what ``is_conditional`` said of the request. ``new`` are the entries that the feed had not shown before, ``known``
    counts the others, and ``hints`` are the document's (``None``, when none was parsed, keeps those of the last one).
    ``cut`` says that the document's end was missing: its validators and its hash would hide what stood there, so the
    old ones stay. ``shown`` is what is to be remembered of the document (``None``, when none was parsed, keeps what is
    known), and ``whole`` whether all of it was parsed. ``jitter`` is a random number in 0..1.
    """
    if cut:
        headers, body_hash = {name: headers[name] for name in headers if name not in _VALIDATORS}, None
    kept = state if cut or reason is Reason.NOT_MODIFIED else replace(state, etag=None, last_modified=None)
    hints = state.hints if hints is None else hints
    gap = bool(new) and not known and rhythm.has_shown(state.rhythm)
    learned = rhythm.learn(
        state.rhythm,
        new=len(new),
        shown=bool(new or known),
        now=now,
        polled_at=_since(feed, state, now),
        base=feed.interval,
    )
    fresh = _fresh(state, headers, reason=reason, now=now)
    wait = wait_after(feed, polling, learned, fresh=fresh, hints=hints, gap=gap, now=now, jitter=jitter)
    changed = body_hash is not None and state.body_hash is not None and body_hash != state.body_hash
    full = not conditional and reason is not Reason.NOT_MODIFIED and not cut
    good = replace(
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
        interval=wait,
        full_at=now if full or state.full_at is None else state.full_at,
        validators=_trust(feed, state, headers, full=full, changed=changed, new=new),
        gaps=state.gaps + gap,
        hints=hints,
        max_age=fresh,
        rhythm=learned,
        shown=state.shown if shown is None else shown,
        whole_at=now if shown is not None and whole else state.whole_at,
    )
    return Poll(
        state=replace(good, **_moved(feed, state, polling, url=url, moved=moved)),
        next_poll_at=now + wait,
        reason=reason,
        gap=gap,
    )


def _fresh(state: FeedState, headers: Mapping[str, str], *, reason: Reason, now: datetime) -> timedelta:
    """Return how long an answer stays fresh; a 304 that does not say repeats what the answer before it said."""
    silent = reason is Reason.NOT_MODIFIED and not {"cache-control", "expires"} & headers.keys()
    return state.max_age if silent else fresh_for(headers, now=now)


def _since(feed: Feed, state: FeedState, now: datetime) -> datetime | None:
    """Return since when the entries of a poll can have come; ``None`` when it is so late that some may be gone."""
    if state.last_success_at is None or now - state.last_success_at > 2 * max(state.interval, feed.interval):
        return None
    return state.last_success_at


def _trust(
    feed: Feed, state: FeedState, headers: Mapping[str, str], *, full: bool, changed: bool, new: Sequence[Entry]
) -> str:
    """Return what is to be thought of the feed's validators: nothing, ``DOUBTFUL`` or ``BROKEN``.

    They are broken when a document has changed and they have not, and when for the second time entries turn up that
    were published before the poll before, which was answered "not modified". A full answer without either clears them.
    """
    if not feed.conditional or state.validators == BROKEN:
        return state.validators
    if full and changed and _same_validator(state, headers, new):
        return BROKEN
    if any(_was_hidden(feed, state, entry) for entry in new):
        return BROKEN if state.validators == DOUBTFUL else DOUBTFUL
    return "" if full else state.validators


def _same_validator(state: FeedState, headers: Mapping[str, str], new: Sequence[Entry]) -> bool:
    if state.etag:
        # A weak one may stay the same while bytes change that do not matter (RFC 9110 section 8.8.1).
        return headers.get("etag") == state.etag and bool(new or not state.etag.startswith("W/"))
    return bool(state.last_modified) and "etag" not in headers and headers.get("last-modified") == state.last_modified


def _was_hidden(feed: Feed, state: FeedState, entry: Entry) -> bool:
    # What is dated before the last full answer, which did not show it, was dated back by its publisher; and what is
    # dated less than an interval before the 304 may just have been on its way through the publisher's caches.
    if state.outcome is not Reason.NOT_MODIFIED or not (entry.published_at and state.polled_at and state.full_at):
        return False
    return state.full_at < entry.published_at < state.polled_at - feed.interval


def _moved(feed: Feed, state: FeedState, polling: Polling, *, url: str, moved: bool) -> dict[str, Any]:
    """Return the changes to the state that follow from where a good answer came from.

    An address is believed after ``permanent_after`` polls in a row that were redirected to it by permanent redirects
    alone (RFC 9110 sections 15.4.2 and 15.4.9); a publisher's mistake of an hour is no move.
    """
    if not moved or url == (state.address or feed.url):
        return {"moved_to": None, "moved_count": 0}
    count = state.moved_count + 1 if url == state.moved_to else 1
    if count < polling.permanent_after:
        return {"moved_to": url, "moved_count": count}
    return {"moved_to": None, "moved_count": 0, "address": None if url == feed.url else url}


def failed(
    feed: Feed,
    state: FeedState,
    polling: Polling,
    *,
    error: str,
    reason: Reason,
    now: datetime,
    jitter: float,
    status: int | None = None,
    headers: Mapping[str, str] | None = None,
) -> Poll:
    """Return what a failed poll has taught: wait longer with every failure in a row, at least as long as asked.

    ``reason`` is what ``fault_of_answer`` or ``fault_of_error`` says, or the parser. A 410 stops the feed (RFC 9110
    section 15.5.11), and so do failures of a weight of ``GIVE_UP``; both stay visible. A feed that has moved and fails
    at its new address for good is asked again at the configured one instead. The validators are kept, so that the next
    good answer may still be a 304.
    """
    weight = _weight(reason, status)
    failures = state.failures + weight
    wait = _back_off(feed, polling, state, failures, reason=reason, now=now) * (1 + JITTER * jitter)
    asked = min(retry_after(headers or {}, now=now), RETRY_MOST) * (1 + JITTER * jitter)
    wait = max(min(wait, polling.max_interval), asked)
    returns = state.address is not None and (weight >= _HARD or status in {NOT_FOUND, GONE})
    kept = _back_at_configured(state) if returns else state
    return Poll(
        state=replace(
            kept,
            state="failing" if returns else _after_failure(status, failures),
            outcome=reason,
            error=error,
            failures=failures,
            polled_at=now,
            interval=wait,
        ),
        next_poll_at=now + wait,
        reason=reason,
    )


def _weight(reason: Reason, status: int | None) -> float:
    if reason is Reason.DNS_FAILED:
        return _DNS
    hard = status is not None and 400 <= status < 500 and status not in _SOFT_STATUSES  # noqa: PLR2004 - client errors
    return _HARD if hard or reason in _HARD_REASONS else _SOFT


def _after_failure(status: int | None, failures: float) -> str:
    if status == GONE:
        return "gone"
    return "disabled" if failures >= GIVE_UP else "failing"


def _back_off(
    feed: Feed, polling: Polling, state: FeedState, failures: float, *, reason: Reason, now: datetime
) -> timedelta:
    # An answer that says "too many" grows the wait from the first time on: the usual one was too short. And no failure
    # brings the next poll sooner than a success would have done.
    times = 1 + failures if reason is Reason.RATE_LIMITED else max(failures, 1.0)
    wait = max(_clamped(feed.interval, polling) * times, _own(feed, polling, state.rhythm, now))
    return min(wait, _BACK_OFF_MOST, polling.max_interval)


def _back_at_configured(state: FeedState) -> FeedState:
    # The validators are those of another address.
    return replace(
        state, address=None, moved_to=None, moved_count=0, etag=None, last_modified=None, body_hash=None, full_at=None
    )


def wait_after(
    feed: Feed,
    polling: Polling,
    learned: Mapping[str, Any],
    *,
    fresh: timedelta,
    hints: Hints,
    gap: bool,
    now: datetime,
    jitter: float,
) -> timedelta:
    """Return how long to wait after a good answer, which stays ``fresh`` for so long.

    Never less than ``min_interval`` or than the publisher asks for, never more than ``max_interval``; the jitter, a
    random number in 0..1, only ever adds. After a gap it is half of what the rhythm says.
    """
    own = _own(feed, polling, learned, now)
    if gap and polling.adaptive:
        own = max(own / 2, polling.min_interval)
    wait = max(own, fresh, hinted(hints))
    wait = min(wait * (1 + JITTER * jitter), polling.max_interval)
    due = now + wait
    open_at = after_skipped(hints, due)
    if open_at == due:
        return wait
    return min(open_at - now + own * (JITTER * jitter), polling.max_interval)


def _own(feed: Feed, polling: Polling, learned: Mapping[str, Any], now: datetime) -> timedelta:
    if not polling.adaptive:
        return _clamped(feed.interval, polling)
    return _clamped(rhythm.interval(learned, base=feed.interval, now=now), polling)


def _clamped(interval: timedelta, polling: Polling) -> timedelta:
    return min(max(interval, polling.min_interval), polling.max_interval)


def fault_of_answer(status: int, headers: Mapping[str, str], body: bytes) -> Reason:
    """Return what is wrong with an answer whose status is neither 200 nor (to a conditional request) 304."""
    if challenge(headers, status, body):
        return Reason.CHALLENGED
    return {GONE: Reason.GONE, TOO_MANY: Reason.RATE_LIMITED}.get(status, Reason.HTTP_ERROR)


def fault_of_error(error: Retryable | Unusable) -> Reason:
    """Return what was wrong when no answer came."""
    return Reason(error.name) if error.name else Reason.FETCH_FAILED


def challenge(headers: Mapping[str, str], status: int, body: bytes) -> bool:
    """Return whether an answer asks for a browser or a person, where a program was expected.

    Sources: https://developers.cloudflare.com/cloudflare-challenges/challenge-types/challenge-pages/detect-response/
    (``cf-mitigated: challenge``) and the AWS WAF developer guide (``x-amzn-waf-action: challenge`` or ``captcha``).
    """
    if headers.get("cf-mitigated", "").strip().lower() == "challenge":
        return True
    if headers.get("x-amzn-waf-action", "").strip().lower() in {"challenge", "captcha"}:
        return True
    page = body[:_CHALLENGE_BYTES].decode("latin-1").lower() if status in _CHALLENGE_STATUSES else ""
    return any(words in page for words in _CHALLENGE_WORDS)


def is_news(entry: Entry, *, first_poll: bool, polling: Polling, now: datetime) -> bool:
    """Return whether an entry that was not known is to be read.

    Only a feed's first good poll asks: what it holds then is its past, unless the configuration says otherwise. An
    entry that is dated in the future counts as published now.
    """
    if not first_poll or polling.first_poll == "all":
        return True
    if isinstance(polling.first_poll, timedelta):
        return entry.published_at is not None and min(entry.published_at, now) >= now - polling.first_poll
    return False
