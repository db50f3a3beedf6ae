"""Stage ``read``: entries that are due, read, matched, joined to stories, and the alerts that follow decided."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from worker.articles.aggregators import AGGREGATOR_LINK, is_aggregator
from worker.articles.extraction import Extract, NoText
from worker.articles.language import language_of_text
from worker.articles.lengths import after
from worker.articles.refusals import PAYWALL_TEASER
from worker.errors import Retryable, Unusable, WirewatchError
from worker.feeds.waits import retry_after
from worker.ledger import dead, entries, lengths
from worker.ledger.engine import Transaction
from worker.ledger.entries import Due
from worker.ledger.leases import MAX_ATTEMPTS, Claim, LeaseLost, retry_at
from worker.model import Article, Entry, Reason
from worker.stages import counting
from worker.stages.correcting import correct, withdrawn_topics
from worker.stages.pipeline import UNANSWERED, Outcome, Pipeline, logged
from worker.stages.placing import prepare
from worker.stages.telling import tell
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

Claimed = Claim[Due]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What was read for an entry: the text, and where it is from."""

    title: str
    text: str
    language: str | None
    published_at: datetime | None
    source: Reason
    #: Why the page gave no text, when the feed's own text stands in.
    detail: str = ""
    #: ``worker.url.canonical`` of where the page was found; empty for the feed's own text.
    page: str = ""
    #: Whether the page is one that kills its readers, so that the entry is a dead letter as well.
    deadly: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """A claim and what became of it: a reading, or why there is none yet."""

    claim: Claimed
    result: Reading | Retryable


def run(p: Pipeline, *, now: datetime, limit: int = BATCH) -> list[Outcome]:
    """Read at most ``limit`` entries that are due and return what came of each."""
    claims, outcomes = claim(p, now=now, limit=limit)
    for one in claims:
        outcomes += record(p, [do(p, one, now=now)], now=now)
    return outcomes


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
        read = entries.known_articles(t, [article_id(one.value.entry) for one in claims if not one.value.again])
        busy = entries.pages_in_hand(t, [one.id for one in claims])
    admitted: list[Claimed] = []
    waiting: list[tuple[Claimed, datetime]] = []
    outcomes: list[Outcome] = []
    for one in claims:
        if one.attempt > MAX_ATTEMPTS:
            outcomes.append(_settled(one, partial(_bury, p, one, now, f"not read in {MAX_ATTEMPTS} attempts")))
        elif not one.value.again and article_id(one.value.entry) in read:
            outcomes.append(_settled(one, partial(_finish, p, one, Reason.DUPLICATE, now=now)))
        elif (later := _later(p, one, busy, now)) is not None:
            waiting.append((one, later))
        else:
            busy.add(canonical(one.value.entry.url))
            admitted.append(one)
    if waiting:
        with p.ledger.write() as t:
            entries.release(t, waiting)
        _log.debug("read verdict=%s entries=%d", Reason.HOST_WAITS, len(waiting))
    return admitted, outcomes, len(waiting)


def _later(p: Pipeline, one: Claimed, busy: Container[str], now: datetime) -> datetime | None:
    """Return when to look at an entry again, ``None`` when it may be read now and has its place at the host."""
    if canonical(one.value.entry.url) in busy:
        return now + _SAME_PAGE
    host = _host(p, one)
    return p.gates.enter(host, now=now) if host else None


def do(p: Pipeline, one: Claimed, *, now: datetime) -> Read:
    """Return what an entry's page says. Touches the web and not the ledger, so that many may run at once."""
    host = _host(p, one)
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
    return [_settled(one.claim, partial(_record, p, one, now)) for one in done]


def release(p: Pipeline, claims: Sequence[Claimed], *, now: datetime) -> None:
    """Give back what was claimed and will not be read here."""
    with p.ledger.write() as t:
        entries.release(t, [(one, now) for one in claims])


def _record(p: Pipeline, read: Read, now: datetime) -> Outcome:
    if isinstance(read.result, Retryable):
        return _retry(p, read.claim, now, read.result)
    return _take_in(p, read.claim, read.result, now)


def _settled(one: Claimed, work: Callable[[], Outcome]) -> Outcome:
    try:
        return logged(work())
    except LeaseLost as lost:
        return logged(Outcome(stage="read", subject=one.value.entry.url, reason=Reason.RETRY, detail=str(lost)))


