"""Threads that do what waits for others: requests, and calls into processes that can be killed."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

_log = logging.getLogger("wirewatch")

K = TypeVar("K")
T = TypeVar("T")


class Hands(Generic[K, T]):
    """A fixed number of threads. They die with the process: a publisher who dawdles keeps nobody from stopping."""

    def __init__(self, count: int, *, name: str) -> None:
        self._todo: queue.SimpleQueue[tuple[K, Callable[[], T]] | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[tuple[K, T | None] | None] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=self._work, name=f"{name}-{number}", daemon=True) for number in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def give(self, key: K, work: Callable[[], T]) -> None:
        """Have ``work`` done by the next free thread."""
        self._todo.put((key, work))

    def take(self, *, timeout: float) -> list[tuple[K, T | None]]:
        """Return all that is done: keys with results, ``None`` where the work has raised.

        Waits at most ``timeout`` seconds for the first.
        """
        found: list[tuple[K, T | None] | None] = []
        try:
            found.append(self._done.get(timeout=timeout))
            while True:
                found.append(self._done.get_nowait())
        except queue.Empty:
            return [one for one in found if one is not None]

    def nudge(self) -> None:
        """Have who waits in ``take`` come back at once, with whatever there is."""
        self._done.put(None)

    def close(self) -> None:
        """Let the threads end when they have nothing more to do."""
        for _ in self._threads:
            self._todo.put(None)

    def _work(self) -> None:
        while (given := self._todo.get()) is not None:
            key, work = given
            try:
                self._done.put((key, work()))
            except Exception:  # noqa: BLE001 - a mistake of ours in one row must not take the thread from the others
                _log.exception("unexpected error; the row is tried again when its lease has run out")
                self._done.put((key, None))
