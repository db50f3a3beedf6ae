"""Features of members that were read before: they never change, and making them out is the dearest part of reading."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from datetime import datetime
from threading import Lock
from typing import Final

from worker.stories import grouping
from worker.stories.features import Features

#: What is kept in one process: about two thousand members of 150 words, or five hundred of 800.
MOST_BYTES: Final = 64 * 2**20
# Measured, with all that a term and a shingle are worked out to.
_TERM, _SHINGLE_BYTE, _REST = 440, 18, 2000


class Known:
    """The features of the members that were asked for last. It may be used from many threads."""

    def __init__(self, most: int = MOST_BYTES) -> None:
        self._most = most
        self._size = 0
        self._lock = Lock()
        #: How alike two of them are, with a memory.
        self.alike = grouping.remembered()
        self._kept = OrderedDict[tuple[str, datetime], Features]()

    def get(self, joined_at: Mapping[str, datetime]) -> dict[str, Features]:
        """Return the features that are still kept of those articles that joined their stories at these times."""
        with self._lock:
            found = {key[0]: one for key in joined_at.items() if (one := self._kept.get(key)) is not None}
            for article_id in found:
                self._kept.move_to_end((article_id, joined_at[article_id]))
            return found

    def add(self, article_id: str, joined_at: datetime, one: Features) -> Features:
        """Keep features, and return them; those that were not asked for longest go."""
        key = (article_id, joined_at)
        with self._lock:
            before = self._kept.pop(key, None)
            self._kept[key] = one
            self._size += size(one) - (size(before) if before else 0)
            while self._size > self._most:
                self._size -= size(self._kept.popitem(last=False)[1])
        return one


def size(one: Features) -> int:
    """Return about how many bytes features take."""
    return _REST + _TERM * len(one.rarity) + _SHINGLE_BYTE * len(one.shingles)