def article_id(entry: Entry) -> str:
    """Return the id that an entry's article has, whichever feed leads to it."""
    return "a-" + hashlib.sha256(canonical(entry.url).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _speaks_for_itself(p: Pipeline, entry: Entry) -> str:
    """Return why an entry's page is not asked for; empty when it is."""
    feed = p.feeds.get(entry.feed_id)  # None when the feed was taken out of the configuration meanwhile
    if feed is not None and feed.full_text and entry.text:
        return "full-text feed"
    return AGGREGATOR_LINK if is_aggregator(entry.url) else ""


def _host(p: Pipeline, one: Claimed) -> str:
    """Return the host that is to be asked for an entry; empty when none is."""
    entry = one.value.entry
    return "" if _speaks_for_itself(p, entry) else host_of(entry.url)


def read_entry(p: Pipeline, entry: Entry, *, now: datetime, last_attempt: bool) -> Reading:
    """Return the text of an entry: its page's, or the feed's own when the page gives none.

    Raises:
        Retryable: the page cannot be had now; on the last attempt the feed's text stands in instead.
    """
    if detail := _speaks_for_itself(p, entry):
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


def _article(entry: Entry, reading: Reading, first_seen_at: datetime) -> Article:
    published_at = reading.published_at or first_seen_at
    return Article(
        id=article_id(entry),
        url=entry.url,
        page=reading.page,
        title=reading.title,
        text=reading.text,
        outlet=entry.outlet,
        # A date in the future is a mistake or a trick to stay on top; nothing is newer than its first sight.
        published_at=min(published_at, first_seen_at),
        language=reading.language,
        source=reading.source,
    )


def _take_in(p: Pipeline, claim: Claimed, reading: Reading, now: datetime) -> Outcome:
    """Match an article, and record it with all that follows from it in one transaction."""
    entry, again = claim.value.entry, claim.value.again
    if not (reading.title or reading.text):
        return _finish(p, claim, Reason.NO_TEXT, now=now, detail=reading.detail)
    article = _article(entry, reading, claim.value.first_seen_at)
    matches = p.matcher.match(article)
    # Before the transaction: others wait for it, and this takes the longest.
    prepared = prepare(p, article) if matches else None
    with p.ledger.write() as t:
        article = replace(article, id=_same_page(t, article) or article.id)
        told = entries.matched_topics(t, article.id) - withdrawn_topics(t, article.id) if again else set()
        before = entries.get_article(t, article.id) if again else None
        added = entries.add_article(t, article, now=now)
        if before is not None:
            entries.change_article(t, article, now=now)
            correct(t, p, before=before, after=article, matches=matches, now=now)
        reason = reading.source if added else Reason.EDITED if again else Reason.DUPLICATE
        _end(t, claim, reading, reason, article_id=article.id, now=now)
        fresh = [m for m in matches if m.topic_id not in told] if added or again else []
        placed = tell(t, p, article, fresh, now=now, prepared=prepared) if fresh else None
        counting.read(t, Reason.DEAD if reading.deadly else reason, now=now)
        _note_page(t, p, claim, reading, now=now)
    return Outcome(
        stage="read",
        subject=entry.url,
        reason=Reason.DEAD if reading.deadly else reason,
        detail=reading.detail,
        facts={
            "feed": entry.feed_id,
            "article": article.id,
            "topics": ",".join(m.topic_id for m in fresh),
            "story": placed.story.id if placed else "",
            "role": placed.role if placed else "",
        },
    )


def _note_page(t: Transaction, p: Pipeline, claim: Claimed, reading: Reading, *, now: datetime) -> None:
    """Note what a page has given, for what is known of its host."""
    host = _host(p, claim)
    if not host:
        return
    counting.fetched(t, host, Reason.PAGE if reading.source is Reason.PAGE else counting.named(reading.detail), now=now)
    if reading.source is Reason.PAGE:
        lengths.keep(t, host, after(lengths.of(t, host), len(reading.text), now=now), now=now)


def _same_page(t: Transaction, article: Article) -> str | None:
    """Return the id under which the article's page was read before, by way of another address."""
    return entries.article_at(t, article.page) if article.page else None


def _end(t: Transaction, claim: Claimed, reading: Reading, reason: Reason, *, article_id: str, now: datetime) -> None:
    if reading.deadly:
        entries.note_article(t, claim.id, article_id)
        dead.bury(t, claim, kind="entry", subject=claim.value.entry.url, reason=reading.detail, now=now)
    else:
        entries.finish(t, claim, reason=reason, detail=reading.detail, article_id=article_id)


def _finish(p: Pipeline, claim: Claimed, reason: Reason, *, now: datetime, detail: str = "") -> Outcome:
    entry = claim.value.entry
    wanted = article_id(entry) if reason is Reason.DUPLICATE else None
    with p.ledger.write() as t:
        entries.finish(t, claim, reason=reason, detail=detail, article_id=wanted)
        counting.read(t, reason, now=now)
        if reason is Reason.NO_TEXT:
            counting.fetched(t, _host(p, claim), counting.named(detail), now=now)
    return Outcome(stage="read", subject=entry.url, reason=reason, detail=detail)


def _retry(p: Pipeline, claim: Claimed, now: datetime, error: Retryable) -> Outcome:
    due = retry_at(now, attempt=claim.attempt, jitter=p.jitter(), after=error.after)
    with p.ledger.write() as t:
        entries.retry(t, claim, due_at=due, error=str(error))
        counting.read(t, Reason.RETRY, now=now)
        counting.fetched(t, _host(p, claim), counting.fault(error), now=now)
    return Outcome(stage="read", subject=claim.value.entry.url, reason=Reason.RETRY, detail=str(error))


def _bury(p: Pipeline, claim: Claimed, now: datetime, reason: str) -> Outcome:
    url = claim.value.entry.url
    with p.ledger.write() as t:
        dead.bury(t, claim, kind="entry", subject=url, reason=reason, now=now)
        counting.read(t, Reason.DEAD, now=now)
    return Outcome(stage="read", subject=url, reason=Reason.DEAD, detail=reason)
