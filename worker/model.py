"""The values that flow through the house: frozen, slotted, keyword-only.

An *entry* is what a feed says; an *article* is what the page says. All times are aware and in UTC, all spans
are ``timedelta``, all scores lie in 0..1, and all text offsets count characters of the original text.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol, Self, TypeAlias

#: The id of the feed, the topic and the channel of the canary: see ``worker.build.canary``.
CANARY = "wirewatch-canary"


class Reason(StrEnum):
    """Why something was or was not done: one word for log, metric, ``why`` and replay output alike."""

    # poll
    NEW_ENTRIES = "new-entries"
    NOT_MODIFIED = "not-modified"
    UNCHANGED = "unchanged"
    BASELINE = "baseline"
    DUPLICATE = "duplicate"
    #: With new identities, and yet an entry that the feed has shown under others: see ``worker.feeds.identity``.
    REKEYED = "rekeyed"
    #: A known entry with another title or text: it is read once more.
    EDITED = "edited"
    #: The publisher's host was asked enough for now, or asked to be left alone: the work waits, and nothing is charged.
    HOST_WAITS = "host-waits"
    FETCH_FAILED = "fetch-failed"
    DNS_FAILED = "dns-failed"
    TIMED_OUT = "timed-out"
    #: Our own rules forbid it: the address, the port, the scheme, the encoding or too many redirects.
    FORBIDDEN = "forbidden"
    TOO_LARGE = "too-large"
    RATE_LIMITED = "rate-limited"
    HTTP_ERROR = "http-error"
    #: A page that asks for a browser or a person, where a program was expected: named and never evaded.
    CHALLENGED = "challenged"
    HTML_PAGE = "html-page"
    NOT_A_FEED = "not-a-feed"
    #: Reading it took longer, or more memory, than any honest document does; its process was killed.
    OVERRAN = "overran"
    GONE = "gone"
    #: The feed has moved for good to where another configured feed is.
    MERGED = "merged"
    # read
    PAGE = "page"
    FEED_TEXT = "feed-text"
    NO_TEXT = "no-text"
    ROBOTS = "robots"
    # match
    MATCHED = "matched"
    NO_MATCH = "no-match"
    BELOW_THRESHOLD = "below-threshold"
    UNLIKE = "unlike"
    OPPOSES = "opposes"
    ANCHOR_MISSING = "anchor-missing"
    EXCLUDED = "excluded"
    OTHER_LANGUAGE = "other-language"
    OTHER_OUTLET = "other-outlet"
    MEANING_DISABLED = "meaning-disabled"
    # story
    FIRST = "first"
    REPORT = "report"
    COPY = "copy"
    DEVELOPMENT = "development"
    # alert
    NO_ROUTE = "no-route"
    FOLDED = "folded"
    FOLLOW_UP_OFF = "follow-up-off"
    MIN_GAP = "min-gap"
    BUDGET = "budget"
    QUIET_HOURS = "quiet-hours"
    #: It waits for the time of the channel's digest, and is told in it.
    DIGEST = "digest"
    SILENCED = "silenced"
    #: A topic that refines this one tells the channel of the story.
    INHIBITED = "inhibited"
    #: An article that was told of has changed its title, or what it was told for.
    CORRECTION = "correction"
    #: An article that was still to be told of says it no longer.
    WITHDRAWN = "withdrawn"
    #: Its story turned out to be one that is told of already.
    STORY_MERGED = "story-merged"
    # deliver
    QUEUED = "queued"
    DELIVERED = "delivered"
    RETRY = "retry"
    #: The channel as a whole asked to be left alone for a time: the alert waits, and no attempt is charged.
    CHANNEL_WAITS = "channel-waits"
    #: The channel takes nothing until somebody mends it: its alerts wait, or go where it says instead.
    CHANNEL_DISABLED = "channel-disabled"
    UNKNOWN = "unknown"
    DEAD = "dead"


class Role(StrEnum):
    """What an article is to its story, and what an alert is to those who get it."""

    FIRST = "first"
    REPORT = "report"
    COPY = "copy"
    DEVELOPMENT = "development"
    #: Of alerts only: an article that was told of has changed.
    CORRECTION = "correction"
    #: Of alerts only: several alerts in one message, and words about a channel itself. They have no article.
    DIGEST = "digest"
    NOTICE = "notice"


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """A feed as it is configured."""

    id: str
    #: May hold a token, as the headers may: never shown in a repr.
    url: str = field(repr=False)
    #: Name shown to people; the host of the URL when nobody gave one.
    outlet: str
    interval: timedelta = timedelta(minutes=10)
    #: ISO 639-1 code, or ``None`` when unknown.
    language: str | None = None
    #: The feed carries whole articles, so pages are not fetched.
    full_text: bool = False
    #: Send validators (RFC 9110 section 13) on repeated polls.
    conditional: bool = True
    enabled: bool = True
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    #: As ``network.allow_private``, for this feed and the pages of its entries; ``None``: what the network says.
    allow_private: bool | tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hints:
    """What a feed document says about itself, for those who poll it."""

    #: From ``ttl`` and the ``sy:`` elements: how long the publisher thinks that a copy stays fresh.
    update_interval: timedelta | None = None
    #: Hours (0 to 23, UTC) and days (0 is Monday) in which it asks not to be polled.
    skip_hours: tuple[int, ...] = ()
    skip_days: tuple[int, ...] = ()
    #: A WebSub hub that would tell of news by itself (https://www.w3.org/TR/websub/).
    hub: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedState:
    """What past polls of a feed have taught."""

    feed_id: str
    #: ``new`` before the first good poll, then ``ok``, ``failing``, ``gone``, ``merged`` or ``disabled``.
    state: str = "new"
    outcome: Reason | None = None
    error: str | None = None
    #: Validators, byte for byte as the server sent them (RFC 9110 section 8.8).
    etag: str | None = None
    last_modified: str | None = None
    #: Hash of the last parsed body, so that an unchanged body is not parsed again.
    body_hash: str | None = None
    #: What the last document showed, so that unchanged items are not parsed again (``worker.feeds.unchanged``), and
    #: when one was last parsed as a whole.
    shown: bytes = b""
    whole_at: datetime | None = None
    #: Weighted count of consecutive failures; a success sets it to 0.
    failures: float = 0.0
    polled_at: datetime | None = None
    last_success_at: datetime | None = None
    next_poll_at: datetime | None = None
    interval: timedelta = timedelta(minutes=10)
    #: How long the last full answer was fresh: a 304 that does not say is fresh as long (RFC 9111 section 4.3.4).
    max_age: timedelta = timedelta(0)
    #: Where a chain of permanent redirects has led, and how many polls in a row.
    moved_to: str | None = None
    moved_count: int = 0
    #: The address that is polled in place of the configured one, once the move was believed.
    address: str | None = None
    #: When the feed was last asked without validators and answered.
    full_at: datetime | None = None
    #: Empty, ``doubtful`` or ``broken``: whether the feed's validators have hidden what is new.
    validators: str = ""
    #: Polls that showed nothing known, so that entries may have come and gone between two of them.
    gaps: int = 0
    hints: Hints = field(default_factory=Hints)
    #: How often the feed publishes: made and read by ``worker.feeds.rhythm``; the ledger stores it as JSON.
    rhythm: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One item of a feed, before its page is read."""

    feed_id: str
    #: Identity inside the feed: guid, else canonical link, else title and date.
    key: str
    #: Every identity by which the feed may show the entry again, ``key`` among them.
    aliases: tuple[str, ...] = ()
    url: str
    title: str
    #: The feed's own text, as plain text: the longest of content and summary. May be empty.
    text: str = ""
    outlet: str
    published_at: datetime | None = None
    language: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownEntry:
    """What is remembered of an entry, to know it again."""

    id: int
    #: Hashes made by ``worker.feeds.identity``.
    title_key: str
    fingerprint: str
    #: How often it was read again because it had changed.
    edits: int
    #: When the feed last showed it, within some days.
    seen_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Article:
    """One article as it was read: what topics match and stories join."""

    id: str
    url: str
    title: str
    text: str
    outlet: str
    #: The feed's or page's date; the time it was first seen when neither gives one.
    published_at: datetime
    language: str | None = None
    #: Where the text came from: ``page``, or ``feed-text`` when the page gave none.
    source: Reason = Reason.PAGE
    #: ``worker.url.canonical`` of where the page was found, after redirects; empty for ``feed-text``.
    page: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Near:
    """Groups of terms that must stand close together."""

    groups: tuple[tuple[str, ...], ...]
    #: Greatest distance in words between the outermost hits of a group each.
    within: int = 12
    #: The passage must deny or refuse: "not", "non-", "rejects", "off the table" ...
    negated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """A watch topic as it is configured. See README, section "Topics", for the meaning of each clause."""

    id: str
    #: The phrase a person would type.
    topic: str = ""
    anchors: tuple[tuple[str, ...], ...] = ()
    any: tuple[str, ...] = ()
    all: tuple[str, ...] = ()
    none: tuple[str, ...] = ()
    near: tuple[Near, ...] = ()
    query: str = ""
    meaning: tuple[str, ...] = ()
    unlike: tuple[str, ...] = ()
    #: ``either``: rule or meaning; ``both``: rule and meaning.
    require: str = "either"
    threshold: float = 0.5
    #: Topics that this one says more narrowly: where both match, the channel hears of this one only.
    refines: tuple[str, ...] = ()
    #: ``alert``: an article that says the opposite is a match as well, with the stance ``opposes``.
    on_opposite: str = "ignore"
    languages: tuple[str, ...] = ()
    outlets: tuple[str, ...] = ()
    #: Channel ids that replace the routes for this topic.
    channels: tuple[str, ...] = ()
    urgent: bool = False
    #: Texts for ``wirewatch test``; never used for scoring.
    examples_match: tuple[str, ...] = ()
    examples_ignore: tuple[str, ...] = ()

    @property
    def has_rule(self) -> bool:
        """Whether a clause can match by words."""
        return bool(self.any or self.all or self.near or self.query)

    @property
    def version(self) -> str:
        """Twelve hex digits that change when the meaning of the topic may have changed."""
        return _digest(json.dumps(asdict(self), sort_keys=True, ensure_ascii=False))[:12]

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the topic that ``dataclasses.asdict`` (and JSON) turned into ``data``."""
        values = dict(data)
        values["near"] = tuple(
            Near(groups=_tuples(n["groups"]), within=n["within"], negated=n["negated"]) for n in data["near"]
        )
        values["anchors"] = _tuples(data["anchors"])
        for name in _WORD_LISTS:
            values[name] = tuple(data[name])
        return cls(**values)


_WORD_LISTS = (
    "refines",
    "any",
    "all",
    "none",
    "meaning",
    "unlike",
    "languages",
    "outlets",
    "channels",
    "examples_match",
    "examples_ignore",
)


def _tuples(groups: list[list[str]]) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(group) for group in groups)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """A span of the original article that made a topic match."""

    #: ``title`` or ``text``.
    field: str
    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """The answer of one topic to one article, whether it is yes or no.

    ``reason`` is ``Reason.MATCHED`` for yes; any other reason is a no, and ``clause`` then names what was missing.
    """

    article_id: str
    topic_id: str
    topic_version: str
    reason: Reason
    score: float
    #: ``rule``, ``meaning`` or ``both`` for a match, empty otherwise.
    by: str = ""
    evidence: tuple[Evidence, ...] = ()
    #: The clause that fired, or the one that was missing, in the words of the topic file.
    clause: str = ""
    #: ``opposes`` for a match that says the opposite (``Topic.on_opposite``), ``states`` for any other.
    stance: str = "states"

    @property
    def matched(self) -> bool:
        """Whether the answer is yes."""
        return self.reason is Reason.MATCHED


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked about the last passages of an article when the models leave it open."""

    #: The claims of the topic: a passage that states one of them is a match.
    claims: tuple[str, ...]
    #: Claims that must not be taken for them.
    unlike: tuple[str, ...]
    #: The article's title, and its passages in question, the best first.
    title: str
    passages: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """The answer to a ``Question``."""

    #: ``states``, ``opposes`` or ``other``.
    stance: str
    #: Which passage says so: its number, from 0.
    passage: int = 0
    #: How sure the answer is, 0 to 1.
    confidence: float = 1.0


