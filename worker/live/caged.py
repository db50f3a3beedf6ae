"""What runs inside the cage: a template that has imported everything, and the children that it forks.

The template is a fresh interpreter, so that its children have none of the threads, locks and connections of the process
that asked for them. It is told what to do over a socket, and ends, with all its children, when that is closed.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import logging
import os
import pickle
import resource
import signal
import socket
import struct
import traceback
from collections.abc import Iterable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

from worker.errors import WirewatchError

#: An order to the template and its reply: one of the words below or nothing, and a process or the way that it ended.
ORDER: Final = struct.Struct("<cq")
FORK, REAP = b"f", b"r"
#: What a child says instead of an answer when it has used up its memory.
NO_MEMORY: Final = b""

#: Files that a child may have open: its connection, and what imports need.
_FILES: Final = 64
_STATM: Final = Path("/proc/self/statm")


def main(handle: int, memory: int, modules: Iterable[str]) -> None:
    """Be the template: load ``modules``, then fork children of ``memory`` bytes each as told over ``handle``.

    Each of ``modules`` is a ``module``, or a ``module:function`` that is called as well.
    """
    # The process that asked for us decides when we end, whoever else is told to.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    logging.disable(logging.WARNING)
    for module in modules:
        name, _, function = module.partition(":")
        imported = importlib.import_module(name)
        if function:
            getattr(imported, function)()
    gc.freeze()
    orders = socket.socket(fileno=handle)
    children: set[int] = set()
    while True:
        data, handles, _, _ = socket.recv_fds(orders, ORDER.size, 1)
        if not data:
            for child in children:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
            return
        order, process = ORDER.unpack(data)
        if order == FORK:
            child = os.fork()
            if not child:
                orders.close()
                os.setpgid(0, 0)  # so that a signal to its group is for itself alone
                _serve(handles[0], memory)
            os.close(handles[0])
            children.add(child)
            orders.sendall(ORDER.pack(FORK, child))
        else:
            children.discard(process)
            orders.sendall(ORDER.pack(REAP, _ended(process)))


def _ended(process: int) -> int:
    """Return how a process ended, which it has or will at once: its exit code, negative for a signal."""
    try:
        return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    except ChildProcessError:
        return 0


def _serve(handle: int, memory: int) -> None:
    """Answer one call after the other until the connection is closed."""
    try:
        _confine(memory)
        with Connection(handle) as connection:
            while True:
                connection.send_bytes(_answer(connection.recv_bytes()))
    except (EOFError, OSError):
        os._exit(0)
    finally:
        os._exit(1)


def _confine(memory: int) -> None:
    """Allow ``memory`` bytes of address space beyond what is used now (the code and data that all children share)."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (_FILES, _FILES))
    if _STATM.exists():
        used = int(_STATM.read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + memory, used + memory))


def _answer(call: bytes) -> bytes:
    """Return, as bytes, whether a call went well and what came of it; ``NO_MEMORY`` when that was not enough."""
    try:
        function, args, kwargs = pickle.loads(call)  # noqa: S301 - from our own process, over a socket of its own
        return pickle.dumps((True, function(*args, **kwargs)), pickle.HIGHEST_PROTOCOL)
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is the caller's
        if _memory_ended(error):
            return NO_MEMORY
        return _raised(error)


def _memory_ended(error: BaseException) -> bool:
    """Return whether ``error`` is, or was made of, one that says that memory has ended."""
    seen: set[int] = set()
    found: BaseException | None = error
    while found is not None and id(found) not in seen:
        if isinstance(found, MemoryError):
            return True
        seen.add(id(found))
        found = found.__cause__ or found.__context__
    return False


def _raised(error: BaseException) -> bytes:
    """Return the bytes of an answer that raises ``error``; one that cannot travel is told in words."""
    if not isinstance(error, WirewatchError):
        error.add_note("".join(traceback.format_exception(error)))
    try:
        data = pickle.dumps((False, error), pickle.HIGHEST_PROTOCOL)
        pickle.loads(data)  # noqa: S301 - made in the line above
    except Exception:  # noqa: BLE001 - pickling runs the code of any class
        return pickle.dumps((False, RuntimeError(f"{type(error).__name__}: {error}")), pickle.HIGHEST_PROTOCOL)
    return data
