"""The cage: functions that read what strangers wrote run in processes that can be killed.

A parser that loops, swallows memory or crashes takes its own process with it and nothing else. The processes are
forked from a template (see ``worker.live.caged``) and not by ``multiprocessing``, which has one fork server for all of
a process, cannot use it in a process that is forked later (as Celery's are), and starts nothing in a daemon.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import queue
import signal
import socket
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Sequence
from datetime import timedelta
from multiprocessing.connection import Connection
from typing import Final, ParamSpec, TypeVar, cast

from worker.errors import Retryable
from worker.live.caged import FORK, NO_MEMORY, ORDER, REAP
from worker.model import Reason

P = ParamSpec("P")
T = TypeVar("T")

GIB: Final = 1024**3
#: What the template imports, so that children begin with their work: those that read, and what they load when needed.
PRELOADED: Final = (
    "worker.feeds.document",
    "worker.articles.extraction",
    "worker.articles.language:warm_up",
    "feedparser",
    "trafilatura",
    "lxml.html",
    "charset_normalizer",
)
#: Calls after which a child is replaced: what a library hoards goes with it.
CALLS: Final = 500
#: Seconds that the template may take for a reply; to its first it has everything to import.
_PATIENCE: Final = 120.0
#: Seconds that it may take to end.
_FAREWELL: Final = 10.0
#: Libraries that start a thread for each core when they are imported, which children can do without.
_ONE_THREAD: Final = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


class Cage:
    """Processes that run functions and can be killed; many threads may call at once.

    Nothing is started before the first call. A process that is forked from the one that made a cage may use it as well:
    it gets children of its own.

    Args:
        size: How many calls run at once; others wait, and their time begins when they run.
        limit: How long a call may take.
        memory: Bytes of address space that a call may use beyond what every child begins with.
        preload: Modules that the functions need, imported once; ``module:function`` calls a function as well.
    """

    def __init__(
        self,
        size: int = 2,
        limit: timedelta = timedelta(seconds=15),
        memory: int = GIB,
        *,
        preload: Sequence[str] = PRELOADED,
    ) -> None:
        self._size, self._limit, self._memory, self._preload = size, limit, memory, tuple(preload)
        self._closed = False
        self._lock = threading.Lock()
        self._template: _Template | None = None
        self._slots = _slots(size)
        _cages.add(self)

    def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what ``function`` returns, or raise what it raises; its module must know it by its name.

        Raises:
            Retryable: named ``overran``: it took too long or too much memory, or its process died of it. Without a
                name: no process could be started, or the cage is closed.
        """
        data = pickle.dumps((function, args, kwargs), pickle.HIGHEST_PROTOCOL)
        # Bound here, because a process that is forked meanwhile begins with others.
        slots = self._slots
        child = slots.get()
        try:
            child = self._given(child, data)
            answer = self._answered(child, function.__name__)
            child.calls += 1
            if child.calls >= CALLS:
                child.end()
                child = None
        except BaseException:
            if child is not None:
                child.end()
                child = None
            raise
        finally:
            slots.put(child)
        good, value = pickle.loads(answer)  # noqa: S301 - from our own process, over a socket of its own
        if good:
            return cast("T", value)
        raise value

    def close(self) -> None:
        """End all processes. Calls that are under way raise, and so do later ones; closing twice does nothing more."""
        self._closed = True
        with self._lock:
            template, self._template = self._template, None
        if template is None:
            return
        template.close()
        # Its children are dead, so that those who wait for an answer give their slots back at once.
        for child in [self._slots.get() for _ in range(self._size)]:
            if child is not None:
                child.end()
            self._slots.put(None)

    def processes(self) -> tuple[int, ...]:
        """Return the processes that run now, the template first."""
        template = self._template
        return (template.process, *sorted(template.children)) if template is not None else ()

    def forget(self) -> None:
        """Let go of the processes of the one that this was forked from, without ending them."""
        template, self._template = self._template, None
        self._lock, self._slots = threading.Lock(), _slots(self._size)
        if template is not None:
            template.forget()

    def _given(self, child: _Child | None, data: bytes) -> _Child:
        """Return the child that was given ``data`` to work on."""
        if child is not None:
            try:
                child.connection.send_bytes(data)
            except OSError:
                # It has died while it had nothing to do, so that this call is not to blame.
                child.end()
            else:
                return child
        child = self._start()
        try:
            child.connection.send_bytes(data)
        except OSError as error:
            child.end()
            raise Retryable(f"a process to read in could not be used: {error}") from error
        return child

    def _answered(self, child: _Child, name: str) -> bytes:
        try:
            if not child.connection.poll(self._limit.total_seconds()):
                raise _overran(name, f"killed after {self._limit.total_seconds():g} s")
            answer = child.connection.recv_bytes()
        except (EOFError, OSError):
            how = _died(child.end())
            if self._closed:
                raise Retryable(f"{name}: stopped with the service") from None
            raise _overran(name, how) from None
        if answer == NO_MEMORY:
            raise _overran(name, f"used more than {self._memory / 2**20:g} MiB of memory")
        return answer

    def _start(self) -> _Child:
        with self._lock:
            try:
                return self._forked()
            except OSError:
                # The template was killed by somebody: a second one will do.
                self._lose_template()
            try:
                return self._forked()
            except OSError as error:
                self._lose_template()
                raise Retryable(f"no process could be started to read in: {error}") from error

    def _forked(self) -> _Child:
        if self._closed:
            raise Retryable("the cage is closed")
        if self._template is None:
            self._template = _Template(self._memory, self._preload)
        return self._template.fork()

    def _lose_template(self) -> None:
        template, self._template = self._template, None
        if template is not None:
            template.close()


