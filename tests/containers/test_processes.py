"""The commands of docker-compose.yml at work: the rehearsal, with three workers and one of them killed."""

from __future__ import annotations

import json
import socket
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import postgres, valkey
from tests.containers.processes import Running, addresses, listed
from tests.containers.seeds import all_told, arrived
from tests.service.beside import wait_for

pytestmark = [pytest.mark.faults, pytest.mark.enable_socket, pytest.mark.allow_hosts(["127.0.0.1"])]

PARTS = ("publisher", "receiver", "migrate", "scheduler", "worker", "console")
#: Seconds in which everything comes, on a machine that does much else.
PATIENCE = 180.0
#: Seconds that a lease lasts, so that the test need not wait for two minutes when the worker is killed at work.
CONSTANTS = {"worker.ledger.leases.LEASE": 12, "worker.ledger.leases.BASE": 1}


@pytest.fixture
def rehearsal(tmp_path: Path) -> Iterator[Running]:
    """Give the services of the rehearsal with three workers, beside a real Valkey and a real PostgreSQL."""
    with valkey.on_loopback(tmp_path / "valkey", "--appendonly", "yes") as broker, postgres.server() as ledger:
        ports = _ports()
        places = {
            "valkey:6379": f"127.0.0.1:{broker}",
            "wirewatch@postgres/wirewatch": ledger.partition("://")[2],
            **{place: f"127.0.0.1:{port}" for place, port in ports.items()},
        }
        env = {
            "PUBLISHER": f"http://127.0.0.1:{ports['publisher:8700']}",
            "PUBLISHER_PORT": str(ports["publisher:8700"]),
            "RECEIVER": f"http://127.0.0.1:{ports['0.0.0.0:8600']}",
        }
        processes = listed(PARTS, places=places, volumes=tmp_path / "volumes", scale={"worker": 3})
        with Running(processes, tmp_path, env=env, constants=CONSTANTS) as running:
            yield running


def _ports() -> dict[str, int]:
    """Return a free port for each address of the file: one for all that end in the same port."""
    named = addresses(PARTS) - {"valkey:6379"}
    ports: dict[str, int] = {}
    for port in sorted({place.rpartition(":")[2] for place in named}):
        with socket.create_server(("127.0.0.1", 0)) as server:
            ports |= {place: server.getsockname()[1] for place in named if place.endswith(f":{port}")}
    return ports


def _kept(rehearsal: Running) -> str:
    """Return what the receiver has kept."""
    return rehearsal.said("receiver", ".wirewatch/alerts.jsonl")


def test_the_seeds_arrive_once_each_through_three_workers_of_which_one_is_killed(rehearsal: Running) -> None:
    """The commands of the file, word for word: published, polled, read, matched, told and received."""
    for name in ("publisher", "receiver", "migrate", "scheduler", "worker-1", "worker-2", "worker-3", "console"):
        rehearsal.start(name)
    wait_for(lambda: _kept(rehearsal), "the first alert", seconds=PATIENCE)
    assert rehearsal.kill("worker-2") > 3
    wait_for(lambda: all_told(_kept(rehearsal)), "all that is to be told", seconds=PATIENCE)
    for part, where in (("scheduler", "scheduler"), ("worker", "worker-1"), ("console", "console")):
        assert rehearsal.run(where, "health", part) == 0, rehearsal.said(where, "asked")
    wait_for(lambda: _open(rehearsal) == [0, 0, 0], "the end of all deliveries", seconds=PATIENCE)
    for name in ("worker-1", "worker-3", "scheduler", "console", "publisher", "receiver"):
        assert rehearsal.stop(name) == 0, rehearsal.said(name)
    told = arrived(_kept(rehearsal))
    assert set(Counter(told).values()) == {1}, told
    assert f"receiver: {len(told)} new, 0 repeated, {len(told)} kept" in rehearsal.said("receiver")


def _open(rehearsal: Running) -> list[int]:
    """Return how many alerts are open, in doubt and given up, as a worker's `wirewatch status` has it."""
    rehearsal.run("worker-1", "status", "--json")
    status = json.loads(rehearsal.said("worker-1", "asked").splitlines()[-1])
    (channel,) = [one for one in status["channels"] if one["id"] == "receiver"]
    return [channel[name] for name in ("open", "unknown", "dead")]
