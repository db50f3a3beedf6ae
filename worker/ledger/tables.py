"""The ledger's tables.

Every table whose rows are worked on has the lease columns of ``_work_columns``. Rules about them stand in
``worker.ledger.leases``. Change a table here and add a migration in ``migrations/versions``: a test compares both.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
    text,
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Instant(TypeDecorator[datetime]):
    """An aware UTC time, stored as whole microseconds since 1970 so that every database orders it alike."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:  # noqa: ARG002, ANN401 - SQLAlchemy's signature
        """Return microseconds; refuse a time without a zone, which could mean anything."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone")
        return (value - _EPOCH) // _MICROSECOND

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ARG002, ANN401
        """Return the aware time."""
        return None if value is None else _EPOCH + value * _MICROSECOND


class Span(TypeDecorator[timedelta]):
    """A span of time, stored as whole microseconds."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: timedelta | None, dialect: Dialect) -> Any:  # noqa: ARG002, ANN401
        """Return microseconds."""
        return None if value is None else value // _MICROSECOND

    def process_result_value(self, value: Any, dialect: Dialect) -> timedelta | None:  # noqa: ARG002, ANN401
        """Return the span."""
        return None if value is None else value * _MICROSECOND


#: Alembic compares constraint names, so all of them follow one pattern.
metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)
# SQLite gives automatic ids to INTEGER primary keys only.
_Id = BigInteger().with_variant(Integer(), "sqlite")


def _work_columns() -> tuple[Column[Any], ...]:
    return (
        Column("due_at", Instant, nullable=False),
        Column("lease_until", Instant),
        Column("lease_token", Text),
        Column("attempt", Integer, nullable=False, default=0, server_default="0"),
        Column("last_error", Text),
    )


def _work_indexes() -> tuple[Index, ...]:
    """Return what keeps the cost of a claim the same however many rows wait.

    One way to walk them by age from both ends, and one to the few that are in hand.
    """
    in_hand = text("lease_until IS NOT NULL")
    return (
        Index(None, "work", "due_at", "id"),
        Index(None, "lease_until", sqlite_where=in_hand, postgresql_where=in_hand),
    )


