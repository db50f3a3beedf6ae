"""A disk that is full while articles flow, and has room again: nothing half-written, nothing lost, nothing repeated."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

import pytest
from redis import Redis

from tests.faults.flowing import CONSTANTS, console
from tests.long import LONG
from tests.processes import ROOT, wirewatch
from tests.service.beside import wait_for
from tests.service.count import Count
from tests.service.house import House
from tests.service.press import Press, press
from tests.service.receiver import Receiver, receiver
from worker.build import SERVICE_LEDGER
from worker.live.valkey import socket_of

pytestmark = [pytest.mark.faults, pytest.mark.enable_socket, pytest.mark.allow_hosts(["127.0.0.1"])]

ARTICLES, TIMES = (600, 5) if LONG else (60, 1)
#: Of the small disk.
SIZE = "24m"
_INSIDE = "WIREWATCH_TEST_INSIDE"
_FULL = "the disk is full"


def _mount(place: Path) -> str:
    """Mount a small disk at ``place``; return why that is not possible."""
    place.mkdir(parents=True)
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "wirewatch-test", str(place)],
        capture_output=True,
        text=True,
        check=False,
    )
    return "" if done.returncode == 0 else done.stderr.strip() or "mount failed"


@contextmanager
def small_disk(place: Path) -> Iterator[None]:
    """Have a small disk at ``place`` until the block ends."""
    yield
    subprocess.run(["umount", "--lazy", str(place)], check=True)


class Ballast:
    """A file that leaves no room for anything else."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "ballast"

    def load(self) -> None:
        """Fill the disk to the last byte."""
        with self._file.open("wb", buffering=0) as file:
            for size in (1 << 20, 4096, 1):
                try:
                    while True:
                        file.write(b"\0" * size)
                except OSError:
                    continue

    def drop(self) -> None:
        """Make room again."""
        self._file.unlink()


@pytest.fixture
def publishers() -> Iterator[Press]:
    """Give publishers with five feeds."""
    with press(feeds=5) as running:
        yield running


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[Receiver]:
    """Give a receiver that behaves."""
    with receiver(tmp_path / "posts.jsonl") as running:
        yield running


def test_a_full_disk_stops_the_service_only_until_there_is_room(
    tmp_path: Path, publishers: Press, inbox: Receiver
) -> None:
    """It says so, answers for itself meanwhile, and goes on by itself; ledger and embedded server are whole."""
    # A worker that has lost its broker ends itself the sooner the oftener it is looked at.
    constants = CONSTANTS | {"worker.live.node.LOOK_EVERY": 1}
    house = House(tmp_path / "house", publishers, receiver=inbox, constants=constants, service={"console": console()})
    if why := _mount(house.state):
        house.close()
        _again_in_a_namespace(why)
        return
    with small_disk(house.state), house:
        house.start()
        ballast = Ballast(house.state)
        urls = publishers.publish(10)
        house.wait_until_said("Ctrl-C stops")
        assert house.settled(urls).delivered == len(urls), house.last_words()
        for time in range(TIMES):
            ballast.load()
            said = house.said().count(_FULL)
            urls += publishers.publish((ARTICLES - 10) // TIMES, rate=20)
            if not time:  # later the ledger may find room in its own write-ahead log, which has grown
                wait_for(partial(_says_so, house, said), "a word of the full disk", seconds=60)
            publishers.wait(seconds=120)
            _answers(house, tmp_path / f"asked-{time}")
            ballast.drop()
            found = house.settled(urls, seconds=120)
            assert found == Count(expected=len(urls), delivered=len(urls)), house.last_words()
            assert house.running()
        _is_whole(house)
        assert house.stop() == 0
        _is_whole(house)


def _says_so(house: House, before: int) -> bool:
    """Return whether the service has said once more than ``before`` that the disk is full."""
    return house.said().count(_FULL) > before


def _answers(house: House, cwd: Path) -> None:
    """Check that ``status`` answers, or says clearly why it cannot."""
    done = wirewatch("status", "--json", *house.options, cwd=cwd)
    if done.code == 0:
        assert json.loads(done.out)["ready"] is True
    else:
        assert _FULL in done.out + done.err


def _is_whole(house: House) -> None:
    """Check that nothing in the ledger is half-written, and that the server takes what it is told."""
    with closing(sqlite3.connect(house.state / SERVICE_LEDGER)) as ledger:
        assert ledger.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert ledger.execute("PRAGMA foreign_key_check").fetchall() == []
    if house.running():
        with closing(Redis(unix_socket_path=str(socket_of(house.state)))) as server:
            assert server.info("persistence")["aof_last_write_status"] == "ok"
            assert server.set("wirewatch:test", 1, ex=10)


def _again_in_a_namespace(why: str) -> None:
    """Run this test once more where this user may mount a disk: in namespaces of its own."""
    if _INSIDE in os.environ:
        pytest.skip(f"no small disk can be had, even in a namespace of our own: {why}")
    try:
        subprocess.run(["unshare", "-Urm", "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no small disk can be had: {why}; nor a namespace of our own: {error}")
    done = subprocess.run(
        ["unshare", "-Urm", sys.executable, "-m", "pytest", "-n", "0", "-q", "-p", "no:cacheprovider", __file__],
        cwd=ROOT,
        env=os.environ | {_INSIDE: "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout, done.stdout
