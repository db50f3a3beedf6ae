"""A look at a ledger that makes, brings up to date and changes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, create_engine, inspect, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import NullPool

from worker.errors import LedgerUnusable
from worker.ledger import connections, faults
from worker.ledger.migrate import HEAD, revision


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a ledger shows to somebody who only looks."""

    #: Where it is, without user and password.
    name: str
    #: Its schema; ``None`` for a database in which wirewatch has made nothing yet.
    revision: str | None
    #: The schema of this version.
    head: str = HEAD
    #: Whether there are tables although there is no schema of ours.
    foreign: bool = False
    #: The clock of its server; ``None`` when that is this machine.
    clock: datetime | None = None

    @property
    def newer(self) -> bool:
        """Whether a newer version has made it."""
        # Revisions are numbers of four digits.
        return self.revision is not None and self.revision > self.head


def look_at_file(path: Path) -> Seen:
    """Return what the SQLite ledger at ``path`` shows.

    Raises:
        LedgerError: it cannot be read, or is none.
    """
    uri = URL.create("sqlite", database=path.absolute().as_uri(), query={"mode": "ro", "uri": "true"})
    # NullPool: nothing is left open.
    engine = create_engine(uri, poolclass=NullPool, connect_args={"timeout": connections.BUSY_TIMEOUT})
    return _look(engine, faults.place(URL.create("sqlite", database=str(path))))


def look_at_server(url: str) -> Seen:
    """Return what the PostgreSQL ledger at ``url`` shows.

    Raises:
        LedgerError: it does not answer, or cannot be read.
    """
    try:
        address = make_url(url)
        place, engine = faults.place(address), connections.connect(address, durable=True)
    except (ArgumentError, ValueError):
        # Its text is not shown: it may hold a password in any place.
        raise LedgerUnusable("`ledger` in service.yaml is no URL of a database") from None
    return _look(engine, place)


def _look(engine: Engine, place: faults.Place) -> Seen:
    try:
        with engine.connect() as connection:
            found = revision(connection)
            foreign = found is None and bool(inspect(connection).get_table_names())
            return Seen(name=place.name, revision=found, foreign=foreign, clock=_clock(connection))
    except (DBAPIError, PoolTimeout) as error:
        raise faults.named(error, place) from error
    finally:
        engine.dispose()


def _clock(connection: Connection) -> datetime | None:
    if connection.dialect.name == "sqlite":
        return None
    found: datetime = connection.exec_driver_sql("SELECT clock_timestamp()").scalar_one()
    return found.astimezone(UTC)
