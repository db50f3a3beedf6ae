"""Processes of a service under measurement, and waiting for what they do."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from typing import Any

#: Seconds after which what should have happened is taken for lost.
BOUND = 180.0
_LOOK = 0.02
#: Processes begin with nothing of ours, so that what they use is their own.
SPAWN = get_context("spawn")


@contextmanager
def running(function: Callable[..., None], *args: Any) -> Iterator[BaseProcess]:
    """Run ``function`` in a process of its own, which is told to end with the block."""
    process = SPAWN.Process(target=function, args=args)
    process.start()
    try:
        yield process
    finally:
        process.terminate()
        process.join(30)
        process.kill()


def until(done: Callable[[], bool], what: str, *, look: float = _LOOK) -> None:
    """Wait until something is done, with ``look`` seconds between two looks."""
    end = time.monotonic() + BOUND
    while not done():
        assert time.monotonic() < end, f"not within {BOUND:.0f} s: {what}"
        time.sleep(look)
