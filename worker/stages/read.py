"""Stage ``read``: entries that are due, read, matched, joined to stories, and the alerts that follow decided."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from worker.alerts.decisions import Decision, Told, decide, is_loud
from worker.articles.extraction import Extract, NoText, extract
from worker.articles.refusals import PAYWALL_TEASER
from worker.errors import Retryable, Unusable
from worker.ledger import dead, entries, outbox, stories
from worker.ledger.engine import Transaction
from worker.ledger.leases import MAX_ATTEMPTS, Claim, LeaseLost, retry_at
from worker.model import Article, Entry, Match, Reason, Role, Story
from worker.stages.pipeline import Outcome, Pipeline, logged
from worker.stories import joining
from worker.stories.features import features
from worker.url import canonical
from worker.web.response import Response

BATCH = 10
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.:-]{2,40})", re.IGNORECASE)
_OK = 200
_TEMPORARY = frozenset({408, 425, 429})
_HOUR = timedelta(hours=1)

Claimed = Claim[tuple[Entry, datetime]]


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


def run(p: Pipeline, *, now: datetime, limit: int = BATCH) -> list[Outcome]:
    """Read at most ``limit`` entries that are due and return what came of each."""
    with p.ledger.write() as t:
        claims = entries.claim(t, now=now, limit=limit)
    return [logged(_read(p, claim, now)) for claim in claims]


def _read(p: Pipeline, claim: Claimed, now: datetime) -> Outcome:
    entry = claim.value[0]
    try:
        if claim.attempt > MAX_ATTEMPTS:
            return _bury(p, claim, now, f"not read in {MAX_ATTEMPTS} attempts")
        if _is_known(p, article_id(entry)):
            return _finish(p, claim, Reason.DUPLICATE)
        reading = read_entry(p, entry, now=now, last_attempt=claim.attempt == MAX_ATTEMPTS)
        return _take_in(p, claim, reading, now)
    except Retryable as error:
        return _retry(p, claim, now, error)
    except LeaseLost as lost:
        return Outcome(stage="read", subject=entry.url, reason=Reason.RETRY, detail=str(lost))


def article_id(entry: Entry) -> str:
    """Return the id that an entry's article has, whichever feed leads to it."""
    return "a-" + hashlib.sha256(canonical(entry.url).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _is_known(p: Pipeline, wanted: str) -> bool:
    with p.ledger.read() as t:
        return entries.get_article(t, wanted) is not None


def read_entry(p: Pipeline, entry: Entry, *, now: datetime, last_attempt: bool) -> Reading:
    """Return the text of an entry: its page's, or the feed's own when the page gives none.

    Raises:
        Retryable: the page cannot be had now; on the last attempt the feed's text stands in instead.
    """
    feed = p.feeds.get(entry.feed_id)  # None when the feed was taken out of the configuration meanwhile
    if feed is not None and feed.full_text and entry.text:
        return _from_feed(entry, "full-text feed")
    try:
        response = p.web.get(entry.url, now=now, headers={"accept": "text/html,application/xhtml+xml,*/*;q=0.5"})
        return _from_page(entry, checked(response))
    except Unusable as error:
        return _from_feed(entry, str(error))
    except Retryable as error:
        if not last_attempt:
            raise
        return _from_feed(entry, str(error))


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


def _from_page(entry: Entry, response: Response) -> Reading:
    page = extract(
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
            )


def _from_feed(entry: Entry, detail: str, *, teaser: NoText | None = None) -> Reading:
    # A teaser is the publisher's own summary: the longer of it and the feed's says more.
    teased = teaser.text if teaser and teaser.detail == PAYWALL_TEASER else ""
    return Reading(
        title=entry.title or (teaser.title if teaser else ""),
        text=max(entry.text, teased, key=len),
        language=entry.language,
        published_at=entry.published_at,
        source=Reason.FEED_TEXT,
        detail=detail,
    )


def _article(entry: Entry, reading: Reading, first_seen_at: datetime) -> Article:
    published_at = reading.published_at or first_seen_at
    return Article(
        id=article_id(entry),
        url=entry.url,
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
    entry, first_seen_at = claim.value
    if not (reading.title or reading.text):
        return _finish(p, claim, Reason.NO_TEXT, detail=reading.detail)
    article = _article(entry, reading, first_seen_at)
    matches = p.matcher.match(article)
    with p.ledger.write() as t:
        known = not entries.add_article(t, article, now=now)
        reason = Reason.DUPLICATE if known else reading.source
        entries.finish(t, claim, reason=reason, detail=reading.detail, article_id=article.id)
        role = None if known or not matches else _tell(t, p, article, matches, now)
    return Outcome(
        stage="read",
        subject=entry.url,
        reason=reason,
        detail=reading.detail,
        facts={"article": article.id, "topics": ",".join(m.topic_id for m in matches), "role": role or ""},
    )


def _tell(t: Transaction, p: Pipeline, article: Article, matches: Sequence[Match], now: datetime) -> Role:
    """Join the article to its story and put the alerts that follow into the outbox."""
    stories.take_turn(t)
    near = stories.active(t, since=article.published_at - joining.HORIZON, until=article.published_at + joining.WINDOW)
    joined = joining.join(article, features(article, rarity=p.rarity), near)
    stories.save(t, joined.story, new=joined.member, now=now)
    for found in matches:
        entries.add_match(t, found, now=now)
        for decision in _decide(t, p, article, found, story=joined.story, role=joined.role, now=now):
            _record_decision(t, article, found, decision, now)
    return joined.role


def _decide(
    t: Transaction, p: Pipeline, article: Article, found: Match, *, story: Story, role: Role, now: datetime
) -> list[Decision]:
    loud = [r for r in Role if is_loud(r, p.policy)]
    return decide(
        match=found,
        article=article,
        topic=p.topics[found.topic_id],
        story=story,
        role=role,
        told=[Told(alert=a, waits=w) for a, w in outbox.told(t, story_id=story.id, topic_id=found.topic_id)],
        routes=p.routes,
        policy=p.policy,
        due_times=lambda channel: outbox.due_times(t, channel, since=now - _HOUR, roles=loud),
        now=now,
    )


def _record_decision(t: Transaction, article: Article, found: Match, decision: Decision, now: datetime) -> None:
    if decision.alert is not None:
        outbox.add(t, decision.alert)
    outbox.add_decision(
        t,
        article_id=article.id,
        topic_id=found.topic_id,
        channel_id=decision.channel_id,
        reason=decision.reason,
        now=now,
    )


def _finish(p: Pipeline, claim: Claimed, reason: Reason, detail: str = "") -> Outcome:
    entry = claim.value[0]
    wanted = article_id(entry) if reason is Reason.DUPLICATE else None
    with p.ledger.write() as t:
        entries.finish(t, claim, reason=reason, detail=detail, article_id=wanted)
    return Outcome(stage="read", subject=entry.url, reason=reason, detail=detail)


def _retry(p: Pipeline, claim: Claimed, now: datetime, error: Retryable) -> Outcome:
    due = retry_at(now, attempt=claim.attempt, jitter=p.jitter(), after=error.after)
    with p.ledger.write() as t:
        entries.retry(t, claim, due_at=due, error=str(error))
    return Outcome(stage="read", subject=claim.value[0].url, reason=Reason.RETRY, detail=str(error))


def _bury(p: Pipeline, claim: Claimed, now: datetime, reason: str) -> Outcome:
    url = claim.value[0].url
    with p.ledger.write() as t:
        dead.bury(t, claim, kind="entry", subject=url, reason=reason, now=now)
    return Outcome(stage="read", subject=url, reason=Reason.DEAD, detail=reason)