def _slots(size: int) -> queue.LifoQueue[_Child | None]:
    # The last one used comes first: its memory is warm.
    slots: queue.LifoQueue[_Child | None] = queue.LifoQueue()
    for _ in range(size):
        slots.put(None)
    return slots


#: All that a process forked from this one has to let go of.
_cages: weakref.WeakSet[Cage] = weakref.WeakSet()


def _forget_all() -> None:
    for cage in tuple(_cages):
        cage.forget()


os.register_at_fork(after_in_child=_forget_all)


class _Child:
    """One process that answers one call at a time."""

    def __init__(self, template: _Template, process: int, connection: Connection) -> None:
        self.connection, self.process, self.calls = connection, process, 0
        self._template = template
        self._code: int | None = None
        self._ended = False

    def end(self) -> int | None:
        """End the process if it has not ended, and return its exit code if it is known, negative for a signal."""
        if self._ended:
            return self._code
        self._ended = True
        # Nobody has waited for it yet, so that its number is still its own, and how it has ended is kept.
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.process, signal.SIGKILL)
        self.connection.close()
        self._code = self._template.reap(self.process)
        return self._code


class _Template:
    """The process from which children are forked.

    Raises:
        OSError: from each method, when it cannot be started or has ended.
    """

    def __init__(self, memory: int, preload: tuple[str, ...]) -> None:
        self._lock = threading.Lock()
        self.children: dict[int, _Child] = {}
        self._orders, theirs = socket.socketpair()
        self._orders.settimeout(_PATIENCE)
        with theirs:
            code = (
                f"import sys; sys.path[:] = {sys.path!r}; "
                f"from worker.live.caged import main; main({theirs.fileno()}, {memory}, {preload!r})"
            )
            try:
                self._process = subprocess.Popen(  # noqa: S603 - our own interpreter, with code of our own
                    [sys.executable, "-c", code],
                    stdin=subprocess.DEVNULL,
                    # What people read there is ours to say.
                    stdout=subprocess.DEVNULL,
                    pass_fds=[theirs.fileno()],
                    # Ctrl-C is for the process that asked for it.
                    start_new_session=True,
                    env=os.environ | _ONE_THREAD,
                )
            except OSError:
                self._orders.close()
                raise

    @property
    def process(self) -> int:
        return self._process.pid

    def fork(self) -> _Child:
        ours, theirs = socket.socketpair()
        try:
            with self._lock, theirs:
                socket.send_fds(self._orders, [ORDER.pack(FORK, 0)], [theirs.fileno()])
                process = self._reply()
        except OSError:
            ours.close()
            raise
        child = _Child(self, process, Connection(ours.detach()))
        self.children[process] = child
        return child

    def reap(self, process: int) -> int | None:
        """Return the exit code of a child that has ended; ``None`` when nobody knows it."""
        self.children.pop(process, None)
        try:
            with self._lock:
                self._orders.sendall(ORDER.pack(REAP, process))
                return self._reply()
        except OSError:
            # It has ended, or does not reply, and what it may still say belongs to no question.
            self._orders.close()
            return None

    def close(self) -> None:
        """End the process, and with it its children."""
        self._orders.close()
        try:
            self._process.wait(_FAREWELL)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def forget(self) -> None:
        self._orders.close()
        for child in self.children.values():
            child.connection.close()
        # It is not a child of this process, so that there is nothing to wait for.
        self._process.returncode = 0

    def _reply(self) -> int:
        data = self._orders.recv(ORDER.size, socket.MSG_WAITALL)
        if len(data) < ORDER.size:
            raise OSError("the process that others are forked from has ended; it said above why")
        return int(ORDER.unpack(data)[1])


def _overran(name: str, how: str) -> Retryable:
    return Retryable(f"{name}: {how}", name=Reason.OVERRAN)


def _died(code: int | None) -> str:
    if code is None:
        return "its process died"
    return f"its process died ({f'signal {-code}' if code < 0 else f'exit code {code}'})"
