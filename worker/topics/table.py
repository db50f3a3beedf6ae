"""A table from words to their codes that is asked for all words of an article at once.

It is a hash table of rows with room for two words each. Words are put in as they were given, so that the common ones,
which are met first, have a place; those that find none (one in a hundred) are left out. A table is never
changed, so that threads may share one.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from worker.topics.letters import LONGEST, Keys, halves, keys_of

_ROOMS = 2
_LEAST_BITS = 4
#: 12 MB. With 200,000 words in it, the last 20,000 of them find no room.
_MOST_BITS = 18
#: What no letters of ASCII make.
_EMPTY = -1
#: The golden ratio as a fraction of 2 ** 64. The highest bits of a product with it depend on all bits of the other
#: number (Knuth, The Art of Computer Programming 3, section 6.4).
_FACTOR = np.uint64(0x9E3779B97F4A7C15).astype(np.int64)


class Table:
    """Codes of the words of a dictionary."""

    def __init__(self, codes: Mapping[str, int]) -> None:
        """Take the ASCII words of at most ``LONGEST`` letters; the others are left out."""
        words = [word for word in codes if word and len(word) <= LONGEST and word.isascii()]
        #: How many words were taken, or left out for want of room.
        self.count = len(words)
        bits = min(max(_LEAST_BITS, (4 * self.count).bit_length()), _MOST_BITS)
        self._shift = np.int64(64 - bits)
        keys = keys_of(words)
        rows = self._rows(keys)
        rooms = _rooms(rows)
        placed = (rooms < _ROOMS).nonzero()[0]
        rows, rooms = rows.take(placed), rooms.take(placed)
        #: The keys in the first and in the second room of each row. No key is like an empty room.
        self._keys = np.full((1 << bits, _ROOMS * 2), _EMPTY, np.int64).view(keys.dtype)
        self._keys[rows, rooms] = keys.take(placed)
        self._codes = np.zeros((1 << bits) * _ROOMS, np.int64)
        self._codes[rows * _ROOMS + rooms] = np.array([codes[word] for word in words], np.int64).take(placed)

    def codes(self, keys: Keys) -> tuple[NDArray[np.int64], NDArray[np.intp]]:
        """Return the code of each word, and the numbers of the words that are not here, whose codes mean nothing."""
        rows = self._rows(keys)
        found = halves(self._keys.take(rows, axis=0))
        both = halves(keys)
        one, two = both[::2], both[1::2]
        first = found[:, 0] == one
        first &= found[:, 1] == two
        second = found[:, 2] == one
        second &= found[:, 3] == two
        rows *= _ROOMS
        rows += second
        # No word is in both rooms: where the answers are alike, they are no.
        return self._codes.take(rows), (first == second).nonzero()[0]

    def _rows(self, keys: Keys) -> NDArray[np.int64]:
        """Return the row of each word; half of them are counted from the last row on, as -1, -2 and so forth."""
        both = halves(keys)
        rows = both[::2] ^ both[1::2]
        rows *= _FACTOR
        rows >>= self._shift
        return rows


def _rooms(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return for each word how many before it have the same row."""
    order = rows.argsort(kind="stable")
    places = np.arange(len(rows))
    begins = np.concatenate(([True], rows[order[1:]] != rows[order[:-1]]))[: len(rows)]
    rooms = np.empty_like(places)
    rooms[order] = places - np.maximum.accumulate(np.where(begins, places, 0))
    return rooms
