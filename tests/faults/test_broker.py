"""The broker killed, erased and stopped while articles flow: nothing lost, nothing told twice, at work by itself."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.faults.flowing import AGAIN, Flow, flowing
from tests.faults.servers import Valkey, broker
from tests.long import LONG, long_only
from tests.service.beside import wait_for
from tests.service.house import House, Seen

pytestmark = [
    pytest.mark.faults,
    pytest.mark.enable_socket,
    pytest.mark.allow_hosts(["127.0.0.1"]),
]

KILLS, ARTICLES, RATE = (10, 300, 3.0) if LONG else (3, 40, 4.0)
#: Seconds for which it is stopped, and for which it is away when it was killed.
STOPPED = 30.0 if LONG else 6.0
AWAY = 0.7


def test_a_broker_that_is_killed_again_and_again_costs_no_alert(tmp_path: Path) -> None:
    """It keeps nothing on disk, so that each time all that it held is gone."""
    with broker() as server, flowing(tmp_path, service={"broker": server.url}) as flow:
        flow.begin()
        urls = flow.publish(ARTICLES, rate=RATE)
        for kill in range(KILLS):
            flow.wait_until_under_way((kill + 0.5) / (KILLS + 1), urls)
            server.kill()
            time.sleep(AWAY)
            server.start()
            at_work_again(flow, server)
        flow.must_have_told_everything_once()


def test_a_broker_that_is_erased_and_one_that_stands_still_cost_no_alert(tmp_path: Path) -> None:
    """Whatever was in it is gone at once; connections are open and nobody answers on them."""
    with broker() as server, flowing(tmp_path, service={"broker": server.url}) as flow:
        flow.begin()
        urls = flow.publish(ARTICLES, rate=RATE)
        flow.wait_until_under_way(0.2, urls)
        server.flush()
        at_work_again(flow, server)
        flow.wait_until_under_way(0.5, urls)
        server.forget_the_last_tick()
        server.stop()
        time.sleep(STOPPED)
        server.go_on()
        at_work_again(flow, server)
        flow.must_have_told_everything_once()


def at_work_again(flow: Flow, server: Valkey) -> None:
    """Wait until alerts come, and until workers are woken by the broker: without it they go on for a while, too."""
    flow.again()
    wait_for(server.ticked, "a tick taken from the broker", seconds=AGAIN)


@long_only
def test_an_embedded_broker_that_is_killed_is_started_again(tmp_path: Path) -> None:
    """By the supervisor, which says so and waits longer each time."""
    kills = 5 if LONG else 2
    with flowing(tmp_path) as flow:
        flow.begin()
        urls = flow.publish(ARTICLES, rate=RATE)
        for kill in range(kills):
            flow.wait_until_under_way((kill + 0.5) / (kills + 1), urls)
            kill_and_wait(flow.house, *flow.house.of_role("valkey"))
            flow.again()
        assert flow.house.said().count("valkey was started again") == kills
        flow.must_have_told_everything_once()


def kill_and_wait(house: House, server: Seen) -> None:
    """Kill the server, and wait for the next: until then workers finish what they are at, which may be all there is."""
    assert house.kill(server)
    wait_for(lambda: set(house.of_role("valkey")) - {server}, "the next server", seconds=AGAIN)
