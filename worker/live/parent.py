"""Processes that end when the process that started them has ended, however that came about.

As a script (``python parent.py PARENT SIGNAL COMMAND ...``) it becomes COMMAND, a program that cannot ask for it by
itself. It imports nothing of this package, so that it starts at once.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Final

#: ``PR_SET_PDEATHSIG`` of prctl(2).
_DEATH_SIGNAL: Final = 1
#: Seconds between two looks at who the parent is.
_LOOK: Final = 0.5


def die_with_parent(number: int, *, parent: int | None = None) -> None:
    """Have this process receive the signal ``number`` when its parent ends; at once when it has ended already.

    On Linux the system sends it (prctl(2), ``PR_SET_PDEATHSIG``), even after an ``exec``, and what counts as the parent
    is the *thread* that started this process: start processes from a thread that lives as long as its process does. A
    process that this one forks must ask for itself. Elsewhere a thread looks now and then.

    Args:
        number: The signal.
        parent: The process that started this one, as that itself knows it; without it a parent that has ended before
            this call goes unnoticed.
    """
    expected = os.getppid() if parent is None else parent
    if not _ask_kernel(number):
        watch(expected, lambda: os.kill(os.getpid(), number))
    # The parent may have ended between the fork and the call above, for which no signal comes any more.
    if os.getppid() != expected:
        os.kill(os.getpid(), number)


def kernel_tells() -> bool:
    """Return whether the system itself tells a process of its parent's end."""
    return sys.platform == "linux"


def _ask_kernel(number: int) -> bool:
    if not kernel_tells():
        return False
    try:
        return bool(ctypes.CDLL(None, use_errno=True).prctl(_DEATH_SIGNAL, number, 0, 0, 0) == 0)
    except (OSError, AttributeError):  # a C library without it
        return False


def watch(parent: int, orphaned: Callable[[], object]) -> None:
    """Call ``orphaned``, in a thread, when the process ``parent`` is no longer the parent of this one."""

    def look() -> None:
        _await_end(parent)
        while os.getppid() == parent:
            time.sleep(_LOOK)
        orphaned()

    threading.Thread(target=look, name="parent", daemon=True).start()


def _await_end(parent: int) -> None:
    """Return when the process ``parent`` has ended, and at once where the system does not tell (pidfd_open(2))."""
    if sys.platform != "linux":
        return
    try:
        handle = os.pidfd_open(parent)
    except OSError:  # an old kernel, a container that forbids it, or it has ended
        return
    try:
        # Its number may have become another's before it was opened.
        if os.getppid() == parent:
            ended = select.poll()
            ended.register(handle, select.POLLIN)
            ended.poll()
    finally:
        os.close(handle)


def _become(parent: int, number: int, command: list[str]) -> None:
    """Become ``command``, which ends with ``parent``."""
    # Whatever the thread that started us had blocked would stay blocked for ever.
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    if kernel_tells():
        die_with_parent(number, parent=parent)
    os.execv(command[0], command)  # noqa: S606 - a program of the caller's, without a shell


if __name__ == "__main__":
    _become(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
