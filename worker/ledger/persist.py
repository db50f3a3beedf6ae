"""Writing what must not be lost, through a time in which the ledger cannot be written."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from worker.errors import DiskFull, LedgerAway

T = TypeVar("T")

#: Seconds to wait after each try, a minute in all: shorter than a lease, which must still be held at the end.
WAITS: Final = (0.1, 0.2, 0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 10.0, 15.0, 15.0)


def persist(
    write: Callable[[], T], *, waits: Sequence[float] = WAITS, sleep: Callable[[float], object] = time.sleep
) -> T:
    """Return what ``write`` returns, called again after each of ``waits`` while the ledger is away or its disk full.

    A call that failed may have come through all the same, when the connection was lost in its commit: ``write`` must
    take that well.

    Raises:
        LedgerAway: it is still away after the last wait.
        DiskFull: its disk is still full.
    """
    for wait in waits:
        try:
            return write()
        except (LedgerAway, DiskFull):
            sleep(wait)
    return write()
