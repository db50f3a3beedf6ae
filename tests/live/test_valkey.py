"""The embedded server as a real process: how it starts, what it survives, and when it ends."""

from __future__ import annotations

import logging
import os
import resource
import signal
import stat
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path

import psutil
import pytest
from redis import Redis
from redis.exceptions import ResponseError

from tests.processes import DEADLINE, finish, start
from worker.live import valkey
from worker.live.broker import open_broker
from worker.live.valkey import NoServer, Server, socket_of


@pytest.fixture
def state() -> Iterator[Path]:
    """Give a state directory whose path is short and has a blank in it."""
    with tempfile.TemporaryDirectory(prefix="wirewatch ") as folder:
        yield Path(folder) / "state"


@pytest.fixture
def begin(state: Path) -> Iterator[Callable[..., Server]]:
    """Give a function that starts a server which does not outlive the test."""
    started: list[Server] = []

    def begun(place: Path = state, timeout: float = DEADLINE) -> Server:
        server = valkey.start(place, timeout=timeout)
        started.append(server)
        return server

    yield begun
    for server in started:
        if server.process is not None:
            server.process.kill()
            server.process.wait()


def ask(server: Server) -> Redis:
    """Return a client of the server."""
    return open_broker("embedded", socket=server.socket).client(timeout=DEADLINE)


def ends(pid: int) -> bool:
    """Return whether a process ends in time; one that nobody has waited for yet counts as ended."""
    until = time.monotonic() + DEADLINE
    while time.monotonic() < until:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.01)
    return False


def test_it_keeps_what_it_is_told_and_lets_nobody_else_in(begin: Callable[..., Server], state: Path) -> None:
    """Append-only, synced every second, nothing evicted, no TCP, and a directory and a socket of our own."""
    server = begin()
    client = ask(server)
    wanted = {
        "appendonly": "yes",
        "appendfsync": "everysec",
        "aof-load-truncated": "yes",
        "save": "",
        "maxmemory-policy": "noeviction",
        "port": "0",
        "dir": str(state / "valkey"),
    }
    assert {name: client.config_get(name)[name] for name in wanted} == wanted
    assert stat.S_IMODE((state / "valkey").stat().st_mode) == 0o700
    assert stat.S_IMODE(server.socket.stat().st_mode) == 0o700
    assert client.info("server")["process_id"] == server.pid
    client.close()


def test_what_was_written_is_there_after_a_stop(begin: Callable[..., Server]) -> None:
    """A stop writes the append-only file, and removes the socket."""
    server = begin()
    ask(server).set("kept", "1")
    assert server.alive()
    server.stop(DEADLINE)
    assert not server.alive()
    assert not server.socket.exists()
    assert ask(begin()).get("kept") == b"1"


def test_a_server_that_does_not_end_is_killed(begin: Callable[..., Server]) -> None:
    """One that was stopped by the system cannot hear SIGTERM."""
    server = begin()
    os.kill(server.pid, signal.SIGSTOP)
    assert server.alive()
    server.stop(0.1)
    assert not server.alive()


def _own_one(connection: Connection, place: str) -> None:
    server = valkey.start(Path(place), timeout=DEADLINE)
    connection.send(server.pid)
    connection.recv()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the next service takes it over")
def test_killed_parents_leave_no_server(state: Path, begin: Callable[..., Server]) -> None:
    """Its parent is killed with -9 and has no time to end it; the next start finds the way free and the data there."""
    ours, theirs = Pipe()
    process = start(_own_one, theirs, str(state))
    pid = ours.recv()
    client = open_broker("embedded", socket=socket_of(state)).client(timeout=DEADLINE)
    client.set("kept", "1")
    client.close()
    process.kill()
    assert finish(process) == -signal.SIGKILL
    server = begin()
    assert server.process is not None
    assert ends(pid)
    assert ask(server).get("kept") == b"1"


def test_a_server_that_is_there_already_is_taken_over(
    begin: Callable[..., Server], caplog: pytest.LogCaptureFixture
) -> None:
    """One that outlived its parent is known to be alive, and can be stopped."""
    first = begin()
    ask(first).set("kept", "1")
    second = begin()
    assert second.process is None
    assert second.pid == first.pid
    assert second.alive()
    assert ask(second).get("kept") == b"1"
    assert "going on with it" in caplog.text
    second.stop(DEADLINE)
    assert first.process is not None
    assert first.process.wait(DEADLINE) == 0
    assert not second.alive()


def test_a_server_on_its_way_out_is_waited_for(begin: Callable[..., Server]) -> None:
    """It may still answer after SIGTERM; taking it over would leave us without one."""
    first = begin()
    os.kill(first.pid, signal.SIGTERM)
    second = begin()
    assert second.process is not None
    assert second.pid != first.pid
    assert not first.alive()
    assert second.alive()
    assert ask(second).ping()


def test_a_server_that_hangs_is_killed_and_replaced(
    begin: Callable[..., Server], caplog: pytest.LogCaptureFixture
) -> None:
    """It holds the lock and says nothing."""
    first = begin()
    os.kill(first.pid, signal.SIGSTOP)
    second = begin(timeout=3.0)
    assert second.pid != first.pid
    assert not first.alive()
    assert ask(second).ping()
    assert "does not answer; it is killed" in caplog.text


def test_the_id_of_another_process_is_never_killed(begin: Callable[..., Server], state: Path) -> None:
    """Ids are used again: one whose command line does not name our socket is left alone."""
    server = begin()
    os.kill(server.pid, signal.SIGSTOP)
    (state / "valkey" / "valkey.lock").write_text(f"{os.getpid()}\n")
    with pytest.raises(NoServer, match=rf"process {os.getpid()}\) holds it"):
        begin(timeout=0.5)


