"""Negative controls: what Celery on Redis does by itself, and that the count of the fault suite sees it.

The same kind of broker, the same receiver, the same count, and a ledger nowhere.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import URL

from tests.faults import plain
from tests.faults.servers import Valkey, broker
from tests.processes import ROOT
from tests.service.beside import Beside, wait_for
from tests.service.count import Count, count
from tests.service.receiver import Receiver, receiver

pytestmark = [
    pytest.mark.faults,
    pytest.mark.enable_socket,
    pytest.mark.allow_hosts(["127.0.0.1"]),
]

ARTICLES, KILLS = 12, 3
_LOOKS = 20


class Plain:
    """A plain service: a broker, a receiver, and one worker at a time."""

    def __init__(self, place: Path, server: Valkey, inbox: Receiver) -> None:
        self._place, self._server, self._inbox = place, server, inbox
        self._keeper = Beside("tests.service.keeper")
        self.urls = [f"http://wire.example/{number}" for number in range(ARTICLES)]
        plain.send(server.url, self.urls)

    def start(self, *, dies: str = "", at: int = 1) -> int:
        """Start a worker and return its process."""
        orders = plain.Orders(broker=self._server.url, receiver=self._inbox.url, dies=dies, at=at)
        log = str(self._place / "worker.log")
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        pid: int = self._keeper.ask(
            "start", args=orders.command(), cwd=str(self._place), env=environment, out=log, err=log
        )
        return pid

    def wait_until_dead(self, pid: int) -> None:
        """Wait until a worker has killed itself."""
        wait_for(lambda: self._keeper.ask("ended", pid=pid) == -9, "the end of a worker", every=0.02)

    def ended(self) -> Count:
        """Return the count when the broker has nothing left."""
        looks = 0

        def empty() -> bool:
            nonlocal looks
            # More than once: between queue and note a message is in neither.
            looks = 0 if plain.left(client) else looks + 1
            return looks > _LOOKS

        with closing(self._server.client()) as client:
            wait_for(empty, "an empty queue")
        nowhere = URL.create("sqlite", database=str(self._place / "there-is-no.sqlite"))
        return count(self.urls, ledger=nowhere, received=self._inbox.received)

    def close(self) -> None:
        """End all workers."""
        self._keeper.close()


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Plain]:
    """Give a plain service to which all articles are known and nobody works yet."""
    with (
        broker() as server,
        receiver(tmp_path / "posts.jsonl") as inbox,
        closing(Plain(tmp_path, server, inbox)) as running,
    ):
        yield running


def test_the_count_sees_what_a_broker_loses(service: Plain) -> None:
    """Killed as a message has left its queue and is not noted yet, a worker takes it with it, three times of three."""
    for _ in range(KILLS):
        service.wait_until_dead(service.start(dies=plain.GAP, at=2))
    service.start()
    found = service.ended()
    assert (found.expected, found.delivered, found.lost, found.repeated) == (ARTICLES, ARTICLES - KILLS, KILLS, 0)


def test_the_count_sees_what_late_acknowledgement_repeats(service: Plain) -> None:
    """Killed after the receiver has taken an alert, a worker leaves it to another, who does not ask."""
    service.wait_until_dead(service.start(dies=plain.POSTED, at=2))
    service.start()
    found = service.ended()
    assert (found.expected, found.delivered, found.lost, found.repeated) == (ARTICLES, ARTICLES, 0, 1)
    assert len(found.which["repeated"]) == 1
