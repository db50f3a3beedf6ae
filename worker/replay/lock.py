"""One replay at a time in one state directory.

A lease is held for a span of the clock, and every replay has a clock of its own that jumps: two of them would take each
other's leases for run out until every row was given up.
"""

from __future__ import annotations

import fcntl
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from worker.errors import LedgerUnusable

_log = logging.getLogger("wirewatch")
_NAME = "replay.lock"


@contextmanager
def alone(state: Path) -> Iterator[None]:
    """Keep other replays out of ``state`` while the block runs; wait when one is there already.

    The system lets go of the lock when the process ends, however it ends.

    Raises:
        LedgerUnusable: the directory cannot be made or written.
    """
    try:
        state.mkdir(parents=True, exist_ok=True)
        handle = (state / _NAME).open("ab")
    except OSError as error:
        raise LedgerUnusable(
            f"{state}: cannot make or write the state directory ({error.strerror}); choose another with --state"
        ) from error
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _log.warning("%s: another replay is at work here; waiting for its end", state)
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
