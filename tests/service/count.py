"""What became of the articles that were published: the ledger is held against what has arrived at the receiver."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import URL, Connection, create_engine, make_url, select
from sqlalchemy.exc import DatabaseError
from sqlalchemy.pool import NullPool

from worker.ledger.tables import DEAD, DONE, OPEN, UNKNOWN, alert, article, entry

#: Seconds between two looks, and after which a wait says how far it is.
_EVERY, _SAY_EVERY = 0.5, 15.0
_SHOWN = 3
# https://www.sqlite.org/uri.html: a reader of its own would write the log back into the file when it is the last.
_READ_ONLY = {"mode": "ro", "uri": "true"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """How many articles came to which end. ``expected`` is the sum of delivered, dead, unknown, open and lost.

    What the ledger says holds for all that is not done; an article is delivered when it has arrived at the receiver.
    """

    expected: int = 0
    delivered: int = 0
    #: Arrivals beyond the first of an article, whatever the keys of the alerts were.
    repeated: int = 0
    #: Given up, as an entry or as an alert, and shown among the dead letters.
    dead: int = 0
    #: Nobody can tell whether it has arrived, and the ledger says so.
    unknown: int = 0
    #: Still to be read, or to be sent.
    open: int = 0
    #: Nowhere: never seen, ended without an alert, or delivered as the ledger has it and never arrived.
    lost: int = 0
    #: Arrivals of what was not expected, or of alerts that the ledger does not know.
    stray: int = 0
    #: Of those that are lost, how many the ledger has never seen: their feed may still have to be polled.
    unseen: int = field(default=0, compare=False)
    #: Some of the articles by the name of their end, for people.
    which: Mapping[str, tuple[str, ...]] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What the ledger says: the states of entries and alerts by the address of the article, and the alerts' keys."""

    entries: Mapping[str, str] = field(default_factory=dict)
    alerts: Mapping[str, frozenset[str]] = field(default_factory=dict)
    keys: frozenset[str] = frozenset()


def count(expected: Collection[str], *, ledger: str | URL, received: Callable[[], Iterable[tuple[str, str]]]) -> Count:
    """Return what became of the articles at the addresses ``expected``.

    ``received`` gives the alert's key and the article's address of everything that has arrived.

    Raises:
        sqlalchemy.exc.DatabaseError: the ledger cannot be read now.
    """
    # The ledger first: what is done there has arrived before.
    written = read(ledger)
    arrived = list(received())
    times = Counter(url for _, url in arrived)
    ends = {url: _end(url, written, arrived=url in times) for url in dict.fromkeys(expected)}
    found = Counter(ends.values())
    stray = [url for key, url in arrived if url not in ends or key not in written.keys]
    repeated = Counter({url: number - 1 for url, number in times.items() if url in ends and number > 1})
    which: defaultdict[str, list[str]] = defaultdict(list)
    for url, name in (*ends.items(), *((url, "repeated") for url in repeated), *((url, "stray") for url in stray)):
        if name != "delivered" and len(which[name]) < _SHOWN:
            which[name].append(url)
    return Count(
        expected=len(ends),
        **{name: found[name] for name in ("delivered", "dead", "unknown", "open", "lost")},
        repeated=repeated.total(),
        stray=len(stray),
        unseen=sum(name == "lost" and url not in written.entries for url, name in ends.items()),
        which={name: tuple(urls) for name, urls in which.items()},
    )


def _end(url: str, written: Written, *, arrived: bool) -> str:
    states = written.alerts.get(url, frozenset())
    for state, name in ((OPEN, "open"), (UNKNOWN, "unknown"), (DEAD, "dead")):
        if state in states:
            return name
    if arrived:
        return "delivered"
    if states:
        return "lost"
    return {OPEN: "open", DEAD: "dead"}.get(written.entries.get(url, DONE), "lost")


def settled(
    counted: Callable[[], Count],
    *,
    seconds: float = 120.0,
    patience: float = 20.0,
    working: Callable[[], bool] = lambda: True,
    every: float = _EVERY,
    say_every: float = _SAY_EVERY,
    say: Callable[[str], None] = print,
) -> Count:
    """Return the count when nothing is open and nothing missing, or at the latest after ``seconds``.

    What is lost is believed to be so when nothing is open or unseen and nothing has changed for ``patience`` seconds,
    and all counts are when nobody is ``working`` any more. A ledger that cannot be read meanwhile is asked again.
    """
    began = said = changed = time.monotonic()
    last: Count | None = None
    error: DatabaseError | None = None
    while True:
        now = time.monotonic()
        # Before the count: what ends in between has done its work by then.
        over = not working()
        try:
            found = counted()
        except DatabaseError as away:
            error, changed = away, now
        else:
            changed = changed if found == last else now
            last, error = found, None
            still = bool(found.lost) and (bool(found.unseen) or now - changed <= patience)
            if over or not (found.open or still):
                return found
        if now - began > seconds:
            break
        if now - said > say_every:
            said = now
            say(f"after {now - began:.0f} s: {error or last}")
        time.sleep(every)
    assert last is not None, f"the ledger could not be read for {seconds:g} s: {error}"
    return last


def read(ledger: str | URL) -> Written:
    """Return what a ledger says of all articles, without changing anything in it; nothing when there is none yet.

    Raises:
        sqlalchemy.exc.DatabaseError: it cannot be read now.
    """
    url = make_url(ledger)
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").exists():
        return Written()
    with _connected(url) as connection:
        if not _made(connection):
            return Written()
        entries = {row.url: row.work for row in connection.execute(select(entry.c.url, entry.c.work))}
        alerts: defaultdict[str, set[str]] = defaultdict(set)
        keys = set()
        rows = connection.execute(
            select(article.c.url, alert.c.key, alert.c.work).join(article, article.c.id == alert.c.article_id)
        )
        for row in rows:
            alerts[row.url].add(row.work)
            keys.add(row.key)
    return Written(
        entries=entries,
        alerts={address: frozenset(states) for address, states in alerts.items()},
        keys=frozenset(keys),
    )


@contextmanager
def _connected(url: URL) -> Iterator[Connection]:
    """Yield a connection that sees one state: between two statements an entry could become an alert."""
    if url.get_backend_name() == "sqlite":
        place = f"file:{quote(url.database or '')}"
        engine = create_engine(URL.create("sqlite", database=place, query=_READ_ONLY), poolclass=NullPool)
    else:
        engine = create_engine(url, poolclass=NullPool, isolation_level="REPEATABLE READ")
    try:
        with engine.connect() as connection:
            if url.get_backend_name() == "sqlite":
                connection.exec_driver_sql("BEGIN")
            yield connection
    finally:
        engine.dispose()


def _made(connection: Connection) -> bool:
    return connection.dialect.has_table(connection, alert.name)
