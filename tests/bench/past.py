"""A ledger with a past, made by its database in one statement a table, since a million rows one by one take hours.

Every entry of it was read: it has an identity and an article, and one in ten an alert that was delivered. Indexes are
made anew after the rows, which takes a third of the time; so is SQLite's index of words.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg

from tests.builders import NOON

#: Rows of the past are a second apart, the last one before noon.
_LAST = NOON.timestamp() * 1_000_000
_AT = f"{_LAST:.0f} - n * 1000000"
_TEXT = (
    "'The minister of number ' || (n % 5000) || ' said in town ' || (n % 317) || ' that ' || (n % 7919) || ' had come.'"
)
_ENTRIES = {
    "entry": {
        "feed_id": "'f-' || (n % 1000)",
        "key": "'k-' || n",
        "url": "'https://past.example/' || n",
        "page": "'https://past.example/' || n",
        "title": "'Title ' || n",
        "text": "'What the feed said.'",
        "outlet": "'Past'",
        "first_seen_at": _AT,
        "seen_at": _AT,
        "title_key": "'t-' || n",
        "fingerprint": "'p-' || n",
        "work": "'done'",
        "reason": "'page'",
        "detail": "''",
        "article_id": "'past-' || n",
        "due_at": _AT,
        "attempt": "1",
    },
    "alias": {"feed_id": "'f-' || (n % 1000)", "key": "'k-' || n", "entry_id": "n"},
    "article": {
        "id": "'past-' || n",
        "url": "'https://past.example/' || n",
        "page": "'https://past.example/' || n",
        "title": "'Title ' || n",
        "text": _TEXT,
        "outlet": "'Past'",
        "language": "'en'",
        "published_at": _AT,
        "read_at": _AT,
        "source": "'page'",
    },
}
_ALERTS = {
    "alert": {
        "key": "'past-' || n",
        "topic_id": "'topic-' || (n % 100)",
        "story_id": "'s-' || n",
        "channel_id": "'screen'",
        "role": "'first'",
        "article_id": "'past-' || n",
        "score": "1",
        "by": "'rule'",
        "clause": "''",
        "evidence": "'[]'",
        "reason": "'queued'",
        "created_at": _AT,
        "work": "'done'",
        "sent_at": _AT,
        "due_at": _AT,
        "attempt": "1",
    },
    "decision": {
        "article_id": "'past-' || n",
        "topic_id": "'topic-' || (n % 100)",
        "channel_id": "'screen'",
        "at": _AT,
        "reason": "'queued'",
        "alert_key": "'past-' || n",
    },
    "delivery": {
        "alert_key": "'past-' || n",
        "at": _AT,
        "attempt": "1",
        "outcome": "'delivered'",
        "detail": "''",
    },
}
#: Of so many entries one has an alert.
_TOLD = 10
_NUMBERS = {
    "sqlite": "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {size})",
    "postgresql": "WITH numbers AS (SELECT generate_series(1::bigint, {size}) AS n)",
}


def fill_file(path: Path, size: int) -> None:
    """Give the empty ledger in a file a past of ``size`` entries."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for pragma in ("journal_mode=OFF", "synchronous=OFF", "cache_size=-200000", "temp_store=MEMORY"):
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("BEGIN")
        for table, insertion in _insertions("sqlite", size):
            with without_indexes(connection, table):
                connection.execute(insertion)
                if table == "article":
                    connection.execute(
                        "INSERT INTO archived (article_id, outlet, published_at) "
                        "SELECT id, outlet, published_at FROM article"
                    )
                    connection.execute("INSERT INTO archive (archive) VALUES ('rebuild')")
        connection.execute("COMMIT")
        connection.execute("PRAGMA journal_mode=WAL")


def fill_server(url: str, size: int) -> None:
    """Give the empty ledger in a database of PostgreSQL a past of ``size`` entries, and have it looked over."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET maintenance_work_mem = '256MB'")
        for table, insertion in _insertions("postgresql", size):
            known = "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = %s AND indexdef LIKE 'CREATE INDEX%%'"
            indexes = connection.execute(known, (table,)).fetchall()
            for name, _ in indexes:
                connection.execute(f'DROP INDEX "{name}"'.encode())
            connection.execute(insertion.encode())
            for _, made in indexes:
                connection.execute(made.encode())
        # As the server's own housekeeping does, which would otherwise come in the midst of the measuring.
        connection.execute("VACUUM (FREEZE, ANALYZE)")


def _insertions(dialect: str, size: int) -> Iterator[tuple[str, str]]:
    for tables, count in ((_ENTRIES, size), (_ALERTS, size // _TOLD)):
        for table, columns in tables.items():
            names = ", ".join(f'"{name}"' for name in columns)
            values = ", ".join(columns.values())
            numbers = _NUMBERS[dialect].format(size=count)
            yield table, f'INSERT INTO "{table}" ({names}) {numbers} SELECT {values} FROM numbers'  # noqa: S608 - ours


@contextmanager
def without_indexes(connection: sqlite3.Connection, table: str) -> Iterator[None]:
    """Take the indexes and triggers of a table away for as long as the block."""
    made: Iterable[tuple[str, str, str]] = connection.execute(
        "SELECT type, name, sql FROM sqlite_master WHERE tbl_name = ? AND type IN ('index', 'trigger') AND sql <> ''",
        (table,),
    ).fetchall()
    for kind, name, _ in made:
        connection.execute(f'DROP {kind} "{name}"')
    yield
    for _, _, sql in made:
        connection.execute(sql)
