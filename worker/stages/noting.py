"""What was read of entries, written down: their articles, matched, with all that follows from them.

Most articles match nothing, and nothing follows from them but a few rows: those that are at hand are written in one
transaction, which costs a third of one for each. Whatever has a story or an alert has a transaction of its own.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache, partial, reduce

from worker.articles.aggregators import AGGREGATOR_LINK, is_aggregator
from worker.articles.lengths import after
from worker.errors import Retryable
from worker.ledger import dead, entries, lengths
from worker.ledger.engine import Transaction
from worker.ledger.entries import Due, End, Later
from worker.ledger.leases import Claim, LeaseLost, retry_at
from worker.model import Article, Entry, Lengths, Match, Reason
from worker.stages import counting
from worker.stages.correcting import correct, withdrawn_topics
from worker.stages.pipeline import Outcome, Pipeline, logged
from worker.stages.placing import prepare
from worker.stages.telling import tell
from worker.url import canonical
from worker.url import host as host_of

#: Addresses whose canonical form is remembered: each is asked for half a dozen times while its entry is in hand.
_ADDRESSES = 2_000

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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Matched:
    """What was read, as an article where it has any text, with the topics that it matches."""

    claim: Claimed
    result: Reading | Retryable
    article: Article | None = None
    matches: Sequence[Match] = ()

    @property
    def is_plain(self) -> bool:
        """Whether nothing follows from it but rows of its own."""
        deadly = isinstance(self.result, Reading) and self.result.deadly
        return self.article is None or not (self.matches or self.claim.value.again or deadly)


def note(p: Pipeline, done: Iterable[Read], *, now: datetime) -> list[Outcome]:
    """Match what was read and write it down with all that follows; return what came of each, in the same order."""
    outcomes: list[Outcome] = []
    plain: list[_Matched] = []
    for read in done:
        one = _matched(p, read)
        match one:
            case _Matched(article=Article() as article, result=Reading() as reading) if not one.is_plain:
                # In the order in which they were read: of several with one page the first is the article.
                outcomes += _note_plain(p, plain, now)
                plain = []
                outcomes.append(_settled(one.claim, partial(_take_in, p, one, article, reading, now)))
            case _:
                plain.append(one)
    return outcomes + _note_plain(p, plain, now)


def duplicate(t: Transaction, claim: Claimed, *, now: datetime) -> Outcome:
    """Write that an entry leads to an article that is known."""
    entry = claim.value.entry
    entries.finish(t, claim, reason=Reason.DUPLICATE, article_id=article_id(entry))
    counting.read(t, Reason.DUPLICATE, now=now)
    return Outcome(stage="read", subject=entry.url, reason=Reason.DUPLICATE)


def bury(t: Transaction, claim: Claimed, reason: str, *, now: datetime) -> Outcome:
    """Write that an entry is given up."""
    url = claim.value.entry.url
    dead.bury(t, claim, kind="entry", subject=url, reason=reason, now=now)
    counting.read(t, Reason.DEAD, now=now)
    return Outcome(stage="read", subject=url, reason=Reason.DEAD, detail=reason)


def article_id(entry: Entry) -> str:
    """Return the id that an entry's article has, whichever feed leads to it."""
    return "a-" + hashlib.sha256(page_of(entry.url).encode("utf-8", "surrogatepass")).hexdigest()[:16]


@lru_cache(maxsize=_ADDRESSES)
def page_of(url: str) -> str:
    """Return ``worker.url.canonical(url)``."""
    return canonical(url)


def speaks_for_itself(p: Pipeline, entry: Entry) -> str:
    """Return why an entry's page is not asked for; empty when it is."""
    feed = p.feeds.get(entry.feed_id)  # None when the feed was taken out of the configuration meanwhile
    if feed is not None and feed.full_text and entry.text:
        return "full-text feed"
    return AGGREGATOR_LINK if is_aggregator(entry.url) else ""


def asked_host(p: Pipeline, entry: Entry) -> str:
    """Return the host that is to be asked for an entry; empty when none is."""
    return "" if speaks_for_itself(p, entry) else host_of(entry.url)


def _matched(p: Pipeline, read: Read) -> _Matched:
    reading = read.result
    if isinstance(reading, Retryable) or not (reading.title or reading.text):
        return _Matched(claim=read.claim, result=reading)
    article = _article(read.claim.value.entry, reading, read.claim.value.first_seen_at)
    return _Matched(claim=read.claim, result=reading, article=article, matches=p.matcher.match(article))


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


def _settled(one: Claimed, work: Callable[[], Outcome]) -> Outcome:
    try:
        return logged(work())
    except LeaseLost as lost:
        return logged(Outcome(stage="read", subject=one.value.entry.url, reason=Reason.RETRY, detail=str(lost)))


def _note_plain(p: Pipeline, found: Sequence[_Matched], now: datetime) -> list[Outcome]:
    """Write down what nothing follows from, together; when one of them has lost its lease, each by itself."""
    if len(found) > 1:
        try:
            return list(map(logged, _together(p, found, now)))
        except LeaseLost:
            pass
    return [_settled(one.claim, partial(_alone, p, one, now)) for one in found]


