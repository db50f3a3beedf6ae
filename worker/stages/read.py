"""Stage ``read``: entries that are due, read, matched, joined to stories, and the alerts that follow decided."""

from __future__ import annotations

import logging
import re
from collections.abc import Container, Sequence
from datetime import datetime, timedelta

from worker.articles.extraction import Extract, NoText
from worker.articles.language import language_of_text
from worker.articles.refusals import PAYWALL_TEASER
from worker.errors import Retryable, Unusable, WirewatchError
from worker.feeds.waits import retry_after
from worker.ledger import entries
from worker.ledger.engine import Transaction
from worker.ledger.leases import MAX_ATTEMPTS
from worker.model import Entry, Reason
from worker.stages.noting import (
    Claimed,
    Read,
    Reading,
    article_id,
    asked_host,
    bury,
    duplicate,
    note,
    page_of,
    speaks_for_itself,
)
from worker.stages.pipeline import UNANSWERED, Outcome, Pipeline, logged
from worker.url import canonical
from worker.url import host as host_of
from worker.web.response import Response

_log = logging.getLogger("wirewatch")
BATCH = 10
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.:-]{2,40})", re.IGNORECASE)
_OK = 200
_TEMPORARY = frozenset({408, 425, 429})
#: Until an entry is looked at again whose page is being read for another one.
_SAME_PAGE = timedelta(seconds=5)
#: How often a claim asks for others in the place of entries that went back: so that a host that lets few pass and has
#: thousands of entries keeps those of other hosts behind them waiting for seconds, and not for as many claims.
_ROUNDS = 20


def run(p: Pipeline, *, now: datetime, limit: int = BATCH) -> list[Outcome]:
    """Read at most ``limit`` entries that are due and return what came of each."""
    claims, outcomes = claim(p, now=now, limit=limit)
    return outcomes + record(p, [do(p, one, now=now) for one in claims], now=now)


def claim(p: Pipeline, *, now: datetime, limit: int = BATCH) -> tuple[list[Claimed], list[Outcome]]:
    """Return at most ``limit`` entries to be read, and the outcomes of those that need no reading.

    An entry whose publisher is to be left alone for now, or whose page is being read already, goes back, and others
    are claimed in its place.

    Raises:
        worker.stages.pipeline.Outdated: another configuration is in force; nothing was claimed.
    """
    admitted: list[Claimed] = []
    outcomes: list[Outcome] = []
    for _ in range(_ROUNDS):
        wanted = limit - len(admitted)
        try:
            some, settled, back = _claim(p, now=now, limit=wanted)
        except WirewatchError:
            if admitted or outcomes:  # it is said at the next claim; these are in hand
                break
            raise
        admitted += some
        outcomes += settled
        # One whose lease ran out comes alone; and fewer than were asked for are all that there are.
        if not back or len(some) + len(settled) + back < wanted:
            break
    return admitted, outcomes


def _claim(p: Pipeline, *, now: datetime, limit: int) -> tuple[list[Claimed], list[Outcome], int]:
    """Return what ``claim`` does of one look, and how many entries went back."""
    with p.ledger.write() as t:
        p.must_be_in_force(t)
        claims = entries.claim(t, now=now, limit=limit)
        if not claims:
            return [], [], 0
        read = entries.known_articles(t, [article_id(one.value.entry) for one in claims if not one.value.again])
        busy = entries.pages_in_hand(t, [one.id for one in claims])
        ended = [(one, _unread(t, one, read, now=now)) for one in claims]
    outcomes = [logged(outcome) for _, outcome in ended if outcome is not None]
    left = [one for one, outcome in ended if outcome is None]
    later = _later(p, left, busy, now=now)
    admitted = [one for one in left if later[one.mark] is None]
    waiting = [(one, at) for one in left if (at := later[one.mark]) is not None]
    if waiting:
        with p.ledger.write() as t:
            entries.release(t, waiting)
        _log.debug("read verdict=%s entries=%d", Reason.HOST_WAITS, len(waiting))
    return admitted, outcomes, len(waiting)


def _unread(t: Transaction, one: Claimed, read: Container[str], *, now: datetime) -> Outcome | None:
    """End an entry that needs no reading and return what came of it; ``None`` for one that is to be read."""
    if one.attempt > MAX_ATTEMPTS:
        return bury(t, one, f"not read in {MAX_ATTEMPTS} attempts", now=now)
    if not one.value.again and article_id(one.value.entry) in read:
        return duplicate(t, one, now=now)
    return None


