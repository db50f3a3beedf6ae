"""The broker killed, erased and stopped while articles flow: nothing lost, nothing told twice, at work by itself."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.faults.flowing import LONG, flowing
from tests.faults.servers import broker

pytestmark = [
    pytest.mark.faults,
    pytest.mark.enable_socket,
    pytest.mark.allow_hosts(["127.0.0.1"]),
]

KILLS, ARTICLES, RATE = (10, 300, 5.0) if LONG else (3, 60, 10.0)
#: Seconds for which it is stopped, and for which it is away when it was killed.
STOPPED = 30.0 if LONG else 6.0
AWAY = 0.7


def test_a_broker_that_is_killed_again_and_again_costs_no_alert(tmp_path: Path) -> None:
    """It keeps nothing on disk, so that each time all that it held is gone."""
    with broker() as server, flowing(tmp_path, service={"broker": server.url}) as flow:
        flow.house.start()
        urls = flow.publish(ARTICLES, rate=RATE)
        for kill in range(KILLS):
            flow.wait_until_under_way((kill + 0.5) / (KILLS + 1), urls)
            server.kill()
            time.sleep(AWAY)
            server.start()
            flow.again()
        flow.must_have_told_everything_once()


def test_a_broker_that_is_erased_and_one_that_stands_still_cost_no_alert(tmp_path: Path) -> None:
    """Whatever was in it is gone at once; connections are open and nobody answers on them."""
    with broker() as server, flowing(tmp_path, service={"broker": server.url}) as flow:
        flow.house.start()
        urls = flow.publish(ARTICLES, rate=RATE)
        flow.wait_until_under_way(0.2, urls)
        server.flush()
        flow.again()
        flow.wait_until_under_way(0.5, urls)
        server.stop()
        time.sleep(STOPPED)
        server.go_on()
        flow.again()
        flow.must_have_told_everything_once()


def test_an_embedded_broker_that_is_killed_is_started_again(tmp_path: Path) -> None:
    """By the supervisor, which says so."""
    with flowing(tmp_path) as flow:
        flow.house.start()
        urls = flow.publish(ARTICLES, rate=RATE)
        for kill in range(KILLS):
            flow.wait_until_under_way((kill + 0.5) / (KILLS + 1), urls)
            (server,) = flow.house.of_role("valkey")
            assert flow.house.kill(server)
            flow.again()
        assert flow.house.said().count("valkey was started again") == KILLS
        flow.must_have_told_everything_once()