def _alone(p: Pipeline, one: _Matched, now: datetime) -> Outcome:
    return _together(p, [one], now)[0]


def _together(p: Pipeline, found: Sequence[_Matched], now: datetime) -> list[Outcome]:
    """Write down what nothing follows from in one transaction.

    Raises:
        LeaseLost: another worker has claimed one of the entries meanwhile; nothing was kept.
    """
    with p.ledger.write() as t:
        added = iter(_add_articles(t, [one.article for one in found if one.article], now))
        ended = [_ended(one, next(added) if one.article else None) for one in found]
        entries.finish_all(t, [end for end in ended if isinstance(end, End)])
        entries.retry_all(t, [_again(p, one, now) for one in found if isinstance(one.result, Retryable)])
        outcomes = [_outcome(one, end) for one, end in zip(found, ended, strict=True)]
        for outcome in outcomes:
            counting.read(t, outcome.reason, now=now)
        _note_pages(t, p, found, now=now)
    return outcomes


def _add_articles(t: Transaction, articles: Sequence[Article], now: datetime) -> list[tuple[str, bool]]:
    """Record articles and return of each the id under which its page is known, and whether that is new with it."""
    known = entries.articles_at(t, {article.page for article in articles} - {""})
    new: dict[str, Article] = {}
    ids: list[str] = []
    for article in articles:
        # Its page may have been read before, by way of another address.
        ids.append(known.setdefault(article.page, article.id) if article.page else article.id)
        if ids[-1] == article.id:
            new.setdefault(article.id, article)
    recorded = entries.add_articles(t, new.values(), now=now)
    return [(id_, new.get(id_) is article and id_ in recorded) for id_, article in zip(ids, articles, strict=True)]


def _ended(one: _Matched, added: tuple[str, bool] | None) -> End | None:
    """Return how an entry has ended; ``None`` when it is tried again."""
    if isinstance(one.result, Retryable):
        return None
    if added is None:
        return End(claim=one.claim, reason=Reason.NO_TEXT, detail=one.result.detail)
    known_as, is_new = added
    reason = one.result.source if is_new else Reason.DUPLICATE
    return End(claim=one.claim, reason=reason, detail=one.result.detail, article_id=known_as)


def _again(p: Pipeline, one: _Matched, now: datetime) -> Later:
    after = one.result.after if isinstance(one.result, Retryable) else None
    due = retry_at(now, attempt=one.claim.attempt, jitter=p.jitter(), after=after)
    return Later(claim=one.claim, due_at=due, error=str(one.result))


def _outcome(one: _Matched, end: End | None) -> Outcome:
    entry = one.claim.value.entry
    if end is None:
        return Outcome(stage="read", subject=entry.url, reason=Reason.RETRY, detail=str(one.result))
    facts: Mapping[str, object] = {}
    if end.article_id is not None:
        facts = {"feed": entry.feed_id, "article": end.article_id, "topics": "", "story": "", "role": ""}
    return Outcome(stage="read", subject=entry.url, reason=end.reason, detail=end.detail, facts=facts)


def _take_in(p: Pipeline, one: _Matched, article: Article, reading: Reading, now: datetime) -> Outcome:
    """Record an article with all that follows from it in one transaction.

    Raises:
        LeaseLost: another worker has claimed the entry meanwhile; nothing was kept.
    """
    claim, matches = one.claim, one.matches
    entry, again = claim.value.entry, claim.value.again
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
        _note_pages(t, p, [one], now=now)
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


def _same_page(t: Transaction, article: Article) -> str | None:
    """Return the id under which the article's page was read before, by way of another address."""
    return entries.articles_at(t, [article.page]).get(article.page) if article.page else None


def _end(t: Transaction, claim: Claimed, reading: Reading, reason: Reason, *, article_id: str, now: datetime) -> None:
    if reading.deadly:
        entries.note_article(t, claim.id, article_id)
        dead.bury(t, claim, kind="entry", subject=claim.value.entry.url, reason=reading.detail, now=now)
    else:
        entries.finish(t, claim, reason=reason, detail=reading.detail, article_id=article_id)


def _note_pages(t: Transaction, p: Pipeline, found: Iterable[_Matched], *, now: datetime) -> None:
    """Note what pages have given, for what is known of their hosts."""
    texts: defaultdict[str, list[int]] = defaultdict(list)
    for one in found:
        host = asked_host(p, one.claim.value.entry)
        if not host:
            continue
        given = _given(one)
        counting.fetched(t, host, given, now=now)
        if one.article and given == Reason.PAGE:
            texts[host].append(len(one.article.text))
    if texts:
        before = lengths.of(t, texts)
        lengths.keep(t, {host: _after(before.get(host), chars, now) for host, chars in texts.items()}, now=now)


def _given(one: _Matched) -> str:
    """Return what a request for a page has come to, in one of the words by which such are counted."""
    if isinstance(one.result, Retryable):
        return counting.fault(one.result)
    return Reason.PAGE if one.article and one.article.source is Reason.PAGE else counting.named(one.result.detail)


def _after(before: Lengths | None, texts: Iterable[int], now: datetime) -> Lengths:
    return reduce(lambda known, chars: after(known, chars, now=now), texts, before or Lengths())
