"""What watches over a worker, what wakes it, where it lives; and Celery's own commands against the same application."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.exceptions import RedisError

from tests import valkey
from tests.processes import DEADLINE, ROOT
from tests.service.beside import wait_for
from tests.service.count import Count
from tests.service.house import House
from tests.service.press import press
from worker.live import bell as bell_module
from worker.live.bell import TICK_MISSED, TICKED, Bell
from worker.live.broker import PREFIX, Broker, open_broker
from worker.live.node import DEAF, STUCK, Judgement, Look, Stop
from worker.live.place import CONFIG, STATE, Place, here

LOOKS = st.lists(
    st.none() | st.builds(Look, waiting=st.integers(0, 2), in_hand=st.integers(0, 1), begun=st.integers(0, 3)),
    max_size=60,
)
DEAF_ONE = Look(waiting=1, in_hand=0, begun=7)
STUCK_ONE = Look(waiting=1, in_hand=1, begun=7)


def judged(looks: list[Look | None], deaf: int = DEAF, stuck: int = STUCK) -> list[bool]:
    """Return the judgement after each look."""
    judgement = Judgement(deaf, stuck)
    return [judgement.lost(look) for look in looks]


# Judgement


@given(looks=LOOKS, deaf=st.integers(1, 5), more=st.integers(0, 10))
def test_a_worker_is_lost_only_after_looks_in_a_row_that_are_all_alike(
    looks: list[Look | None], deaf: int, more: int
) -> None:
    """At each of them messages wait and nothing has begun since the one before; one more look begins the row."""
    found = judged(looks, deaf, deaf + more)
    for at, lost in enumerate(found):
        needed = 0 if looks[at] is None else deaf if not cast("Look", looks[at]).in_hand else deaf + more
        row = looks[max(at - needed, 0) : at + 1]
        alike = looks[at] is not None and len(row) == needed + 1 and None not in row
        alike = alike and all(one is not None and one.waiting for one in row[1:])
        alike = alike and len({one.begun for one in row if one is not None}) == 1
        assert lost is alike


@given(looks=LOOKS)
def test_a_worker_that_begins_something_between_two_looks_is_never_lost(looks: list[Look | None]) -> None:
    """However much waits, and however long that takes."""
    busy = [look and Look(waiting=9, in_hand=look.in_hand, begun=number) for number, look in enumerate(looks)]
    assert not any(judged(busy, deaf=1, stuck=1))


def test_a_worker_that_hears_nothing_is_lost_sooner_than_one_that_is_stuck() -> None:
    """What it has in hand may take its time, up to the limits of a task."""
    assert judged([DEAF_ONE] * (DEAF + 2)) == [False] * DEAF + [True] * 2
    assert judged([STUCK_ONE] * (STUCK + 2)) == [False] * STUCK + [True] * 2
    assert STUCK > DEAF


def test_a_broker_that_does_not_answer_is_not_the_fault_of_the_worker() -> None:
    """Counting begins anew when it is back."""
    looks: list[Look | None] = [DEAF_ONE] * DEAF
    assert not any(judged([*looks, None, *looks, None, *looks]))
    assert judged([None, *looks, DEAF_ONE])[-1]


def test_a_flag_is_seen_by_a_child_that_was_forked_before() -> None:
    """It lies in memory that both share."""
    flag = Stop()
    assert not flag.is_set()
    child = os.fork()
    if not child:
        until = time.monotonic() + DEADLINE
        while not flag.is_set() and time.monotonic() < until:
            time.sleep(0.005)
        os._exit(0 if flag.is_set() else 1)
    flag.set()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


# Place


@given(named=st.booleans(), exists=st.booleans())
def test_a_place_is_told_to_those_who_are_started_from_here(
    named: bool, exists: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whole, wherever they are started; the default configuration that is not there is not asked for by name."""
    folder = tmp_path_factory.mktemp("place")
    config = folder / "config"
    if exists:
        config.mkdir()
    env = {CONFIG: "/before", "OTHER": "1"}
    Place(config=config, state=folder / "state", named=named).tell(env)
    assert env.pop("OTHER") == "1"
    told = here(env)
    assert told.state == folder / "state"
    assert told == (
        Place(config=config, state=folder / "state", named=True)
        if named or exists
        else Place(config=Path("config"), state=folder / "state")
    )


def test_a_place_that_is_not_told_is_the_default_one() -> None:
    """An empty variable tells nothing."""
    assert here({}) == here({CONFIG: "", STATE: ""}) == Place()


# The bell


@pytest.fixture
def broker() -> Iterator[Broker]:
    """Give a real server."""
    with valkey.server() as url:
        yield open_broker(url, socket=Path())


@pytest.fixture
def bell(broker: Broker) -> Iterator[Bell]:
    """Give a bell over it, of an application of its own."""
    made = Bell(application(broker), broker.client())
    yield made
    made.close()


def application(broker: Broker) -> Any:
    """Return an application as the service has it."""
    from worker.live.app import make

    return make(broker)


