"""Opening the ledger and running transactions on it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from worker.errors import LedgerUnusable
from worker.ledger import connections, faults, tallies
from worker.ledger.migrate import upgrade

#: Transactions of the ledger: what the functions of this room take as their first argument.
Transaction = Connection

#: Pools that were open when this process was forked. They are the parent's, and are kept from being collected, which
#: would close a file whose locks the parent holds.
_parents: list[Any] = []


class Ledger:
    """The durable record of everything seen and told, and the queue of what is still to do.

    ``url`` is an SQLAlchemy URL. ``durable`` makes every commit survive a power failure; without it a commit
    survives the death of the process, which is what a replay needs, and is some fifty times faster on SQLite
    (https://www.sqlite.org/pragma.html#pragma_synchronous).

    It may be used from many threads, and after a fork from the child, too, which opens connections of its own.

    Raises:
        LedgerUnusable: it cannot be opened or written, is no ledger, or comes from a newer version.
        LedgerAway: the server does not answer, or others hold the ledger.
        DiskFull: there is no room to create it.
    """

    def __init__(self, url: str | URL, *, durable: bool = True) -> None:
        address = _parsed(url)
        self._place = faults.place(address)
        self._owner = os.getpid()
        try:
            self._engine = connections.connect(address, durable=durable)
        except ArgumentError as error:  # an odd option in the query
            raise LedgerUnusable(f"{self._place.name}: {self._place.clean(str(error))}") from None
        self._read_options = connections.read_options(self._engine)
        try:
            with self._translated():
                upgrade(self._engine, name=self.name, other=self._place.other)
        except BaseException:
            self._engine.dispose()
            raise

    @property
    def name(self) -> str:
        """Where it is, without user and password."""
        return self._place.name

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        """Yield a transaction that is committed at the end, or rolled back when the block raises.

        Raises:
            LedgerAway: it may be tried again. Nothing was kept, unless the connection was lost in the very commit.
            DiskFull: nothing of the transaction was kept.
            LedgerUnusable: the ledger cannot be written.
        """
        with self._translated(), self._own().begin() as connection:
            tallies.begin(connection)
            yield connection
            tallies.write(connection)

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """Yield a transaction that sees one state of the ledger and keeps nobody from writing.

        Raises:
            LedgerAway: it may be tried again.
            LedgerUnusable: the ledger cannot be read.
        """
        with self._translated(), self._own().connect().execution_options(**self._read_options) as connection:
            yield connection

    def clock(self) -> datetime:
        """Return the time of the database, aware and in UTC: that of its server, or with SQLite that of this host.

        Raises:
            LedgerError: as ``read``.
        """
        with self.read() as t:
            if t.dialect.name == "sqlite":
                now = t.exec_driver_sql("SELECT strftime('%Y-%m-%dT%H:%M:%f', 'now')").scalar_one()
                return datetime.fromisoformat(now).replace(tzinfo=UTC)
            found: datetime = t.exec_driver_sql("SELECT clock_timestamp()").scalar_one()
            return found.astimezone(UTC)

    def close(self) -> None:
        """Close the connections."""
        self._own().dispose()

    def _own(self) -> Engine:
        """Return the engine, without the connections of a parent."""
        if self._owner != os.getpid():
            _parents.append(self._engine.pool)
            self._engine.dispose(close=False)
            self._owner = os.getpid()
        return self._engine

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (DBAPIError, PoolTimeout) as error:
            raise faults.named(error, self._place) from error


def _parsed(url: str | URL) -> URL:
    try:
        return make_url(url)
    except (ArgumentError, ValueError):
        # Its text is not shown: it may hold a password in any place.
        raise LedgerUnusable("`ledger` in service.yaml is no URL of a database") from None


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
