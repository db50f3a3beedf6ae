"""Pages that kill whoever reads them, for real: ``python -m tests.faults.poison LIMIT MEBIBYTES CONSTANTS run ...``.

The page of ``page(CRASH)`` is read by a process that then accesses memory that it has not; the others take memory, or
time, without end. ``page(MATCH)`` is read well, and kills who matches it. Any other page is read as ever.
"""

from __future__ import annotations

import ctypes
import json
import sys
import time
from datetime import timedelta
from functools import partial
from typing import Any

from tests.service.entry import change

#: What is wrong with a page.
CRASH, MEMORY, LOOP, MATCH = "fatal-crash", "fatal-memory", "fatal-loop", "fatal-match"
#: Says in a page's address how many seconds its reading takes.
SLOW = "slowly-"
_MEBIBYTE = 2**20
_EATEN = 2 * 1024


def page(kind: str, *, slowly: float = 0.0) -> bytes:
    """Return a page that is poison of a kind; ``slowly`` is how many seconds it takes to be read."""
    text = (
        f"<p>What this page holds is called {kind}. A reader who meets it has met its last page for today.</p>"
        "<p>Nobody in the office of the publisher knew how it had come there, and nobody wanted to look again.</p>"
        f"<p>It was read {SLOW}{slowly:g}; and put away, said those who had seen it and were asked about it.</p>"
    )
    head = '<html lang="en"><head><meta charset="utf-8"><title>Poison</title></head>'
    return f"<!doctype html>{head}<body><article><h1>Poison</h1>{text}</article></body></html>".encode()


def install() -> None:
    """Have the reader of pages fall for poison; what forks readers calls it."""
    from worker.articles import extraction

    extract = extraction.extract

    def poisoned(html: bytes, **more: Any) -> Any:
        _, slow, rest = html.partition(SLOW.encode())
        if slow:
            time.sleep(float(rest.partition(b";")[0]))
        if CRASH.encode() in html:
            _crash()
        if MEMORY.encode() in html:
            # Not of noughts, which the system would only promise.
            return [bytearray(b"x") * _MEBIBYTE for _ in range(_EATEN)]
        while LOOP.encode() in html:
            pass
        return extract(html, **more)

    extraction.extract = poisoned


def _crash() -> None:
    ctypes.string_at(0)


class _Poisoned:
    """A matcher that falls for poison."""

    def __init__(self, matcher: Any) -> None:
        self._matcher = matcher

    def match(self, article: Any) -> Any:
        """Return what the matcher says, or crash."""
        if MATCH in article.text:
            _crash()
        return self._matcher.match(article)

    def judge(self, article: Any) -> Any:
        """Return what the matcher says."""
        return self._matcher.judge(article)


def _main(limit: float, memory: int, constants: dict[str, float]) -> None:
    from worker import build
    from worker.live import cage, service

    change(constants)
    preload = (*cage.PRELOADED, "tests.faults.poison:install")
    service.Cage = partial(cage.Cage, limit=timedelta(seconds=limit), memory=memory, preload=preload)  # type: ignore[assignment, attr-defined]
    make = build.LazyMatcher
    build.LazyMatcher = lambda opened: _Poisoned(make(opened))  # type: ignore[misc, assignment, return-value]


if __name__ == "__main__":
    _main(float(sys.argv[1]), int(sys.argv[2]) * _MEBIBYTE, json.loads(sys.argv[3]))
    sys.argv = ["wirewatch", *sys.argv[4:]]
    from worker.cli import main

    main()
