"""Keeps the service under test: whatever it leaves behind becomes this program's child, and ends with it at the latest.

On Linux it takes in orphans as the first process of a machine would (PR_SET_CHILD_SUBREAPER, prctl(2)), so that nothing
that ever came from the service is out of sight; elsewhere the test remembers what it has seen.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from tests.service.beside import attend, given, say

_SET_CHILD_SUBREAPER = 36
#: How often, and for how many seconds in all, everything is killed at the end.
_ROUNDS, _PAUSE = 200, 0.05


class _Keeper:
    """The processes that were started here, and how they have ended."""

    def __init__(self) -> None:
        self._codes: dict[int, int] = {}
        self._started: list[subprocess.Popen[bytes]] = []
        threading.Thread(target=self._reap, daemon=True).start()

    def start(self, args: Sequence[str], *, cwd: str, env: Mapping[str, str], out: str, err: str) -> int:
        """Start a program in a session of its own; what it says is appended to two files. Return its process."""
        with Path(out).open("ab") as stdout, Path(err).open("ab") as stderr:
            process = subprocess.Popen(
                args, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, start_new_session=True
            )
        # Kept, because its own clean-up would wait for what is waited for here.
        self._started.append(process)
        return process.pid

    def ended(self, pid: int) -> int | None:
        """Return the exit code of a process that was started here, negative for a signal; ``None`` while it runs."""
        return self._codes.get(pid)

    def kill_all(self) -> int:
        """Kill everything that came from here, until nothing is left; return how many processes that were."""
        killed: set[int] = set()
        for _ in range(_ROUNDS):
            left = [process for process in psutil.Process().children(recursive=True) if _alive(process)]
            if not left:
                break
            for process in left:
                killed.add(process.pid)
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            time.sleep(_PAUSE)
        return len(killed)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, 0)
            except ChildProcessError:
                time.sleep(_PAUSE)
            else:
                self._codes[pid] = os.waitstatus_to_exitcode(status)


def _alive(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _free_port() -> int:
    """Return a port of 127.0.0.1 that was free just now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


def _take_in_orphans() -> bool:
    if sys.platform != "linux":
        return False
    return bool(ctypes.CDLL(None, use_errno=True).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0)


async def _main() -> None:
    adopts = _take_in_orphans()
    keeper = _Keeper()
    say({"adopts": adopts})
    try:
        await attend(
            {
                "start": keeper.start,
                "ended": keeper.ended,
                "kill_all": keeper.kill_all,
                "free_port": _free_port,
            }
        )
    finally:
        keeper.kill_all()


if __name__ == "__main__":
    given()
    asyncio.run(_main())