class Judge(Protocol):
    """Somebody who reads claims and passages better than the models, at a price."""

    def ask(self, question: Question) -> Opinion | None:
        """Return the answer, or ``None`` when there is none to be had now; it never raises."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """An article inside a story, with the features by which later articles are compared to it."""

    article_id: str
    role: Role
    outlet: str
    #: Who first said it as far as the text tells: an agency it cites, else the outlet.
    origin: str
    published_at: datetime
    #: Why it has its role: "killed 31 and not 12", "0.62 of a member's text"; empty when there is nothing to say.
    why: str = ""
    #: Made and read by ``worker.stories``; the ledger stores the first as JSON and the second as bytes.
    features: Mapping[str, Any] = field(default_factory=dict)
    shingles: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """Articles about one event, oldest member first."""

    id: str
    first_at: datetime
    newest_at: datetime
    members: tuple[Member, ...]
    #: An older story that this one follows, if any.
    linked: str | None = None
    #: The story that this one turned out to be: its articles and alerts are there.
    merged: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One message to one channel: a row of the outbox.

    A digest and a notice are alerts too; they have neither topic, story nor article, and a notice says what it has to
    say in ``clause``.
    """

    #: Idempotency key: the same alert always has the same key.
    key: str
    topic_id: str
    story_id: str
    channel_id: str
    role: Role
    article_id: str
    score: float
    by: str
    evidence: tuple[Evidence, ...]
    clause: str
    created_at: datetime
    due_at: datetime
    #: Why it waits until ``due_at``: ``queued``, ``min-gap``, ``budget``, ``quiet-hours`` or ``digest``.
    reason: Reason = Reason.QUEUED
    attempt: int = 0
    #: What is new, of a development; what was changed, of a correction.
    detail: str = ""
    #: The key of the digest in which it is told; ``None`` when it is a message of its own.
    digest: str | None = None
    #: It may have arrived before, and is sent again because the policy or a person said so.
    repeat: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """Evidence with the words around it, as the article had them when the alert was first sent."""

    #: ``title`` or ``text``.
    field: str
    before: str
    text: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """An alert with all that a channel shows, as things stood when it was first sent: later attempts say the same."""

    alert: Alert
    #: Without its text where the message was sent before.
    article: Article
    #: The topic's phrase, or its id when it has none.
    topic: str
    quotes: tuple[Quote, ...] = ()
    #: When it was first sent.
    at: datetime
    #: Articles and distinct outlets and origins of the story, and when its newest article was published.
    articles: int
    outlets: int
    origins: int
    newest_at: datetime | None = None
    #: The story before this one, if there is one.
    linked: str | None = None
    linked_at: datetime | None = None
    #: What the channel called its first message of this topic and story: what follows belongs under it.
    thread: str | None = None
    #: Address of the story in the console; empty when nobody said where the console is.
    link: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """Several alerts of one channel in one message."""

    alert: Alert
    #: The alerts, earliest first, each as it would be told by itself; at most as many as a channel can show.
    items: tuple[Message, ...]
    #: How many more there were.
    more: int = 0
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Words about a channel itself; ``alert.clause`` has them."""

    alert: Alert
    at: datetime


#: Whatever a channel may be asked to send.
Outgoing: TypeAlias = Message | Digest | Notice


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """What is not told for a time, because a person said so: patterns as in routes, where an empty one fits all."""

    id: int
    topic: str = ""
    outlet: str = ""
    channel: str = ""
    story: str = ""
    author: str
    comment: str
    created_at: datetime
    starts_at: datetime
    #: From here on it holds no more.
    ends_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One attempt to send an alert."""

    alert_key: str
    at: datetime
    attempt: int
    outcome: Reason
    detail: str = ""
    #: The receiver's own id for the message, where it gives one.
    remote_id: str | None = None


def alert_key(*, topic_id: str, story_id: str, channel_id: str, kind: str) -> str:
    """Return the key under which an alert exists once: 32 hex digits.

    ``kind`` is ``first``, or the role and the article that a follow-up is about.
    """
    return _digest(f"{topic_id}\x1f{story_id}\x1f{channel_id}\x1f{kind}")[:32]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Lengths:
    """What is known of the lengths of the texts that a host's pages give: means of logarithms of characters."""

    #: Texts that were seen.
    count: int = 0
    usual: float = 0.0
    recent: float = 0.0
    #: Since when they are far shorter than usual; ``None`` when they are not.
    since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """Something that is not as it should be although nothing has failed: mostly a silence."""

    #: ``feed-quiet``, ``text-collapsed``, ``topic-quiet`` or ``canary-late``.
    kind: str
    #: The feed, host or topic.
    subject: str
    #: A sentence for people.
    detail: str
    since: datetime
