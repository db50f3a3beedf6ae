"""The service killed at random, part by part and as a whole: nothing lost, nothing told twice."""

from __future__ import annotations

import random
import socket
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults.flowing import flowing
from tests.faults.servers import broker
from tests.long import LONG, long_only
from tests.service.beside import wait_for
from tests.service.house import House, Seen
from tests.service.press import Press, press
from tests.service.receiver import Receiver, receiver

pytestmark = [
    pytest.mark.faults,
    pytest.mark.enable_socket,
    pytest.mark.allow_hosts(["127.0.0.1"]),
]

KILLS, ARTICLES = (200, 1000) if LONG else (8, 60)
#: Seconds that a lease lasts, so that a test need not wait for two minutes after each kill, and the shortest retries.
CONSTANTS = {"worker.ledger.leases.LEASE": 12, "worker.ledger.leases.BASE": 1, "worker.ledger.outbox.CAP": 1}


@pytest.fixture
def publishers() -> Iterator[Press]:
    """Give publishers with ten feeds."""
    with press(feeds=10) as running:
        yield running


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[Receiver]:
    """Give a receiver that writes every request down before it answers, and can be asked."""
    with receiver(tmp_path / "posts.jsonl") as running:
        yield running


@pytest.fixture
def house(tmp_path: Path, publishers: Press, inbox: Receiver) -> Iterator[House]:
    """Give a service that is not running yet."""
    with House(tmp_path / "house", publishers, receiver=inbox, constants=CONSTANTS, service=_service()) as made:
        yield made


def _service() -> dict[str, Any]:
    """Return what service.yaml says besides: a console of this test's own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return {"console": {"listen": f"127.0.0.1:{free.getsockname()[1]}"}}


def test_nothing_is_lost_or_repeated_when_processes_are_killed_at_random(
    house: House, publishers: Press, inbox: Receiver
) -> None:
    """Workers, their children, cages, scheduler, console and supervisor, in turn, while articles flow."""
    chance = random.Random(20261122)  # noqa: S311 - chooses victims, guards nothing
    house.start()
    publishers.publish(1)
    wait_for(inbox.received, "the first alert", seconds=90)
    publishers.publish(ARTICLES - 1, rate=ARTICLES / KILLS)
    killed: Counter[str] = Counter()
    until = time.monotonic() + 10 * KILLS + 120
    while killed.total() < KILLS and time.monotonic() < until:
        time.sleep(chance.uniform(0.2, 1.2))
        if not house.running():
            house.start()
        elif (victim := _victim(house, chance)) is not None and house.kill(victim):
            killed[victim.role.removesuffix(" child")] += 1
    wait_for(lambda: _runs(house), "a service", seconds=60)
    publishers.wait(seconds=300)
    found = house.settled([publishers.url(number) for number in range(ARTICLES)], seconds=300)
    print(f"{killed.total()} kills {dict(killed)}: {found}; {len(inbox.requests())} requests")  # noqa: T201 - for -rP
    assert killed.total() == KILLS
    assert (found.lost, found.repeated, found.stray, found.open, found.unknown) == (0, 0, 0, 0, 0), f"{found}"
    assert found.delivered + found.dead == ARTICLES
    assert found.dead <= ARTICLES * 0.01


def _runs(house: House) -> bool:
    """Start the service if it has ended, and return whether it has its parts."""
    if not house.running():
        house.start()
    return len(house.processes()) > len(("supervisor", "workers", "their children"))


def _victim(house: House, chance: random.Random) -> Seen | None:
    """Return a process: each role is as likely as any other, the embedded server's is left to others' tests."""
    found = [one for one in house.processes() if one.role != "valkey"]
    # Whoever kills each start at its beginning never meets anybody at work.
    if len(found) <= 1 and chance.random() < 0.8:
        return None
    if not found:
        return None
    role = chance.choice(sorted({one.role for one in found}))
    return chance.choice([one for one in found if one.role == role])


def test_what_cannot_be_asked_for_is_held_in_doubt_and_not_told_twice(
    tmp_path: Path, publishers: Press, inbox: Receiver
) -> None:
    """Without read-back, an alert whose worker died in the sending is unknown and shown, whatever became of it."""
    inbox.answer_questions(on=False)
    own: dict[str, Any] = {"constants": CONSTANTS, "service": _service(), "ask": False}
    with House(tmp_path / "house", publishers, receiver=inbox, **own) as house:
        house.start()
        inbox.hang()
        urls = publishers.publish(1)
        wait_for(lambda: len(inbox.requests()) == 1, "a request", seconds=60)
        for one in house.of_role("worker deliver child"):
            house.kill(one)
        inbox.release()
        found = house.settled(urls, seconds=90)
        assert (found.unknown, found.lost, found.repeated, len(inbox.requests())) == (1, 0, 0, 1), f"{found}"


@long_only
def test_work_goes_on_while_the_broker_is_away(tmp_path: Path) -> None:
    """Nobody is woken, and whoever has worked goes on all the same; when the broker is back, it wakes them again."""
    with broker() as server, flowing(tmp_path, service={"broker": server.url}) as flow:
        flow.house.start()
        flow.again(1)
        server.kill()
        flow.wait_until_told(flow.publish(5), seconds=90)
        server.start()
        flow.again(1)
        assert "the broker is away" in flow.house.said()
        flow.must_have_told_everything_once()
