"""The memory of a process that runs for months with many threads."""

from __future__ import annotations

import ctypes

#: Parameters of glibc's mallopt(3).
_MMAP_THRESHOLD, _ARENA_MAX = -3, -8
_LARGE = 256 * 1024
_ARENAS = 4


def keep_small() -> None:
    """Have this process give large pieces of memory back as soon as they are free, where the C library is glibc.

    Left alone, it keeps an arena for each thread, and after the first body of ten megabytes it takes such pieces from
    those arenas: 64 threads that have each read one large body once would hold them all.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library, with other habits
        return
    mallopt(_MMAP_THRESHOLD, _LARGE)
    mallopt(_ARENA_MAX, _ARENAS)
