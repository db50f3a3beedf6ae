"""Noticing that the process that started this one has ended."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import Final

#: Seconds between two looks.
_LOOK: Final = 0.5


def watch(parent: int, orphaned: Callable[[], object]) -> None:
    """Call ``orphaned``, in a thread, when the process ``parent`` is no longer the parent of this one."""

    def look() -> None:
        while os.getppid() == parent:
            time.sleep(_LOOK)
        orphaned()

    threading.Thread(target=look, name="parent", daemon=True).start()
