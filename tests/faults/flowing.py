"""A service with articles flowing through it, and what must hold of them however it was disturbed."""

from __future__ import annotations

import socket
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

from tests.long import LONG
from tests.service.beside import wait_for
from tests.service.count import Count
from tests.service.house import House
from tests.service.press import Press, press
from tests.service.receiver import Plan, Receiver, receiver

#: Seconds that a lease lasts, so that a test need not wait for two minutes after each fault, and the shortest retries.
CONSTANTS: Final = {"worker.ledger.leases.LEASE": 12, "worker.ledger.leases.BASE": 1, "worker.ledger.outbox.CAP": 1}
#: Seconds within which a service must be at work again, without a human.
AGAIN: Final = 60.0

H = TypeVar("H", bound=House)


def console() -> dict[str, str]:
    """Return what service.yaml says of a console that no other test has."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return {"listen": f"127.0.0.1:{free.getsockname()[1]}"}


class Flow:
    """A service under test, who publishes for it, and who is told by it."""

    def __init__(self, house: House, publishers: Press, inbox: Receiver) -> None:
        self.house, self._press, self._inbox = house, publishers, inbox
        self._published: list[str] = []
        #: How long, in seconds, each ``again`` took.
        self.took: list[float] = []

    def publish(self, count: int, *, rate: float | None = None) -> list[str]:
        """Let ``count`` more articles come out, and return their addresses."""
        urls = self._press.publish(count, rate=rate)
        self._published += urls
        return urls

    def begin(self) -> None:
        """Start the service, and wait until it has told of some articles."""
        self.house.start()
        self.wait_until_told(self.publish(5), seconds=120.0)

    def wait_until_told(self, urls: Collection[str], *, seconds: float = AGAIN) -> None:
        """Wait until all these articles have arrived."""
        self.wait_until_under_way(1.0, urls, seconds=seconds)

    def wait_until_under_way(self, share: float, of: Collection[str], *, seconds: float = 120.0) -> None:
        """Wait until this share of these articles has arrived; the rest is still on its way, or comes out later."""
        house = self.house

        def seen() -> bool:
            # Machines are nobody's process.
            assert not house.pid or house.running(), f"the service has ended ({house.code()})"
            return len(self._arrived() & set(of)) >= share * len(of)

        try:
            wait_for(seen, f"{share:.0%} of {len(of)} alerts", seconds=seconds)
        except AssertionError as late:
            missing = sorted(set(of) - self._arrived())
            raise AssertionError(f"{late}; there is no {missing[0]}; it said:\n{house.last_words()}") from None

    def again(self, count: int = 5) -> None:
        """Publish ``count`` more articles at once, of which one must arrive within a minute.

        Those before them may be many; that all arrive is seen in the end.
        """
        began, first = time.monotonic(), self._press.published()
        self.publish(count)
        # Others may come out besides, with numbers between these.
        new = [self._press.url(number) for number in range(first, self._press.published())]
        self.wait_until_under_way(1 / len(new), new, seconds=AGAIN)
        self.took.append(time.monotonic() - began)

    def settled(self, *, seconds: float = 180.0) -> Count:
        """Return the count of all that was published, when nothing of it is under way any more."""
        self._press.wait(seconds=seconds)
        found = self.house.settled(self._published, seconds=seconds)
        took = ", ".join(f"{one:.1f}" for one in self.took)
        print(f"{found}; {len(self._inbox.requests())} requests; at work again after {took or 'no'} s")  # noqa: T201 - shown by pytest -rP
        return found

    def must_have_told_everything_once(self, *, seconds: float = 180.0) -> None:
        """Wait until nothing is under way, and find each article delivered, once."""
        found, number = self.settled(seconds=seconds), len(self._published)
        assert found == Count(expected=number, delivered=number), f"{found}; it said:\n{self.house.last_words()}"

    def _arrived(self) -> set[str]:
        return {url for _, url in self._inbox.received()}


@contextmanager
def flowing(
    place: Path,
    *,
    kind: type[House] = House,
    service: Mapping[str, Any] | None = None,
    constants: Mapping[str, float] = CONSTANTS,
    plan: Plan | None = None,
    **options: Any,
) -> Iterator[Flow]:
    """Give a service that is not started yet, with ten feeds, and a receiver that behaves as in ``plan``.

    ``options`` are those of a house, and ``kind`` is which. In the short form one process reads articles.
    """
    own = {"console": console(), "workers": 2 if LONG else 1, **(service or {})}
    with (
        press(feeds=10) as publishers,
        receiver(place / "posts.jsonl", plan=plan) as inbox,
        kind(place / "house", publishers, receiver=inbox, constants=constants, service=own, **options) as house,
    ):
        yield Flow(house, publishers, inbox)
