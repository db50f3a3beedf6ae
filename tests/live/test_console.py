"""The console over HTTP, as a process of its own and as a part of the service."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette

from tests.faults.flowing import console as free_console
from tests.long import long_only
from tests.processes import begin, ended
from tests.service.beside import wait_for
from tests.service.house import House
from tests.service.press import press
from worker.build import SERVICE_LEDGER
from worker.console import server
from worker.ledger import progress
from worker.ledger.engine import open_file
from worker.live.clock import wall_clock

pytestmark = [pytest.mark.enable_socket, pytest.mark.allow_hosts(["127.0.0.1"])]

PARTS = ("tick", "poll", "read", "deliver")
TOKEN = "open sesame"


class Console:
    """A console that runs, and the state that it reports on."""

    def __init__(self, place: Path, port: int) -> None:
        self.state, self._port = place / "state", port

    def get(self, path: str, **headers: str) -> tuple[int, dict[str, Any]]:
        """Return status and body of an answer; ``headers`` have ``_`` for the hyphen."""
        with closing(http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)) as connection:
            connection.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})
            answer = connection.getresponse()
            body = answer.read()
        is_json = answer.getheader("content-type") == "application/json"
        return answer.status, json.loads(body) if is_json else {"text": body.decode()}

    def answers(self) -> bool:
        """Return whether it answers yet."""
        try:
            return self.get("/healthz")[0] == 200
        except OSError:
            return False

    def progressed(self, ago: timedelta, *parts: str) -> None:
        """Write into the ledger that parts of the service have come round a while ago."""
        with closing(open_file(self.state / SERVICE_LEDGER)) as ledger, ledger.write() as t:
            for part in parts:
                progress.note(t, part, now=wall_clock() - ago)


@pytest.fixture
def console(tmp_path: Path) -> Iterator[Console]:
    """Give a console with a token, of a service that has never run."""
    address = free_console()["listen"]
    (tmp_path / "config").mkdir()
    settings = {"console": {"listen": address, "token": "${WIREWATCH_TOKEN}"}}
    (tmp_path / "config" / "service.yaml").write_text(json.dumps(settings))
    process = begin("console", "--state", tmp_path / "state", cwd=tmp_path, env={"WIREWATCH_TOKEN": TOKEN})
    made = Console(tmp_path, int(address.rpartition(":")[2]))
    wait_for(made.answers, "the console")
    yield made
    os.kill(process.pid or 0, signal.SIGTERM)
    done = ended(process, tmp_path)
    assert done.code == 0, done.err
    assert TOKEN not in done.out + done.err


def test_it_is_ready_when_the_ledger_shows_progress_and_says_why_when_not(console: Console) -> None:
    """Nothing has run yet, then all parts come round, then all or one of them have fallen silent."""
    status, body = console.get("/readyz")
    assert (status, body["ready"]) == (503, False)
    assert "there is no ledger yet" in body["why_not"][0]
    assert set(body) == {"ready", "why_not"}
    open_file(console.state / SERVICE_LEDGER).close()
    assert console.get("/readyz") == (
        503,
        {"ready": False, "why_not": ["nothing has worked on this ledger yet; start `wirewatch run`"]},
    )
    console.progressed(timedelta(seconds=2), *PARTS)
    assert console.get("/readyz") == (200, {"ready": True, "why_not": []})
    console.progressed(timedelta(minutes=5), "read")
    status, body = console.get("/readyz")
    assert status == 503
    assert [reason.partition(":")[0] for reason in body["why_not"]] == ["worker read"]
    console.progressed(timedelta(minutes=5), *PARTS)
    status, body = console.get("/readyz")
    assert [reason.partition(":")[0] for reason in body["why_not"]] == [
        "scheduler",
        "worker poll",
        "worker read",
        "worker deliver",
    ]
    assert console.get("/healthz") == (200, {"alive": True})


def test_the_status_is_for_those_who_have_the_token(console: Console) -> None:
    """Anybody else is told that one is needed, whatever he sends in its place."""
    assert console.get("/status", authorization=f"Bearer {TOKEN}")[0] == 200
    assert set(console.get("/status", authorization=f"Bearer {TOKEN}")[1]) >= {"ready", "feeds", "queues", "dead"}
    for wrong in ({}, {"authorization": "Bearer wrong"}, {"authorization": f"Basic {TOKEN}"}, {"authorization": TOKEN}):
        assert console.get("/status", **wrong) == (401, {"error": "a token is needed"})
    assert console.get(f"/status?token={TOKEN.replace(' ', '+')}")[0] == 401


def test_a_page_of_a_stranger_that_has_taken_our_address_is_refused(console: Console) -> None:
    """DNS rebinding: his name leads to this machine, and the browser sends it along."""
    for host in ("evil.example", "127.0.0.1.evil.example", "10.0.0.1"):
        assert console.get("/healthz", host=host)[0] == 400
        assert console.get("/status", host=host, authorization=f"Bearer {TOKEN}")[0] == 400
    for host in ("localhost", "localhost:8484", "127.0.0.1"):
        assert console.get("/healthz", host=host)[0] == 200


def test_a_ledger_that_cannot_be_read_is_a_reason_and_no_error(console: Console) -> None:
    """The console itself lives on."""
    console.state.mkdir()
    (console.state / SERVICE_LEDGER).write_text("no database at all, whoever may have written it here")
    status, body = console.get("/readyz")
    assert status == 503
    assert "not a wirewatch ledger" in body["why_not"][0]
    assert console.get("/healthz")[0] == 200
    assert console.get("/status", authorization=f"Bearer {TOKEN}")[1]["ready"] is False


def test_a_console_that_sleeps_wakes_up_to_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two turns it waits for requests and for its end, and for nothing else."""
    monkeypatch.setattr(server, "_TURN", 1000.0)
    host, _, port = free_console()["listen"].rpartition(":")
    failures: list[bool] = []
    with server.beside(Starlette(), host=host, port=int(port), failed=lambda: failures.append(True)):

        def answers() -> bool:
            with closing(http.client.HTTPConnection(host, int(port), timeout=30)) as connection, suppress(OSError):
                connection.request("GET", "/")
                return connection.getresponse().status == 404
            return False

        wait_for(answers, "the console")
    assert not failures
    assert "console" not in {thread.name for thread in threading.enumerate()}


@long_only
@pytest.mark.faults
def test_a_service_whose_console_has_no_port_works_on_and_says_so(tmp_path: Path) -> None:
    """Another program listens there; the alerts come all the same, and the console as soon as the port is free."""
    with socket.create_server(("127.0.0.1", 0)) as taken, press(feeds=2) as publishers:
        port = taken.getsockname()[1]
        service = {"console": {"listen": f"127.0.0.1:{port}"}}
        with House(tmp_path / "house", publishers, service=service) as house:
            house.start()
            house.wait_until_said(f"console: 127.0.0.1:{port} cannot be had; choose another with console.listen")
            urls = publishers.publish(2)
            wait_for(lambda: {url for _, url in house.received()} == set(urls), "alerts")
            taken.close()
            found = Console(house.place, port)
            wait_for(found.answers, "the console")
            wait_for(lambda: found.get("/readyz")[0] == 200, "a service that is ready")
            assert found.get("/status")[1]["ready"] is True
            assert house.stop() == 0
            assert "Traceback" not in house.said()
