"""One service at a time in one state directory."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from worker.errors import LedgerUnusable, WirewatchError

#: The file of a state directory that a running service holds; it names the process.
NAME: Final = "run.lock"


class InUse(WirewatchError):  # noqa: N818 - named for what it says, like its siblings
    """A service is running in this state directory."""

    def __init__(self, message: str, *, process: int | None) -> None:
        super().__init__(message)
        #: The id of the process that holds it, if it could be told.
        self.process = process


@contextmanager
def alone(state: Path) -> Iterator[None]:
    """Be the only service in ``state`` while the block runs.

    The system lets go of the lock when this process ends, however it ends; processes that it forks do not hold it, so
    that those which are still on their way out keep nobody from starting the service again.

    Raises:
        InUse: another service runs there.
        LedgerUnusable: the directory cannot be made or written.
    """
    try:
        state.mkdir(parents=True, exist_ok=True)
        handle = os.open(state / NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise LedgerUnusable(
            f"{state}: cannot make or write the state directory ({error.strerror}); choose another with --state"
        ) from error
    _held.add(handle)
    try:
        _take(handle, state)
        yield
    finally:
        if handle in _held:  # not in a child, where the number may belong to another file by now
            _held.remove(handle)
            os.close(handle)


def _take(handle: int, state: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        process = read_process(handle)
        who = f"process {process}" if process else "another process"
        message = f"{state}: a service is running here already ({who}); stop it first, or choose another with --state"
        raise InUse(message, process=process) from None
    write_process(handle, os.getpid())


def read_process(handle: int) -> int | None:
    """Return the process that a lock file names; ``None`` when it names none."""
    text = os.pread(handle, 20, 0).strip()
    return int(text) if text.isdigit() else None


def write_process(handle: int, process: int) -> None:
    """Write the process that holds a lock file into it."""
    # It is only told to people, and a full disk must not keep the service from running.
    with suppress(OSError):
        os.ftruncate(handle, 0)
        os.pwrite(handle, b"%d\n" % process, 0)


_held: Final[set[int]] = set()


def _forked() -> None:
    # The lock belongs to the open file, which a child shares with us: it would hold the lock for as long as it lives.
    for handle in _held:
        with suppress(OSError):
            os.close(handle)
    _held.clear()


os.register_at_fork(after_in_child=_forked)
