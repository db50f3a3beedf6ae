"""How the ledger's database is connected to: SQLite in a file, or PostgreSQL by URL.

Connections belong to the process that has opened them: SQLite's locks and PostgreSQL's protocol both break when a child
goes on with what its parent had open. ``Ledger`` starts anew in a child by itself; a parent that forks had better open
none.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.pool import NullPool

#: Seconds that a statement waits for what another transaction holds.
BUSY_TIMEOUT: Final = 10
#: The execution option of a transaction that writes nothing.
READ_ONLY: Final = "wirewatch_read_only"
#: Connections that stay open in one process, and more that are opened while many threads want one. PostgreSQL allows
#: 100 for all processes together unless it is told otherwise.
_KEPT, _MORE = 4, 8
#: Seconds until a connection that is not to be had is given up.
_POOL_TIMEOUT: Final = 30
_POOL: Final = {"pool_size": _KEPT, "max_overflow": _MORE, "pool_timeout": _POOL_TIMEOUT}
#: https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS. A peer that has vanished is known
#: after about a minute when nothing is under way, and after 30 s when something is.
_POSTGRES: Final = {
    "connect_timeout": 5,
    "application_name": "wirewatch",
    "keepalives": 1,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
#: Somebody who has stopped in the middle of a transaction must not keep the others waiting for ever: they give up after
#: ``BUSY_TIMEOUT``, and what he holds is freed after a minute.
_MANNERS: Final = f"SET lock_timeout = '{BUSY_TIMEOUT}s'; SET idle_in_transaction_session_timeout = '60s'"


def connect(url: URL, *, durable: bool) -> Engine:
    """Return an engine for ``url``; nothing is connected yet. What the URL's query says goes before our defaults."""
    if url.get_backend_name() == "sqlite":
        return _sqlite(url, durable=durable)
    given = {name: value for name, value in _POSTGRES.items() if name not in url.query}
    engine = create_engine(
        url,
        connect_args=given,
        # The rules of the ledger count on it that a statement sees what was committed before it.
        isolation_level="READ COMMITTED",
        pool_pre_ping=True,
        pool_use_lifo=True,
        **_POOL,
    )
    event.listen(engine, "connect", _postgres_connected)
    return engine


def read_options(engine: Engine) -> dict[str, Any]:
    """Return the execution options of a transaction that sees one state of the ledger and writes nothing."""
    if engine.dialect.name == "sqlite":
        return {READ_ONLY: True}
    return {READ_ONLY: True, "isolation_level": "REPEATABLE READ", "postgresql_readonly": True}


def _postgres_connected(connection: Any, record: Any) -> None:  # noqa: ANN401, ARG001 - SQLAlchemy's signature
    with connection.cursor() as cursor:
        cursor.execute(_MANNERS)
    connection.commit()


def _sqlite(url: URL, *, durable: bool) -> Engine:
    arguments = {"timeout": BUSY_TIMEOUT}
    if ":memory:" in (url.database or ""):
        engine = create_engine(url, poolclass=NullPool, connect_args=arguments)
    else:
        engine = create_engine(url, connect_args=arguments, **_POOL)
    event.listen(engine, "connect", _sqlite_connected(durable=durable))
    event.listen(engine, "begin", _sqlite_begins)
    return engine


def _sqlite_connected(*, durable: bool) -> Any:  # noqa: ANN401 - SQLAlchemy's listener
    synchronous = "FULL" if durable else "NORMAL"

    def connected(connection: Any, record: Any) -> None:  # noqa: ANN401, ARG001 - SQLAlchemy's signature
        # The sqlite3 module would begin transactions when it sees fit; SQLAlchemy's documentation (dialect
        # "pysqlite", "Serializable isolation / Savepoints") tells to switch that off and begin in the event.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute(f"PRAGMA synchronous={synchronous}")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    return connected


def _sqlite_begins(connection: Connection) -> None:
    # IMMEDIATE takes the write lock at once, so that a transaction never fails half-way with "database is locked".
    read_only = connection.get_execution_options().get(READ_ONLY)
    connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")
