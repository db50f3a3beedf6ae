"""Pages that kill whoever reads or matches them, among good ones: dead letters with a reason, and nobody else pays."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, select

from tests.faults.flowing import console
from tests.faults.poison import CRASH, LOOP, MATCH, MEMORY, SLOW, page
from tests.long import LONG, long_only
from tests.processes import wirewatch
from tests.service.beside import wait_for
from tests.service.house import House
from tests.service.invented import article
from tests.service.press import Press, press
from tests.service.receiver import Receiver, receiver
from worker.ledger.leases import MAX_ATTEMPTS
from worker.ledger.tables import entry

pytestmark = [pytest.mark.faults, pytest.mark.enable_socket, pytest.mark.allow_hosts(["127.0.0.1"])]

GOOD = 50
#: Seconds and MiB that one call of a reader may take: as in the service in the long form.
LIMIT, MEMORY_LIMIT = (15.0, 1024) if LONG else (2.5, 200)
#: What a dead letter says of each kind.
REASONS = {
    CRASH: "extract: its process died (signal 11)",
    MEMORY: f"extract: used more than {MEMORY_LIMIT} MiB of memory",
    LOOP: f"extract: killed after {LIMIT:g} s",
}
#: Processes that must live on.
LASTING = r"service|scheduler|console|valkey|worker (poll|read|deliver)( child)?"


class PoisonedHouse(House):
    """A service whose readers and matcher fall for poison."""

    def _program(self) -> Sequence[str]:
        return ("-m", "tests.faults.poison", str(LIMIT), str(MEMORY_LIMIT), json.dumps(self._constants))


@pytest.fixture
def publishers() -> Iterator[Press]:
    """Give publishers with five feeds."""
    with press(feeds=5) as running:
        yield running


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[Receiver]:
    """Give a receiver that behaves."""
    with receiver(tmp_path / "posts.jsonl") as running:
        yield running


def poisoned(tmp_path: Path, publishers: Press, inbox: Receiver, lease: float) -> PoisonedHouse:
    """Return a service that falls for poison, with leases of so many seconds and the shortest retries."""
    constants = {"worker.ledger.leases.LEASE": lease, "worker.ledger.leases.BASE": 0.1, "worker.ledger.outbox.CAP": 1}
    service = {"console": console()}
    return PoisonedHouse(tmp_path / "house", publishers, receiver=inbox, constants=constants, service=service)


def dead_letters(house: House, cwd: Path) -> dict[str, dict[str, Any]]:
    """Return what ``wirewatch dead list`` shows, by address."""
    done = wirewatch("dead", "list", "--json", *house.options, cwd=cwd)
    assert done.code == 0, done.err
    letters = [json.loads(line) for line in done.out.splitlines()]
    return {letter["subject"]: letter for letter in letters}


def attempts(house: House, urls: Collection[str]) -> Counter[int]:
    """Return how often entries at ``urls`` were claimed in vain or not: how many there are of each number."""
    engine = create_engine(house.ledger_url)
    with engine.connect() as connection:
        found = connection.execute(select(entry.c.attempt).where(entry.c.url.in_(urls))).scalars().all()
    engine.dispose()
    return Counter(found)


def lasting(house: House) -> set[tuple[int, str]]:
    """Return the processes that must live on."""
    return {(one.pid, one.role) for one in house.of_role(LASTING)}


@pytest.mark.parametrize(
    "kinds", [(CRASH,), (MEMORY,), (LOOP,), (CRASH, MEMORY, LOOP)] if LONG else [(CRASH, MEMORY, LOOP)], ids="-".join
)
def test_pages_that_kill_their_readers_are_dead_letters_and_harm_nobody(
    tmp_path: Path, publishers: Press, inbox: Receiver, kinds: tuple[str, ...]
) -> None:
    """Fifty good ones beside them are told; of the poison each is given up with its reason, and no process dies of it.

    What the feed itself said of such a page is told all the same when it meets a topic.
    """
    with poisoned(tmp_path, publishers, inbox, lease=60) as house:
        silent = {kind: publishers.publish_page("A page", page(kind), feed=n) for n, kind in enumerate(kinds)}
        told = publishers.publish_page("The alarm of a poisoned page", page(kinds[0]), feed=4)
        good = publishers.publish(GOOD)
        house.start()
        house.wait_until_said("Ctrl-C stops")
        wait_for(inbox.received, "the first alert", seconds=60)
        before = lasting(house)
        found = house.settled([*good, told, *silent.values()], seconds=60 + 8 * LIMIT * len(kinds))
        assert (found.delivered, found.dead) == (GOOD + 1, len(kinds)), f"{found}\n{house.last_words()}"
        assert (found.lost, found.repeated, found.stray, found.open, found.unknown) == (0, 0, 0, 0, 0)
        letters = dead_letters(house, tmp_path / "asked")
        expected = {url: (REASONS[kind], MAX_ATTEMPTS) for kind, url in silent.items()}
        expected[told] = (REASONS[kinds[0]], MAX_ATTEMPTS)
        assert {url: (one["reason"], one["attempts"]) for url, one in letters.items()} == expected
        assert attempts(house, good) == Counter({1: GOOD})
        assert lasting(house) == before
        assert house.stop() == 0


@long_only
def test_what_kills_the_worker_itself_is_given_up_after_five_attempts(
    tmp_path: Path, publishers: Press, inbox: Receiver
) -> None:
    """Those that were in hand with it are told, and none is charged with it more than twice, whoever else has died.

    Reading takes a while, so that many are in hand together.
    """
    with poisoned(tmp_path, publishers, inbox, lease=8 if LONG else 4) as house:
        house.start()
        first = publishers.publish(2)
        house.wait_until_said("Ctrl-C stops")
        assert house.settled(first).delivered == len(first), house.last_words()
        workers = {one.pid for one in house.of_role("service|worker read")}
        deadly = publishers.publish_page("A page", page(MATCH, slowly=0.4), feed=1)
        slow = [_publish_slow(publishers, number, feed=number % 5) for number in range(10)]
        good = publishers.publish(10, rate=5)
        publishers.wait(seconds=60)
        found = house.settled([*first, *slow, *good, deadly], seconds=120)
        charged = attempts(house, {*first, *slow, *good})
        assert (found.delivered, found.dead, found.lost, found.repeated) == (22, 1, 0, 0), (
            f"{found}\n{house.last_words()}"
        )
        letters = dead_letters(house, tmp_path / "asked")
        assert [(url, one["reason"]) for url, one in letters.items()] == [
            (deadly, f"not read in {MAX_ATTEMPTS} attempts")
        ]
        assert max(charged) <= 3
        assert {one.pid for one in house.of_role("service|worker read")} == workers
        assert house.stop() == 0


def _publish_slow(publishers: Press, number: int, *, feed: int) -> str:
    """Let a good page come out whose reading takes 0.3 s; return its address."""
    made = article(2, number)
    return publishers.publish_page(made.title, made.page() + f"<!-- {SLOW}0.3; -->".encode(), feed=feed)
