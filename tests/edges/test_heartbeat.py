"""The heartbeat: called for canaries of late, and what went wrong is said without the address, which is a secret."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from sqlalchemy import update

from tests.builders import NOON, alert
from tests.edges.servers import Site, plain, serve
from worker.build.canary import heartbeat
from worker.ledger import decided
from worker.ledger import tables as tb
from worker.ledger.engine import Ledger
from worker.live.station import Housekeeping
from worker.model import CANARY
from worker.settings import Service
from worker.settings.values import Heartbeat

pytestmark = [pytest.mark.enable_socket, pytest.mark.allow_hosts(["127.0.0.1"])]
EVERY = timedelta(minutes=5)


@pytest.fixture
def site() -> Iterator[Site]:
    """Give a watchdog on loopback."""
    with serve() as running:
        running.answers["/secret"] = plain(b"OK")
        yield running


def _service(url: str) -> Service:
    return Service(heartbeat=Heartbeat(url=url, every=EVERY))


def _arrive(ledger: Ledger, at: datetime) -> None:
    """Have a canary come through."""
    one = alert(1, key=f"canary-{at:%H%M}", channel_id=CANARY, story_id=f"s-{at:%H%M}")
    with ledger.write() as t:
        decided.add(t, one)
        t.execute(update(tb.alert).where(tb.alert.c.key == one.key).values(work=tb.DONE, sent_at=at))


def test_each_canary_is_called_for_once_and_a_stale_one_not_at_all(ledger: Ledger, site: Site) -> None:
    """Ticks come every few seconds; a call that was not heard is made again, until the canary says nothing any more."""
    now = NOON
    keeping, service = Housekeeping(ledger, lambda: now), _service(site.url("/secret"))
    keeping.beat(service)
    assert site.asked == []
    _arrive(ledger, NOON)
    for seconds in (1, 6, 40):
        now = NOON + timedelta(seconds=seconds)
        keeping.beat(service)
    assert len(site.asked) == 1
    _arrive(ledger, NOON + EVERY)
    del site.answers["/secret"]
    for seconds in (0, 5, 20):
        now = NOON + EVERY + timedelta(seconds=seconds)
        keeping.beat(service)
    assert len(site.asked) == 3
    site.answers["/secret"] = plain(b"OK")
    now = NOON + 5 * EVERY
    keeping.beat(service)
    assert len(site.asked) == 3


def test_what_went_wrong_is_said_without_the_address(site: Site) -> None:
    """An answer that is no success, and nobody who answers."""
    assert heartbeat(_service(site.url("/secret"))).ping() == ""
    assert heartbeat(_service(site.url("/gone"))).ping() == "heartbeat: the server answered 404"
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        said = heartbeat(_service(f"http://127.0.0.1:{taken.getsockname()[1]}/secret")).ping()
    assert said.startswith("heartbeat: no connection")
    assert "secret" not in said
    assert "alert" not in said
