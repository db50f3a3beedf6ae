"""The heartbeat of a real service: called when a canary has come through the workers, and not without."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest

from tests.edges.servers import Site, plain, serve
from tests.processes import DEADLINE, begin, ended, wirewatch

pytestmark = [pytest.mark.enable_socket, pytest.mark.allow_hosts(["127.0.0.1"])]


def _configure(place: Path, site: Site) -> None:
    config = place / "config"
    config.mkdir()
    (config / "service.yaml").write_text(
        f"heartbeat: {{url: '{site.url('/beat/secret-path')}', every: 1s}}\npolling: {{min_interval: 1s}}\n"
        "meaning: {model: 'off'}\n"
    )
    (config / "alerts.yaml").write_text("channels: {archive: {type: file, path: alerts.jsonl}}\n")
    (config / "topics.yaml").write_text("topics: [{id: all, any: ['wirewatchcan*', said]}]\n")


def _beats(site: Site, count: int) -> int:
    until = time.monotonic() + DEADLINE
    while time.monotonic() < until and len(site.asked) < count:
        time.sleep(0.1)
    return len(site.asked)


def test_the_heartbeat_follows_the_canary_and_shows_nowhere_else(tmp_path: Path) -> None:
    """It is called for canaries that the workers have delivered; status, alerts and logs know nothing of either."""
    with serve() as site:
        site.answers["/beat/secret-path"] = plain(b"OK")
        _configure(tmp_path, site)
        process = begin("run", "--single-process", "-v", cwd=tmp_path)
        try:
            assert _beats(site, 2) >= 2
            state = tmp_path / ".wirewatch"
            look: list[str | Path] = ["status", "--json", "--config", tmp_path / "config", "--state", state]
            found = json.loads(wirewatch(*look, cwd=tmp_path / "look").out)
        finally:
            assert process.pid is not None
            os.kill(process.pid, signal.SIGTERM)
            run = ended(process, tmp_path)
    assert run.code == 0
    assert {asked.path for asked in site.asked} == {"/beat/secret-path"}
    assert (found["feeds"], [c["id"] for c in found["channels"]]) == ([], ["archive"])
    assert [t["id"] for t in found["topics"]] == ["all"]
    assert not (tmp_path / "alerts.jsonl").exists()
    assert "secret-path" not in run.err