def test_the_socket_of_a_dead_server_is_in_nobodys_way(begin: Callable[..., Server]) -> None:
    """A kill -9 leaves the file behind."""
    first = begin()
    os.kill(first.pid, signal.SIGKILL)
    assert ends(first.pid)
    assert first.socket.exists()
    assert ask(begin()).ping()


def test_a_state_directory_with_a_long_path_has_its_socket_elsewhere(
    begin: Callable[..., Server], state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The path of a socket has some hundred bytes; the place is private, and always the same."""
    monkeypatch.setattr(tempfile, "tempdir", str(state.parent))
    deep = state.joinpath(*["a-directory-with-a-long-name"] * 5)
    server = begin(deep)
    assert server.socket == socket_of(deep)
    assert len(os.fsencode(server.socket)) <= 100
    assert not server.socket.is_relative_to(deep)
    assert socket_of(deep / "other") != server.socket
    assert stat.S_IMODE(server.socket.parent.stat().st_mode) == 0o700
    assert ask(server).ping()


def test_a_place_that_somebody_else_has_prepared_is_refused(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a temporary directory for all, a link to elsewhere could stand where the socket goes."""
    monkeypatch.setattr(tempfile, "tempdir", str(state.parent))
    deep = state.joinpath(*["a-directory-with-a-long-name"] * 5)
    (state.parent / "elsewhere").mkdir()
    socket_of(deep).parent.symlink_to(state.parent / "elsewhere")
    with pytest.raises(NoServer, match="belongs to somebody else"):
        valkey.start(deep)


def test_an_end_that_a_power_cut_has_torn_off_is_left_out(begin: Callable[..., Server], state: Path) -> None:
    """Half of the last command in the file: everything before it is there."""
    server = begin()
    client = ask(server)
    client.set("first", "1")
    client.set("second", "2")
    server.stop(DEADLINE)
    (file,) = (state / "valkey" / "appendonlydir").glob("*.incr.aof")
    os.truncate(file, file.stat().st_size - 5)
    again = ask(begin())
    assert again.get("first") == b"1"
    assert again.get("second") is None


@pytest.mark.parametrize("name", ["*.incr.aof", "*.manifest", "*.base.rdb"])
def test_a_damaged_file_is_moved_aside(
    begin: Callable[..., Server], state: Path, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    """The server begins empty, says so, and keeps the last such file for who wants to look."""
    for round_ in range(2):
        server = begin()
        client = ask(server)
        client.set("lost", "1")
        server.stop(DEADLINE)
        (file,) = (state / "valkey" / "appendonlydir").glob(name)
        file.write_bytes(b"no such command\r\n" * 20)
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            again = begin()
        assert ask(again).get("lost") is None, round_
        assert "cannot read its append-only file" in caplog.text
        assert list((state / "valkey" / "appendonlydir.damaged").glob(name))
        again.stop(DEADLINE)


def test_a_full_disk_does_not_end_it(begin: Callable[..., Server]) -> None:
    """A limit on the size of files stands in for the disk: writes are refused, and taken again when there is room."""
    server = begin()
    client = ask(server)
    most = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (4096, most[1]))
    with pytest.raises(ResponseError, match=r"AOF|MISCONF"):
        for number in range(10_000):
            client.set(f"key {number}", "x" * 1000)
    assert client.get("key 0") is not None
    assert server.alive()
    assert begin().pid == server.pid
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, most)
    until = time.monotonic() + DEADLINE
    while time.monotonic() < until:
        try:
            assert client.set("after", "1")
            break
        except ResponseError:
            time.sleep(0.1)
    assert client.get("after") == b"1"


def test_a_long_log_is_begun_anew(begin: Callable[..., Server], state: Path) -> None:
    """A service that is restarted for years does not fill the disk with it."""
    server = begin()
    server.stop(DEADLINE)
    log = state / "valkey" / "valkey.log"
    short = log.stat().st_size
    begin().stop(DEADLINE)
    assert log.stat().st_size > short
    log.write_bytes(b"x" * (1 << 20) + b"y")
    begin().stop(DEADLINE)
    assert b"xxx" not in log.read_bytes()


def test_it_does_not_hear_what_a_terminal_sends_to_us(begin: Callable[..., Server]) -> None:
    """Ctrl-C reaches every process of a terminal's session; workers need the server while they finish."""
    assert os.getsid(begin().pid) != os.getsid(0)


def test_a_server_that_cannot_start_says_why(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The end of its log is in the error."""
    program = state.parent / "program"
    program.write_text("#!/bin/sh\necho the reason why\nexit 3\n")
    program.chmod(0o700)
    monkeypatch.setattr(valkey, "_program", lambda: program)
    with pytest.raises(NoServer, match=r"(?s)ended with code 3.*the reason why"):
        valkey.start(state)


def test_a_system_without_a_server_is_told_what_to_do(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no wheel for every system."""
    assert valkey.available() == ""
    monkeypatch.setattr(valkey, "_program", lambda: None)
    assert "has no server for this system" in valkey.available()
    with pytest.raises(NoServer, match="broker: redis://HOST"):
        valkey.start(state)


def test_a_directory_that_cannot_be_made_is_told(state: Path) -> None:
    """A file stands in its way."""
    state.write_text("")
    with pytest.raises(NoServer, match="--state"):
        valkey.start(state)


def test_it_is_not_started_by_a_thread_that_may_end_before_us(state: Path) -> None:
    """The system would end the server with that thread."""
    raised: list[type[BaseException]] = []

    def other() -> None:
        try:
            valkey.start(state)
        except RuntimeError as error:
            raised.append(type(error))

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert raised == [RuntimeError]
