"""Opening the ledger and running transactions on it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import DatabaseError, OperationalError
from sqlalchemy.pool import NullPool

from worker.errors import DiskFull, LedgerUnusable
from worker.ledger.migrate import upgrade

#: A transaction of the ledger: what the functions of this room take as their first argument.
Transaction = Connection

_READ_ONLY = "wirewatch_read_only"
#: Seconds that a statement waits for another process's transaction.
_BUSY_TIMEOUT = 10


class Ledger:
    """The durable record of everything seen and told, and the queue of what is still to do.

    ``url`` is an SQLAlchemy URL. ``durable`` makes every commit survive a power failure; without it a commit
    survives the death of the process, which is what a replay needs, and is some fifty times faster on SQLite
    (https://www.sqlite.org/pragma.html#pragma_synchronous).

    Raises:
        LedgerUnusable: the file cannot be opened or written, is no ledger, or comes from a newer version.
        DiskFull: there is no room to create it.
    """

    def __init__(self, url: str | URL, *, durable: bool = True) -> None:
        address = make_url(url)
        self._name = _printable(address)
        self._engine = _engine(address, durable=durable)
        try:
            with self._translated():
                upgrade(self._engine, name=self._name)
        except BaseException:
            self._engine.dispose()
            raise

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        """Yield a transaction that is committed at the end, or rolled back when the block raises.

        Raises:
            DiskFull: nothing of the transaction was kept.
            LedgerUnusable: the ledger cannot be written.
        """
        with self._translated(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """Yield a transaction that sees one state of the ledger and keeps nobody from writing."""
        with (
            self._translated(),
            self._engine.connect().execution_options(**{_READ_ONLY: True}) as connection,
        ):
            yield connection

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except DatabaseError as error:
            raise _named(error, self._name) from error


def open_file(path: Path, *, durable: bool = True) -> Ledger:
    """Return the SQLite ledger at ``path``, made when it does not exist yet, its folder included.

    Raises:
        LedgerUnusable: as ``Ledger``; also when the folder cannot be made.
        DiskFull: as ``Ledger``.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LedgerUnusable(
            f"{path.parent}: cannot make the state directory ({error.strerror}); choose another with --state"
        ) from error
    # Not as a text: a path may hold what an address gives a meaning to, such as "?".
    return Ledger(URL.create("sqlite", database=str(path)), durable=durable)


def _engine(url: URL, *, durable: bool) -> Engine:
    if url.get_backend_name() != "sqlite":
        return create_engine(url)
    in_memory = ":memory:" in (url.database or "")
    engine = create_engine(url, poolclass=NullPool if in_memory else None, connect_args={"timeout": _BUSY_TIMEOUT})
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
    read_only = connection.get_execution_options().get(_READ_ONLY)
    connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")


def _printable(url: URL) -> str:
    # Never a password: the part before @ stays out of every message.
    if url.get_backend_name() == "sqlite":
        return url.database or ":memory:"
    return str(url).rsplit("@", 1)[-1]


def _named(error: DatabaseError, name: str) -> Exception:
    """Return the error of our tree that says what ``error`` means, or ``error`` itself."""
    said = str(error.orig).lower()
    if "disk is full" in said or "disk i/o error" in said:
        return DiskFull(f"{name}: the disk is full; nothing was half-written: make room and start again")
    if "not a database" in said or "malformed" in said:
        return LedgerUnusable(f"{name}: not a wirewatch ledger, or damaged; move it away or choose another --state")
    if "unable to open" in said or "readonly" in said or "read-only" in said:
        return LedgerUnusable(f"{name}: cannot be opened for writing; mend its permissions or choose another --state")
    if isinstance(error, OperationalError) and ("no such" in said or "has no column" in said):
        return LedgerUnusable(f"{name}: not the tables of a wirewatch ledger ({error.orig}); choose another --state")
    if isinstance(error, OperationalError) and "locked" in said:
        return LedgerUnusable(f"{name}: another process has held it for more than {_BUSY_TIMEOUT} s")
    return error