def test_a_bell_leaves_one_message_however_often_it_is_rung(bell: Bell, broker: Broker) -> None:
    """It carries nothing but its name."""
    assert [bell.ring("read") for _ in range(5)] == [True] * 5
    assert (bell.waiting("read"), bell.waiting("poll")) == (1, 0)
    assert bell.ring("read", bound=3)
    assert bell.waiting("read") == 2
    assert bell.ring("poll")
    assert [bell.look(queues)[1] for queues in (["read", "poll"], ["poll"], [])] == [3, 1, 0]
    with closing(broker.client()) as client:
        message = json.loads(cast("bytes", client.lindex(f"{PREFIX}read", 0)))
    assert message["headers"]["task"] == "read"
    assert (message["headers"]["argsrepr"], message["headers"]["kwargsrepr"]) == ("()", "{}")


def test_a_tick_is_missed_until_it_is_seen_and_after_a_while(bell: Bell, broker: Broker) -> None:
    """The server forgets it by itself, or with everything."""
    assert bell.look([])[0]
    bell.tick_seen()
    assert not bell.look([])[0]
    with closing(broker.client()) as client:
        assert 0 < client.ttl(TICKED) <= TICK_MISSED
        client.flushall()
    assert bell.look([])[0]


def test_a_bell_without_a_server_says_so_once_and_raises_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And tells neither address nor password."""
    nowhere = open_broker(f"unix://{tmp_path}/s3cret.sock", socket=Path())
    with closing(Bell(application(nowhere), nowhere.client())) as bell:
        assert [bell.ring("read") for _ in range(3)] == [False] * 3
        bell.tick_seen()
        with pytest.raises(RedisError):
            bell.look([])
        assert len([one for one in caplog.records if "does not answer" in one.message]) == 1
        monkeypatch.setattr(bell_module, "_SAID", 0.0)
        bell._said_again = 0.0
        bell.ring("read")
    said = [one.message for one in caplog.records if "does not answer" in one.message]
    assert len(said) == 2
    assert not any("s3cret" in one for one in said)


# Celery's own commands


@contextmanager
def celery(*args: str, env: Mapping[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run ``celery -A worker.live.app`` until the block ends, with all that it has started; ``log`` is what it says."""
    command = [sys.executable, "-m", "celery", "-A", "worker.live.app", *args]
    with log.open("wb") as said:
        process = subprocess.Popen(
            command, cwd=ROOT, env=dict(env), stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True
        )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def asked(*args: str, env: Mapping[str, str]) -> str:
    """Return what a command of Celery's answers; it must go well."""
    command = [sys.executable, "-m", "celery", "-A", "worker.live.app", *args]
    done = subprocess.run(
        command, cwd=ROOT, env=dict(env), capture_output=True, text=True, timeout=DEADLINE, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def environment(house: House) -> dict[str, str]:
    """Return what Celery's commands need to find a service."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("WIREWATCH_", "CELERY"))}
    return kept | {CONFIG: str(house.config), STATE: str(house.state), "FLOWER_UNAUTHENTICATED_API": "true"}


def workers_shown(port: int) -> dict[str, Any]:
    """Return the workers that Flower shows, empty as long as it does not answer."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        try:
            connection.request("GET", "/api/workers?refresh=1")
            answer = connection.getresponse()
            body = answer.read()
        except OSError:
            return {}
    return cast("dict[str, Any]", json.loads(body)) if answer.status == 200 else {}


def free_port() -> int:
    """Return a port that nobody uses."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@pytest.mark.enable_socket
@pytest.mark.allow_hosts(["127.0.0.1"])
def test_a_worker_of_celery_alone_does_it_all_and_celerys_tools_see_it(tmp_path: Path) -> None:
    """``celery -A worker.live.app worker`` polls, reads and delivers; ``inspect``, ``status`` and Flower show it."""
    with valkey.server() as url, press(feeds=2) as publishers:
        urls = publishers.publish(6)
        # Polled once: the two processes take turns at four tasks.
        with House(tmp_path / "house", publishers, service={"broker": url}, interval="1m") as house:
            env, port = environment(house), free_port()
            said, flower = tmp_path / "worker.log", ("flower", "--address=127.0.0.1", f"--port={port}")
            with (
                celery("worker", "-c", "2", "-n", "alone@here", "--loglevel=WARNING", env=env, log=said) as worker,
                celery(*flower, env=env, log=tmp_path / "flower.log"),
            ):
                all_told = Count(expected=6, delivered=6)
                wait_for(lambda: house.count(urls) == all_told or worker.poll() is not None, "alerts", seconds=60)
                assert worker.poll() is None, said.read_text()
                assert json.loads(asked("inspect", "ping", "--json", env=env)) == {"alone@here": {"ok": "pong"}}
                assert "alone@here" in asked("status", env=env)
                wait_for(lambda: "alone@here" in workers_shown(port), "the worker in Flower", seconds=60)
                worker.send_signal(signal.SIGTERM)
                assert worker.wait(30) == 0, said.read_text()
