"""One service in one state directory, and parts that end with it."""

from __future__ import annotations

import os
import signal
import time
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from tests.processes import DEADLINE, finish, start
from worker.errors import LedgerUnusable
from worker.live.lock import InUse, alone
from worker.live.parent import die_with_parent


def _hold(connection: Connection, state: str) -> None:
    """Hold a directory, with a child that lives on until it is told."""
    with alone(Path(state)):
        child = os.fork()
        if not child:
            connection.recv()
            os._exit(0)
        connection.send(child)
        signal.pause()


def test_a_second_service_is_refused_and_told_who_is_there(tmp_path: Path) -> None:
    """Until the first is killed: a child of its that still runs holds nothing."""
    ours, theirs = Pipe()
    process = start(_hold, theirs, str(tmp_path / "state"))
    child = ours.recv()
    with pytest.raises(InUse, match=rf"process {process.pid}\)") as raised, alone(tmp_path / "state"):
        raise AssertionError
    assert raised.value.process == process.pid
    process.kill()
    assert finish(process) == -signal.SIGKILL
    os.kill(child, 0)
    with alone(tmp_path / "state"):
        pass
    ours.send("end")


def test_a_directory_is_free_again_after_use(tmp_path: Path) -> None:
    """Once used and left, it may be used again, by the same process too."""
    for _ in range(2):
        with alone(tmp_path):
            assert (tmp_path / "run.lock").read_text() == f"{os.getpid()}\n"
            with pytest.raises(InUse), alone(tmp_path):
                raise AssertionError


def test_a_directory_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """A file stands in its way."""
    (tmp_path / "state").write_text("")
    with pytest.raises(LedgerUnusable, match="--state"), alone(tmp_path / "state"):
        raise AssertionError


def _with_child(connection: Connection) -> None:
    parent = os.getpid()
    child = os.fork()
    if not child:
        signal.signal(signal.SIGTERM, lambda *_: connection.send("told"))
        die_with_parent(signal.SIGTERM, parent=parent)
        connection.send(os.getpid())
        until = time.monotonic() + DEADLINE
        while os.getppid() == parent and time.monotonic() < until:
            signal.sigtimedwait((), 0.05)
        os._exit(0)
    os.waitpid(child, 0)


def test_a_child_is_told_of_the_death_of_its_parent() -> None:
    """Whatever killed it."""
    ours, theirs = Pipe()
    process = start(_with_child, theirs)
    theirs.close()
    assert isinstance(ours.recv(), int)
    process.kill()
    assert finish(process) == -signal.SIGKILL
    assert ours.poll(DEADLINE)
    assert ours.recv() == "told"


def _late() -> None:
    die_with_parent(signal.SIGTERM, parent=1 if os.getppid() != 1 else 2)
    signal.pause()


def test_a_parent_that_has_died_before_the_call_is_noticed() -> None:
    """There would be no signal any more."""
    assert finish(start(_late)) == -signal.SIGTERM
