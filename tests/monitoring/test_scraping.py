"""A scrape of a real console, and programs that are missing."""

from __future__ import annotations

import http.client
import json
import os
import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.faults.flowing import console as free_console
from tests.monitoring import filled, programs
from tests.monitoring.scraped import names, series, value
from tests.processes import begin, ended
from tests.service.beside import wait_for
from worker.build import SERVICE_LEDGER
from worker.ledger.engine import open_file

TOKEN = "open sesame"


def scrape(port: int, token: str = "") -> tuple[int, str, bytes]:
    """Return status, content type and body of a scrape of a console on this machine."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        connection.request("GET", "/metrics", headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.getheader("content-type") or "", answer.read()


@pytest.fixture
def console(tmp_path: Path) -> Iterator[int]:
    """Give the port of a console with a token, of a service that has never run."""
    address = free_console()["listen"]
    (tmp_path / "config").mkdir()
    settings = {"console": {"listen": address, "token": "${WIREWATCH_TOKEN}"}}
    (tmp_path / "config" / "service.yaml").write_text(json.dumps(settings))
    process = begin("console", "--state", tmp_path / "state", cwd=tmp_path, env={"WIREWATCH_TOKEN": TOKEN})
    port = int(address.rpartition(":")[2])
    wait_for(lambda: _answers(port), "the console")
    yield port
    os.kill(process.pid or 0, signal.SIGTERM)
    assert ended(process, tmp_path).code == 0


def _answers(port: int) -> bool:
    try:
        return bool(scrape(port)[0])
    except OSError:
        return False


@pytest.mark.enable_socket
@pytest.mark.allow_hosts(["127.0.0.1"])
def test_metrics_are_for_whoever_has_the_token_and_there_before_there_is_a_ledger(console: int, tmp_path: Path) -> None:
    """They name feeds and topics; and the first scrape may come before the first `wirewatch run`."""
    assert scrape(console)[0] == 401
    assert scrape(console, "guess")[0] == 401
    status, kind, body = scrape(console, TOKEN)
    assert (status, value(series(body), "ledger_up")) == (200, 0)
    assert kind.startswith("text/plain; version=0.0.4")
    with closing(open_file(tmp_path / "state" / SERVICE_LEDGER)) as ledger:
        filled.fill(ledger, filled.settings())
    wait_for(lambda: value(series(scrape(console, TOKEN)[2]), "ledger_up") == 1, "a scrape of the ledger")
    found = series(scrape(console, TOKEN)[2])
    assert value(found, "configuration_generation") == 1
    assert value(found, "broker_up") == 0
    assert value(found, "ready") == 0
    assert "wirewatch_queue_rows" in names(found)


@pytest.mark.parametrize(("name", "outcome"), [("", pytest.skip.Exception), ("CI", pytest.fail.Exception)])
def test_a_program_that_is_missing_is_named(
    name: str, outcome: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what to install; where nothing may be left out the test fails."""
    monkeypatch.setenv("PATH", "")
    for one in ("CI", "WIREWATCH_ALL"):
        monkeypatch.delenv(one, raising=False)
    if name:
        monkeypatch.setenv(name, "1")
    with pytest.raises(outcome, match="promtool is not installed: apt-get install prometheus"):
        programs.program("promtool")
