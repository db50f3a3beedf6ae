"""Letters: the words of a plain text as numbers, found for all words at once.

To make a string of each word and to look it up is most of what matching costs. Here a word is its letters, up to
sixteen, read from where it stands as two integers, so that a dozen calls of numpy do for the hundreds of words of an
article. Two words have the same key only when they are the same word.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

#: Two integers a word: its letters as little-endian bytes, filled up with zeros.
Keys: TypeAlias = NDArray[np.uint64]

#: Letters that a key has room for. Longer words have none, but the key of no word.
LONGEST = 16
_BLANK = 0x20
#: So that sixteen bytes can be read wherever a word begins, and the last word is followed by a blank.
_PADDING = " " * (LONGEST + 1)


class Words(NamedTuple):
    """The words of a plain text, in order."""

    #: Offsets at which they begin, and from there to the offset after the blank that follows them.
    starts: NDArray[np.intp]
    steps: NDArray[np.intp]
    keys: Keys

    def end(self, nth: int) -> int:
        """Return the offset just after a word."""
        return self.starts.item(nth) + self.steps.item(nth) - 1


def words_of(plain: str) -> Words:
    """Return the words of ``plain`` (which ``worker.text.plain`` returned) as ``plain.split()`` finds them."""
    buffer = f" {plain}{_PADDING}".encode("ascii")
    size = len(plain) + 2
    gaps = (np.frombuffer(buffer, np.uint8, size) <= _BLANK).nonzero()[0]
    # One blank stands before the plain text, so that the letter after a blank has the offset of the blank.
    steps = gaps[1:] - gaps[:-1]
    real = (steps > 1).nonzero()[0]
    starts, steps = gaps.take(real), steps.take(real)
    # Sixteen bytes (as the one type of numpy that has so many, moved and never reckoned with) from each letter on, of
    # which only those where a word begins are read. An index does so; take() would copy them all.
    from_each = np.ndarray((size,), np.complex128, buffer, 1, (1,))
    keys = from_each[starts].view(np.uint64).reshape(-1, 2)
    keys &= _MASKS.take(steps, axis=0, mode="clip")
    return Words(starts, steps, keys)


def keys_of(words: Sequence[str]) -> Keys:
    """Return the keys of ASCII words of at most ``LONGEST`` letters."""
    return np.array(words, f"S{LONGEST}").view(np.uint64).reshape(-1, 2)


def _masks() -> Keys:
    """Return, for each step, what a key keeps of sixteen bytes; the last is for all words that are too long."""
    kept = [b"\xff" * length + bytes(LONGEST - length) for length in range(LONGEST + 1)]
    return np.frombuffer(b"".join([bytes(LONGEST), *kept, bytes(LONGEST)]), np.uint64).reshape(-1, 2)


_MASKS = _masks()
