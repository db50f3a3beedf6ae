"""A recording through real workers, a real Valkey and real HTTP on loopback."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.long import long_only
from tests.processes import ROOT, begin, finish, wirewatch
from tests.service.beside import wait_for

pytestmark = [pytest.mark.enable_socket, pytest.mark.allow_hosts(["127.0.0.1"])]

_SEEDS = ROOT / "seeds"


def test_the_seeds_bring_the_same_alerts_through_real_workers(tmp_path: Path) -> None:
    """Line by line in the same order, even with their times: the clock is turned in both."""
    by_rule = _by_rule(tmp_path)
    alone = wirewatch("replay", _SEEDS, "--topics", by_rule, "--json", "--state", "alone", cwd=tmp_path)
    live = wirewatch("replay", _SEEDS, "--topics", by_rule, "--json", "--state", "live", "--live", cwd=tmp_path)
    assert (alone.code, live.code) == (0, 0), live.err
    assert live.out == alone.out
    assert sum(json.loads(line)["kind"] == "alert" for line in live.out.splitlines()) == 5
    again = wirewatch("replay", _SEEDS, "--topics", by_rule, "--json", "--state", "live", "--live", cwd=tmp_path)
    assert json.loads(again.out)["alerts"] == 0
    assert not _left_behind(tmp_path)


@long_only
@pytest.mark.faults
def test_nothing_goes_on_when_a_replay_through_workers_is_killed(tmp_path: Path) -> None:
    """Workers and server end by themselves."""
    process = begin(
        "replay", _SEEDS, "--topics", _by_rule(tmp_path), "--state", tmp_path / "live", "--live", cwd=tmp_path
    )
    wait_for((tmp_path / "live" / "valkey" / "valkey.sock").exists, "the server")
    process.kill()
    finish(process)
    wait_for(lambda: not _left_behind(tmp_path), "the end of all that was started", seconds=60)


def _by_rule(tmp_path: Path) -> Path:
    """Return a file with a topic that needs no models: it is the workers that are tested."""
    topics = tmp_path / "topics.yaml"
    topics.write_text("topics: [{id: missiles, any: [missile, arsenal]}]\n")
    return topics


def _left_behind(tmp_path: Path) -> list[str]:
    """Return the processes whose command line names the test's folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            line = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if str(tmp_path) in line and int(process.name) != os.getpid():
            found.append(line)
    return found
