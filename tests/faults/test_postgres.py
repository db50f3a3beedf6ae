"""PostgreSQL as the ledger: restarted under load, shared by machines, and the only clock that counts."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.faults.flowing import Flow, flowing
from tests.faults.machines import Machines
from tests.faults.servers import PASSWORD, Postgres, Valkey, broker, database
from tests.long import LONG, long_only
from tests.service.beside import wait_for
from tests.service.receiver import Plan

pytestmark = [
    pytest.mark.faults,
    pytest.mark.enable_socket,
    pytest.mark.allow_hosts(["127.0.0.1"]),
]

ARTICLES, RATE = (300, 4.0) if LONG else (60, 8.0)
#: Articles that two machines share.
SHARED = 200 if LONG else 40
#: How the server goes away: as its operator ends it, as if the machine had crashed, or as a session of it crashes.
WAYS = ("fast", "immediate", "crash", "fast", "crash", "immediate") if LONG else ("fast", "crash")
#: Seconds for which it is away when it was ended.
AWAY = 3.0
HOUR = 3600


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    """Give a server for the tests of this file."""
    with database() as running:
        yield running


@pytest.fixture
def queues() -> Iterator[Valkey]:
    """Give a broker of the test's own."""
    with broker() as running:
        yield running


def test_a_database_that_is_restarted_under_load_costs_no_alert(tmp_path: Path, server: Postgres) -> None:
    """What was to be written waits or is done again; and its password is nowhere to be read."""
    with flowing(tmp_path, ledger=server.new()) as flow:
        flow.begin()
        urls = flow.publish(ARTICLES, rate=RATE)
        for number, way in enumerate(WAYS):
            flow.wait_until_under_way((number + 0.5) / (len(WAYS) + 1), urls)
            break_down(server, way, number)
            flow.again()
        flow.must_have_told_everything_once()
        assert "the ledger does not answer" in flow.house.said()
        tells_no_password(flow)


def break_down(server: Postgres, way: str, number: int) -> None:
    """Have the server go away and come back."""
    if way == "crash":
        assert server.kill_a_session(number), "nobody was connected"
        return
    server.stop(way)
    time.sleep(AWAY)
    server.start()


def tells_no_password(flow: Flow) -> None:
    """Look for the password in all that was said, and in what a list of processes shows."""
    said = [path.read_text("utf-8", "replace") for path in flow.house.place.rglob("std*")]
    said += [one.line for one in flow.house.processes()]
    assert said
    assert not [text for text in said if PASSWORD in text or quote(PASSWORD, safe="") in text]


def test_two_machines_share_the_work_and_go_on_when_both_schedulers_are_dead(
    tmp_path: Path, server: Postgres, queues: Valkey
) -> None:
    """Two schedulers at once tick twice, which does no harm; without any the workers wake each other."""
    with flowing(tmp_path, kind=Machines, ledger=server.new(), service={"broker": queues.url}) as flow:
        machines = flow.house
        assert isinstance(machines, Machines)
        schedulers = {name: machines.begin(name, "scheduler") for name in ("s1", "s2")}
        workers = {name: machines.begin(name, "worker") for name in ("w1", "w2")}
        for name, pid in (schedulers | workers).items():
            machines.wait_until_ready(pid, name)
        flow.wait_until_told(flow.publish(SHARED), seconds=120)
        assert len(machines.of_role("scheduler")) == 2
        # Each is a supervisor and what it keeps running.
        assert machines.kill_with_children(list(schedulers.values())) == 4
        wait_for(lambda: not machines.of_role("scheduler"), "the end of both schedulers")
        until = time.monotonic() + (60 if LONG else 0)
        flow.wait_until_told(flow.publish(20))
        while time.monotonic() < until:
            flow.again()
        flow.must_have_told_everything_once()
        tells_no_password(flow)


@long_only
def test_a_machine_whose_clock_is_an_hour_ahead_takes_nothing_from_another(
    tmp_path: Path, server: Postgres, queues: Valkey
) -> None:
    """Leases and due times are by the clock of the database, whatever its own says.

    The receiver takes its time, so that both have alerts in hand, and cannot be asked, so that one whose lease was
    taken for over would be in doubt.
    """
    own: dict[str, Any] = {"ledger": server.new(), "service": {"broker": queues.url}, "ask": False}
    with flowing(tmp_path, kind=Machines, plan=Plan(late=1.0, late_s=2.0), **own) as flow:
        machines = flow.house
        assert isinstance(machines, Machines)
        began = right_now()
        parts = {
            "right": machines.begin("right", "worker", "-v"),
            "ahead": machines.begin("ahead", "worker", "-v", ahead=HOUR),
        }
        for name, pid in parts.items():
            machines.wait_until_ready(pid, name)
        flow.wait_until_told(flow.publish(SHARED), seconds=120)
        flow.again()
        flow.must_have_told_everything_once()
        # Else neither could have taken anything from the other.
        assert all("deliver verdict=delivered" in machines.said_by(name) for name in parts)
        now, hour = right_now(), timedelta(seconds=HOUR)
        right, wrong = clocks(machines.said_by("right")), clocks(machines.said_by("ahead"))
        assert began <= right[0] <= right[-1] <= now
        assert began + hour <= wrong[0] <= wrong[-1] <= now + hour


def right_now() -> datetime:
    """Return the time by the clock of this machine, against which those in logs are held, in whole milliseconds."""
    now = datetime.now(UTC)  # noqa: TID251 - see above
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


def clocks(said: str) -> list[datetime]:
    """Return the times, in order, at which the children of a worker have said that a configuration is in force."""
    found = re.findall(r"^(\S+ \S+),(\d+) INFO generation \d+ in force", said, re.MULTILINE)
    times = sorted(datetime.fromisoformat(f"{second}.{milliseconds}") for second, milliseconds in found)
    # Poll, read (two of them, of which one may have had nothing to do) and deliver.
    assert len(times) >= 2, said
    return [one.astimezone(UTC) for one in times]
