"""The service as a single process: with its console, which must not keep it from its work."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.processes import DEADLINE, begin, ended, wirewatch

pytestmark = [pytest.mark.enable_socket, pytest.mark.allow_hosts(["127.0.0.1"])]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _configure(place: Path, listen: str) -> None:
    (place / "config").mkdir()
    (place / "config" / "service.yaml").write_text(f"console: {{listen: '{listen}'}}\nmeaning: {{model: 'off'}}\n")


def _answer(port: int) -> tuple[int, dict[str, object]]:
    """Return what /readyz answers as soon as the service says that it is ready."""
    until = time.monotonic() + DEADLINE
    found: tuple[int, dict[str, object]] = (0, {})
    while time.monotonic() < until and found[0] != 200:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
                found = answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            found = error.code, json.load(error)
        except OSError:
            pass
        time.sleep(0.1)
    return found


def test_a_single_process_has_a_console(tmp_path: Path) -> None:
    """It becomes ready, and the end of the service is its end."""
    port = _free_port()
    _configure(tmp_path, f"127.0.0.1:{port}")
    process = begin("run", "--single-process", cwd=tmp_path)
    try:
        assert _answer(port) == (200, {"ready": True, "why_not": []})
    finally:
        assert process.pid is not None
        os.kill(process.pid, signal.SIGTERM)
        assert ended(process, tmp_path).code == 0


def test_a_console_without_a_place_leaves_the_service_at_work(tmp_path: Path) -> None:
    """It is said which address cannot be had, and what to do; the service goes on."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        _configure(tmp_path, f"127.0.0.1:{port}")
        process = begin("run", "--single-process", cwd=tmp_path)
        try:
            until = time.monotonic() + DEADLINE
            said = tmp_path / "stderr"
            while time.monotonic() < until and not (said.exists() and "cannot be had" in said.read_text()):
                time.sleep(0.1)
            look: list[str | Path] = ["status", "--config", tmp_path / "config", "--state", tmp_path / ".wirewatch"]
            while time.monotonic() < until and wirewatch(*look, cwd=tmp_path / "look").code != 0:
                time.sleep(0.2)
        finally:
            assert process.pid is not None
            os.kill(process.pid, signal.SIGTERM)
            run = ended(process, tmp_path)
    assert run.code == 0
    assert f"console: 127.0.0.1:{port} cannot be had; choose another with console.listen" in run.err


@pytest.mark.parametrize("command", [["run"], ["run", "--single-process"], ["console"]])
def test_an_address_that_others_reach_needs_a_token(tmp_path: Path, command: list[str]) -> None:
    """Nothing is started."""
    _configure(tmp_path, "0.0.0.0:8484")
    found = wirewatch(*command, cwd=tmp_path)
    assert found.code == 2
    assert "token" in found.err
    assert not (tmp_path / ".wirewatch" / "ledger.sqlite").exists()