def _later(
    p: Pipeline, claims: Sequence[Claimed], busy: Container[str], *, now: datetime
) -> dict[tuple[str, str], datetime | None]:
    """Return by mark when to look at each entry again, ``None`` when it may be read now and has its place at the host.

    All hosts are asked for in one trip. Of entries with one page the first is read, or waits for its host.
    """
    found: dict[tuple[str, str], datetime | None] = {}
    asked: list[tuple[tuple[str, str], str]] = []
    pages = set[str]()
    for one in claims:
        page, host = page_of(one.value.entry.url), asked_host(p, one.value.entry)
        if page in busy or page in pages:
            found[one.mark] = now + _SAME_PAGE
        elif host:
            asked.append((one.mark, host))
        else:
            found[one.mark] = None
        pages.add(page)
    told = p.gates.enter_all([host for _, host in asked], now=now)
    return found | dict(zip((mark for mark, _ in asked), told, strict=True))


def do(p: Pipeline, one: Claimed, *, now: datetime) -> Read:
    """Return what an entry's page says. Touches the web and not the ledger, so that many may run at once."""
    host = asked_host(p, one.value.entry)
    answered = True
    try:
        reading = read_entry(p, one.value.entry, now=now, last_attempt=one.attempt >= MAX_ATTEMPTS)
        return Read(claim=one, result=reading)
    except Retryable as error:
        answered = error.name not in UNANSWERED
        return Read(claim=one, result=error)
    finally:
        if host:
            p.gates.leave(host, now=now, answered=answered)


def record(p: Pipeline, done: Sequence[Read], *, now: datetime) -> list[Outcome]:
    """Match what was read and write it down with all that follows; return what came of each entry."""
    return note(p, done, now=now)


def release(p: Pipeline, claims: Sequence[Claimed], *, now: datetime) -> None:
    """Give back what was claimed and will not be read here."""
    with p.ledger.write() as t:
        entries.release(t, [(one, now) for one in claims])


def read_entry(p: Pipeline, entry: Entry, *, now: datetime, last_attempt: bool) -> Reading:
    """Return the text of an entry: its page's, or the feed's own when the page gives none.

    Raises:
        Retryable: the page cannot be had now; on the last attempt the feed's text stands in instead.
    """
    if detail := speaks_for_itself(p, entry):
        return _from_feed(entry, detail)
    feed = p.feeds.get(entry.feed_id)
    try:
        response = p.web.get(
            entry.url,
            now=now,
            headers={"accept": "text/html,application/xhtml+xml,*/*;q=0.5"},
            robots=True,
            allow_private=feed.allow_private if feed else None,
        )
        return _from_page(p, entry, _welcome(p, response, now))
    except Unusable as error:
        return _from_feed(entry, error.name or str(error))
    except Retryable as error:
        if not last_attempt:
            raise
        return _from_feed(entry, str(error), deadly=error.name == Reason.OVERRAN)


def _welcome(p: Pipeline, response: Response, now: datetime) -> Response:
    """Return an answer that carries a page; one that asks to be left alone closes the host's gate."""
    try:
        return checked(response)
    except Retryable as error:
        after = retry_after(response.headers, now=now)
        if not after:
            raise
        p.gates.hold(host_of(response.url), until=now + after, now=now)
        raise Retryable(str(error), after=after, name=error.name) from error


def checked(response: Response) -> Response:
    """Return an answer that carries a page.

    Raises:
        Retryable: the server may answer better later.
        Unusable: it never will.
    """
    status = response.status
    if status == _OK:
        return response
    if status in _TEMPORARY or status >= 500:  # noqa: PLR2004 - RFC 9110 section 15.6
        raise Retryable(f"{response.url}: the server answered {status}")
    raise Unusable(f"{response.url}: the server answered {status}")


def charset_of(response: Response) -> str | None:
    """Return the encoding that an answer's Content-Type names, if it names one."""
    found = _CHARSET.search(response.headers.get("content-type", ""))
    return found.group(1) if found else None


def _from_page(p: Pipeline, entry: Entry, response: Response) -> Reading:
    page = p.readers.page(
        response.body,
        url=response.url,
        charset=charset_of(response),
        language=entry.language,
        title=entry.title,
    )
    match page:
        case NoText():
            return _from_feed(entry, page.detail, teaser=page)
        case Extract():
            return Reading(
                title=entry.title or page.title,
                text=page.text,
                language=entry.language or page.language,
                published_at=entry.published_at or page.published_at,
                source=Reason.PAGE,
                detail="cut at the limit" if page.cut else "",
                page=canonical(response.url),
            )


def _from_feed(entry: Entry, detail: str, *, teaser: NoText | None = None, deadly: bool = False) -> Reading:
    # A teaser is the publisher's own summary: the longer of it and the feed's says more.
    teased = teaser.text if teaser and teaser.detail == PAYWALL_TEASER else ""
    title, text = entry.title or (teaser.title if teaser else ""), max(entry.text, teased, key=len)
    return Reading(
        title=title,
        text=text,
        language=entry.language or language_of_text(f"{title}\n{text}"),
        published_at=entry.published_at,
        source=Reason.FEED_TEXT,
        detail=detail,
        deadly=deadly,
    )
