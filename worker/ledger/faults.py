"""What errors of the database mean: try again, make room, or a person must act."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote, quote_plus

from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from worker.errors import DiskFull, LedgerAway, LedgerUnusable
from worker.ledger.connections import BUSY_TIMEOUT

#: SQLSTATEs (https://www.postgresql.org/docs/current/errcodes-appendix.html) after which the same may go well later:
#: classes of connections, of transactions that were rolled back, of resources, of an operator's intervention ...
_AWAY_CLASSES: Final = frozenset({"08", "40", "53", "57"})
#: ... and a lock that was not to be had, timeouts, an I/O error, and a server that is a standby for now.
_AWAY: Final = frozenset({"55P03", "25P03", "25P04", "58030", "25006"})
_DISK_FULL: Final = "53100"
#: Authorization, an unknown database, a privilege that is missing.
_REFUSED_CLASSES: Final = frozenset({"28", "3D"})
_REFUSED: Final = frozenset({"42501"})
#: An unknown table, column or schema.
_OTHER_TABLES: Final = frozenset({"42P01", "42703", "3F000"})
#: libpq gives no SQLSTATE for a connection that did not come about, only texts, in English unless the server is told
#: otherwise. Those that no waiting will mend:
_NEVER: Final = (
    "authentication failed",
    "does not exist",
    "no password supplied",
    "no pg_hba.conf entry",
    "permission denied",
    "is not permitted to log in",
    "not currently accepting connections",
    "does not support ssl",
    "certificate",
    "invalid connection option",
    "invalid sslmode",
    "invalid port number",
)
_MOST: Final = 300
_REMEDY: Final = "mend `ledger` in service.yaml, or give that user and database what is missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a ledger is, as messages may show it."""

    #: A path, or ``host:port/database``: never a user or a password.
    name: str
    sqlite: bool
    #: What must not stand in a message, in every form in which a URL may hold it.
    secrets: tuple[str, ...] = field(default=(), repr=False)

    @property
    def other(self) -> str:
        """How to take another ledger."""
        return "choose another --state" if self.sqlite else "name another database in service.yaml"

    def clean(self, text: str) -> str:
        """Return ``text`` on one line, not too long, and without secrets."""
        for secret in self.secrets:
            text = text.replace(secret, "***")
        return " ".join(text.split())[:_MOST]


def place(url: URL) -> Place:
    """Return where ``url`` leads."""
    if url.get_backend_name() == "sqlite":
        return Place(name=url.database or ":memory:", sqlite=True)
    query = url.normalized_query
    host = url.host or "localhost"
    one = (f"[{host}]" if ":" in host else host) + (f":{url.port}" if url.port else "")
    # In the query there may be several, each with its port, or the folder of a socket.
    where = ",".join(query.get("host") or (one,))
    known = (url.password, *query.get("password", ()), *query.get("sslpassword", ()))
    secrets = {form for secret in known if secret for form in (str(secret), quote(str(secret), ""), quote_plus(secret))}
    return Place(
        name=f"{where}/{url.database or ''}", sqlite=False, secrets=tuple(sorted(secrets, key=len, reverse=True))
    )


def named(error: DBAPIError | PoolTimeout, place: Place) -> Exception:
    """Return the error of our tree that says what ``error`` means, or ``error`` itself."""
    if isinstance(error, PoolTimeout):
        return LedgerAway(f"{place.name}: all connections of this process are in use")
    return _of_sqlite(error, place) if place.sqlite else _of_postgres(error, place)


def _of_sqlite(error: DBAPIError, place: Place) -> Exception:
    said, name = str(error.orig).lower(), place.name
    if "disk is full" in said or "disk i/o error" in said:
        return _full(name)
    if "not a database" in said or "malformed" in said:
        return LedgerUnusable(f"{name}: not a wirewatch ledger, or damaged; move it away or choose another --state")
    if "unable to open" in said or "readonly" in said or "read-only" in said:
        return LedgerUnusable(f"{name}: cannot be opened for writing; mend its permissions or choose another --state")
    if isinstance(error, OperationalError) and ("no such" in said or "has no column" in said):
        return _other_tables(place, str(error.orig))
    if isinstance(error, OperationalError) and ("locked" in said or "locking protocol" in said):
        return LedgerAway(f"{name}: another process has held it for more than {BUSY_TIMEOUT} s; try again")
    return error


def _of_postgres(error: DBAPIError, place: Place) -> Exception:
    state = getattr(error.orig, "sqlstate", None) or ""
    if not state:
        return _of_connection(error, place)
    # Only the first line: later ones may quote what was to be written.
    reason = place.clean(str(error.orig).partition("\n")[0])
    if state == _DISK_FULL:
        return _full(place.name)
    if state[:2] in _AWAY_CLASSES or state in _AWAY:
        return _away(place, reason)
    if state[:2] in _REFUSED_CLASSES or state in _REFUSED:
        return LedgerUnusable(f"{place.name}: {reason}; {_REMEDY}")
    if state in _OTHER_TABLES:
        return _other_tables(place, reason)
    return error


def _of_connection(error: DBAPIError, place: Place) -> Exception:
    said = str(error.orig)
    # It begins with the address, which stands in front of the message already.
    reason = place.clean(said if said.count(" failed: ") > 2 else said.rpartition(" failed: ")[2])  # noqa: PLR2004 - hosts
    if any(sign in said.lower() for sign in _NEVER):
        return LedgerUnusable(f"{place.name}: {reason}; {_REMEDY}")
    if error.connection_invalidated or isinstance(error, OperationalError | InterfaceError):
        return _away(place, reason)
    return error


def _away(place: Place, reason: str) -> LedgerAway:
    return LedgerAway(f"{place.name}: the ledger does not answer, or is busy ({reason}); is PostgreSQL running there?")


def _full(name: str) -> DiskFull:
    return DiskFull(f"{name}: the disk is full; nothing was half-written: make room (a service then goes on by itself)")


def _other_tables(place: Place, reason: str) -> LedgerUnusable:
    return LedgerUnusable(f"{place.name}: not the tables of a wirewatch ledger ({reason}); {place.other}")