feed = Table(
    "feed",
    metadata,
    Column("id", Text, primary_key=True),
    Column("url", Text, nullable=False),
    #: Of the address that is polled: what a publisher asks for its whole host reaches the other feeds there.
    Column("host", Text, nullable=False, default="", server_default=""),
    #: ``open`` while it is to be polled, ``off`` when it was taken out of the configuration or gave up.
    Column("work", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("outcome", Text),
    Column("error", Text),
    Column("etag", Text),
    Column("last_modified", Text),
    Column("body_hash", Text),
    Column("failures", Float, nullable=False, default=0.0),
    Column("polled_at", Instant),
    Column("last_success_at", Instant),
    Column("interval", Span, nullable=False),
    Column("max_age", Span, nullable=False, server_default="0"),
    #: As it is configured.
    Column("base", Span, nullable=False, server_default="600000000"),
    Column("moved_to", Text),
    Column("moved_count", Integer, nullable=False, default=0, server_default="0"),
    Column("address", Text),
    Column("full_at", Instant),
    Column("validators", Text, nullable=False, default="", server_default=""),
    Column("gaps", Integer, nullable=False, default=0, server_default="0"),
    Column("hints", JSON, nullable=False, default=dict, server_default="{}"),
    Column("rhythm", JSON, nullable=False, default=dict, server_default="{}"),
    #: When a document of the feed was last parsed, and what is remembered of it.
    Column("parsed_at", Instant),
    Column("shown", LargeBinary),
    Column("whole_at", Instant),
    *_work_columns(),
    *_work_indexes(),
    Index(None, "host"),
)

#: The identities by which a feed has shown an entry; one entry may have several.
alias = Table(
    "alias",
    metadata,
    Column("feed_id", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("entry_id", BigInteger, nullable=False, index=True),
)

entry = Table(
    "entry",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("feed_id", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("url", Text, nullable=False),
    #: ``worker.url.canonical`` of ``url``, by which ``why`` finds it.
    Column("page", Text, nullable=False, index=True),
    Column("title", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("outlet", Text, nullable=False),
    Column("language", Text),
    Column("published_at", Instant),
    Column("first_seen_at", Instant, nullable=False),
    #: When the feed last showed it, within some days: an entry that is still shown is never forgotten.
    Column("seen_at", Instant, nullable=False, server_default="0", index=True),
    #: Hashes of its folded title, and of title and text: by these a re-keyed or edited entry is known.
    Column("title_key", Text, nullable=False, default="", server_default=""),
    Column("fingerprint", Text, nullable=False, default="", server_default=""),
    #: How often it was read again because it had changed.
    Column("edits", Integer, nullable=False, default=0, server_default="0"),
    #: ``open``, ``done`` or ``dead``.
    Column("work", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("detail", Text, nullable=False, default=""),
    Column("article_id", Text, index=True),
    *_work_columns(),
    UniqueConstraint("feed_id", "key"),
    *_work_indexes(),
    Index(None, "feed_id", "title_key"),
)

article = Table(
    "article",
    metadata,
    Column("id", Text, primary_key=True),
    Column("url", Text, nullable=False),
    #: ``worker.url.canonical`` of where its page was found, after redirects; empty when it was not read from a page.
    Column("page", Text, nullable=False, default="", server_default="", index=True),
    Column("title", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("outlet", Text, nullable=False),
    Column("language", Text),
    Column("published_at", Instant, nullable=False),
    Column("read_at", Instant, nullable=False, index=True),
    Column("source", Text, nullable=False),
)

match = Table(
    "match",
    metadata,
    Column("article_id", Text, primary_key=True),
    Column("topic_id", Text, primary_key=True),
    Column("topic_version", Text, primary_key=True),
    Column("score", Float, nullable=False),
    Column("by", Text, nullable=False),
    Column("clause", Text, nullable=False),
    Column("evidence", JSON, nullable=False),
    Column("matched_at", Instant, nullable=False),
    Index(None, "topic_id", "article_id", "matched_at"),
)

story = Table(
    "story",
    metadata,
    Column("id", Text, primary_key=True),
    Column("first_at", Instant, nullable=False),
    Column("newest_at", Instant, nullable=False, index=True),
    Column("linked", Text),
    #: The story that this one turned out to be; its members are there.
    Column("merged", Text),
)

member = Table(
    "member",
    metadata,
    Column("article_id", Text, primary_key=True),
    Column("story_id", Text, nullable=False, index=True),
    Column("role", Text, nullable=False),
    Column("outlet", Text, nullable=False),
    Column("origin", Text, nullable=False),
    Column("published_at", Instant, nullable=False),
    Column("joined_at", Instant, nullable=False),
    Column("why", Text, nullable=False, default="", server_default=""),
    Column("features", JSON, nullable=False),
    Column("shingles", LargeBinary),
    #: ``turn.count`` of the turn in which it joined: what was read before it cannot know of it.
    Column("seq", BigInteger, nullable=False, default=0, server_default="0", index=True),
    Index(None, "outlet", "story_id"),
)

#: The rarest terms of members: by these a story is found again.
posting = Table(
    "posting",
    metadata,
    Column("article_id", Text, primary_key=True),
    Column("term", Text, primary_key=True),
    #: When the article was published.
    Column("at", Instant, nullable=False),
    #: As ``member`` has it, so that a search needs nothing but the index.
    Column("story_id", Text, nullable=False, default="", server_default=""),
    Index(None, "term", "at", "story_id"),
    Index(None, "at"),
)

alert = Table(
    "alert",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("key", Text, nullable=False, unique=True),
    Column("topic_id", Text, nullable=False),
    Column("story_id", Text, nullable=False),
    Column("channel_id", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("article_id", Text, nullable=False),
    Column("score", Float, nullable=False),
    Column("by", Text, nullable=False),
    Column("clause", Text, nullable=False),
    Column("evidence", JSON, nullable=False),
    Column("reason", Text, nullable=False),
    Column("created_at", Instant, nullable=False, index=True),
    #: ``open``, ``done``, ``unknown`` (may or may not have arrived), ``dead``, ``gathered`` (told in a digest that is
    #: still to be sent) or ``off`` (not told after all, for what ``last_error`` says).
    Column("work", Text, nullable=False),
    #: Set just before the channel is called: with an expired lease it means doubt.
    Column("started_at", Instant),
    Column("sent_at", Instant),
    Column("remote_id", Text),
    Column("detail", Text, nullable=False, default="", server_default=""),
    #: The key of the alert that is the digest in which this one is told; its ``work`` is then ``gathered``.
    Column("digest", Text, index=True),
    #: What was to be seen of it when it was first sent, so that later attempts say the same.
    Column("shown", JSON(none_as_null=True)),
    #: Whether it may have arrived before, and is sent again all the same.
    Column("repeat", Boolean, nullable=False, default=False, server_default=false()),
    *_work_columns(),
    *_work_indexes(),
    Index(None, "story_id", "topic_id", "channel_id"),
    Index(None, "article_id"),
    Index(None, "channel_id", "due_at"),
    Index(None, "channel_id", "work", "sent_at", "created_at"),
)

#: Channels that take nothing for a time, or until somebody mends them.
channel = Table(
    "channel",
    metadata,
    Column("id", Text, primary_key=True),
    #: Nothing is sent before; ``NULL`` when nothing stands in the way.
    Column("hold_until", Instant),
    Column("disabled_at", Instant),
    Column("reason", Text, nullable=False, default="", server_default=""),
    #: Of its configuration when it was disabled: another one gives it a new chance.
    Column("config", Text, nullable=False, default="", server_default=""),
)

silence = Table(
    "silence",
    metadata,
    Column("id", _Id, primary_key=True),
    #: Patterns as in routes; an empty one holds for everything.
    Column("topic", Text, nullable=False),
    Column("outlet", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("story", Text, nullable=False),
    Column("author", Text, nullable=False),
    Column("comment", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("starts_at", Instant, nullable=False),
    #: Moved forward to end it early.
    Column("ends_at", Instant, nullable=False, index=True),
)

delivery = Table(
    "delivery",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("alert_key", Text, nullable=False, index=True),
    Column("at", Instant, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("remote_id", Text),
)

decision = Table(
    "decision",
    metadata,
    Column("article_id", Text, primary_key=True),
    Column("topic_id", Text, primary_key=True),
    #: Empty when no channel was reached at all.
    Column("channel_id", Text, primary_key=True),
    #: An article that was read again is decided on again.
    Column("at", Instant, primary_key=True),
    Column("reason", Text, nullable=False),
    Column("detail", Text, nullable=False, default="", server_default=""),
    #: The alert that was made of it.
    Column("alert_key", Text),
)

dead = Table(
    "dead",
    metadata,
    Column("id", _Id, primary_key=True),
    #: ``entry`` or ``alert``; ``ref`` is the row's id there.
    Column("kind", Text, nullable=False),
    Column("ref", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("dead_at", Instant, nullable=False, index=True),
    Column("redriven_at", Instant),
)

snapshot = Table(
    "snapshot",
    metadata,
    Column("generation", _Id, primary_key=True),
    Column("taken_at", Instant, nullable=False),
    Column("topics", JSON, nullable=False),
    #: The texts of the configuration files by name; ``NULL`` where a replay has its topics remembered.
    Column("files", JSON(none_as_null=True)),
)

#: When parts of the service have last come round.
progress = Table(
    "progress",
    metadata,
    Column("name", Text, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("detail", Text, nullable=False, default="", server_default=""),
)

#: How often things have happened: see ``worker.ledger.tallies``.
tally = Table(
    "tally",
    metadata,
    Column("name", Text, primary_key=True),
    Column("label", Text, primary_key=True),
    #: Days since 1970; 0 for all that is folded.
    Column("day", Integer, primary_key=True),
    Column("shard", Integer, primary_key=True),
    Column("n", Float(53), nullable=False),
)

#: How long the texts are that a host's pages give: see ``worker.articles.lengths``.
length = Table(
    "length",
    metadata,
    Column("host", Text, primary_key=True),
    Column("texts", Integer, nullable=False),
    Column("usual", Float(53), nullable=False),
    Column("recent", Float(53), nullable=False),
    Column("at", Instant, nullable=False),
    #: Since when they have been far shorter than usual; ``NULL`` when they are not.
    Column("since", Instant),
)

#: Rows that a transaction writes first to have the others wait: one name for each thing that needs an order.
turn = Table(
    "turn",
    metadata,
    Column("name", Text, primary_key=True),
    Column("count", BigInteger, nullable=False),
)

#: Whether a claim may take a row; see ``worker.ledger.leases``.
OPEN = "open"
DONE = "done"
OFF = "off"
GATHERED = "gathered"
UNKNOWN = "unknown"
DEAD = "dead"

__all__ = ["DEAD", "DONE", "GATHERED", "OFF", "OPEN", "UNKNOWN", "Instant", "Span", "metadata"]
