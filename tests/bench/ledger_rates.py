"""What the ledger does a CPU second, on both databases, and whether the cost grows with what it remembers.

The CPU time is that of this process and, for PostgreSQL, of the server with all its processes. Things are done in
transactions as the stages do them: entries come from polls of 25, are claimed by tens, and are recorded with their
articles by tens; an alert is decided by itself, claimed with nine others, begun and ended by itself.
"""

from __future__ import annotations

import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from itertools import count, islice
from pathlib import Path
from typing import TypeVar

import psycopg
from sqlalchemy import make_url

from tests.bench.harness import Figure, Processes, Row, per_second, ratio
from tests.bench.past import fill_file, fill_server
from tests.builders import NOON, alert, article, entry
from tests.postgres import server
from tests.rows import new
from worker.ledger import decided, entries, outbox
from worker.ledger.engine import Ledger, open_file
from worker.ledger.entries import End
from worker.ledger.leases import Claim
from worker.model import Delivery, Reason

T = TypeVar("T")

#: Entries of the past: a young ledger's, and an old one's.
_PAST = (10_000, 1_000_000)
_GOAL = 1.5
#: Entries and alerts of a round.
_ENTRIES, _ALERTS = 500, 200
_POLL, _BATCH = 25, 10
_WARM_UP = 1
#: What is measured, in the order in which it is done, with how many of it a round has.
_DONE = {
    "insert an entry": _ENTRIES,
    "claim an entry": _ENTRIES,
    "finish an entry with its article": _ENTRIES,
    "add an alert": _ALERTS,
    "claim an alert": _ALERTS,
    "begin and end an alert": _ALERTS,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Subject:
    """A ledger with a past."""

    database: str
    past: int
    ledger: Ledger
    #: The server's, where there is one.
    processes: Processes

    def seconds(self) -> float:
        """Return the CPU seconds used so far by all that works for the ledger."""
        return time.process_time() + self.processes.seconds()


def rows(rounds: int, *, past: Sequence[int] = _PAST) -> Iterable[Row]:
    """Yield for each database and each thing done how many times the cost in a young ledger it costs in an old one."""
    with ExitStack() as stack:
        address = stack.enter_context(server())
        # The greatest first: making a past takes most of the minutes, and the two databases work beside each other.
        makers = [
            partial(make, size) for size in sorted(past, reverse=True) for make in (_file, partial(_database, address))
        ]
        with ThreadPoolExecutor(2) as pool:
            subjects = list(pool.map(lambda make: stack.enter_context(make()), makers))
        took = _measured(subjects, rounds)
    for database in ("SQLite", "PostgreSQL"):
        for what, number in _DONE.items():
            young, old = (took[database, size, what] for size in (past[0], past[-1]))
            yield Row(
                what=f"{what} on {database}: with {past[-1]:,} articles of past against {past[0]:,}",
                value=ratio(old, young),
                unit="x",
                goal=_GOAL,
                beside={
                    f"a CPU second with {past[0]:,}": per_second(young, number).median,
                    f"a CPU second with {past[-1]:,}": per_second(old, number).median,
                },
            )


def _measured(subjects: Sequence[_Subject], rounds: int) -> dict[tuple[str, int, str], Figure]:
    """Return what each thing has taken on each ledger; each round in the other order than the one before."""
    took: defaultdict[tuple[str, int, str], list[float]] = defaultdict(list)
    numbers = count(1)
    for number in range(_WARM_UP + rounds):
        for subject in subjects[:: -1 if number % 2 else 1]:
            first = next(numbers) * 1_000_000
            for what, seconds in _round(subject, first):
                if number >= _WARM_UP:
                    took[subject.database, subject.past, what].append(seconds)
    return {key: Figure(name=key[2], rounds=tuple(values)) for key, values in took.items()}


def _round(subject: _Subject, first: int) -> Iterator[tuple[str, float]]:
    """Yield the CPU seconds of each thing of ``_DONE``; numbers from ``first`` on are free."""
    ledger = subject.ledger
    claims: list[Claim[entries.Due]] = []
    alerts: list[Claim[outbox.Due]] = []
    steps: tuple[Callable[[], None], ...] = (
        lambda: _insert(ledger, first),
        lambda: claims.extend(_claim(ledger)),
        lambda: _finish(ledger, claims),
        lambda: _add(ledger, first),
        lambda: alerts.extend(_claim_alerts(ledger)),
        lambda: _deliver(ledger, alerts),
    )
    for what, step in zip(_DONE, steps, strict=True):
        began = subject.seconds()
        step()
        yield what, subject.seconds() - began
    # A benchmark that did less than it says would be a lie.
    assert {one.value.entry.url for one in claims} == {entry(first + n).url for n in range(_ENTRIES)}
    assert {one.value.alert.key for one in alerts} == {alert(first + n).key for n in range(_ALERTS)}
    with ledger.read() as t:
        assert len(entries.known_articles(t, [article(first + n).id for n in range(_ENTRIES)])) == _ENTRIES
        assert not any(one.waits for one in decided.about(t, article(first).id))
        assert outbox.has_delivery(t, _delivery(alert(first + _ALERTS - 1).key))


def _insert(ledger: Ledger, first: int) -> None:
    for numbers in _portions(range(first, first + _ENTRIES), _POLL):
        with ledger.write() as t:
            assert len(entries.add(t, new(*(entry(n) for n in numbers)), now=NOON)) == len(numbers)


def _claim(ledger: Ledger) -> Iterator[Claim[entries.Due]]:
    while True:
        with ledger.write() as t:
            some = entries.claim(t, now=NOON, limit=_BATCH)
        if not some:
            return
        yield from some


def _finish(ledger: Ledger, claims: Sequence[Claim[entries.Due]]) -> None:
    for some in _portions(claims, _BATCH):
        read = {one.id: article(int(one.value.entry.url.rpartition("/")[2])) for one in some}
        with ledger.write() as t:
            assert len(entries.add_articles(t, read.values(), now=NOON)) == len(some)
            ends = [End(claim=one, reason=Reason.PAGE, article_id=read[one.id].id) for one in some]
            entries.finish_all(t, ends)


def _add(ledger: Ledger, first: int) -> None:
    for n in range(first, first + _ALERTS):
        made = alert(n, story_id=f"s-{n}")
        with ledger.write() as t:
            assert decided.add(t, made)
            decided.add_decision(
                t,
                article_id=made.article_id,
                topic_id=made.topic_id,
                channel_id=made.channel_id,
                reason=made.reason,
                alert_key=made.key,
                now=NOON,
            )


def _claim_alerts(ledger: Ledger) -> Iterator[Claim[outbox.Due]]:
    while True:
        with ledger.write() as t:
            some = outbox.claim(t, now=NOON, limit=_BATCH)
        if not some:
            return
        yield from some


def _deliver(ledger: Ledger, claims: Sequence[Claim[outbox.Due]]) -> None:
    for one in claims:
        with ledger.write() as t:
            outbox.begin(t, one, now=NOON, shown={"kind": "message", "title": "Headline"})
        with ledger.write() as t:
            outbox.record(t, one, _delivery(one.value.alert.key))


def _delivery(key: str) -> Delivery:
    return Delivery(alert_key=key, at=NOON + timedelta(seconds=1), attempt=1, outcome=Reason.DELIVERED)


def _portions(values: Iterable[T], size: int) -> Iterator[list[T]]:
    rest = iter(values)
    while some := list(islice(rest, size)):
        yield some


@contextmanager
def _file(past: int) -> Iterator[_Subject]:
    """Give a ledger in a file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.sqlite"
        open_file(path, durable=False).close()
        fill_file(path, past)
        with closing(open_file(path, durable=False)) as ledger:
            yield _Subject(database="SQLite", past=past, ledger=ledger, processes=Processes())


@contextmanager
def _database(address: str, past: int) -> Iterator[_Subject]:
    """Give a ledger in a database of its own on the server of that address."""
    url = make_url(address).set(database=f"past{past}")
    plain = make_url(address).set(drivername="postgresql")
    with psycopg.connect(plain.render_as_string(hide_password=False), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE past{past}".encode())
        found = connection.execute("SELECT current_setting('data_directory')").fetchone()
    assert found is not None
    pid = int((Path(found[0]) / "postmaster.pid").read_text("ascii").split("\n")[0])
    with closing(Ledger(url)) as ledger:
        fill_server(plain.set(database=url.database).render_as_string(hide_password=False), past)
        yield _Subject(database="PostgreSQL", past=past, ledger=ledger, processes=Processes(pid))
