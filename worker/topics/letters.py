"""Letters: the words of a plain text as numbers, found for all words at once.

To make a string of each word and to look it up is most of what matching costs. Here a word is its letters, up to
sixteen, read from where it stands, so that a dozen calls of numpy do for the hundreds of words of an article. Two words
have the same key only when they are the same word.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

#: The letters of words, filled up with zeros, as the one type of numpy that has sixteen bytes: moved and never
#: reckoned with. ``halves`` are their integers.
Keys: TypeAlias = NDArray[np.complex128]

#: Letters that a key has room for. Longer words have none, but the key of no word.
LONGEST = 16
_BLANK = 0x20
#: So that sixteen bytes can be read wherever a word begins, and the last word is followed by a blank.
_PADDING = b" " * (LONGEST + 1)


class Words(NamedTuple):
    """The words of a plain text, in order."""

    #: A blank, the plain text, and more blanks.
    text: bytes
    #: Offsets at which the words begin, and those just after them.
    starts: NDArray[np.intp]
    ends: NDArray[np.intp]
    keys: Keys

    def word(self, nth: int) -> str:
        """Return a word."""
        # One blank stands before the plain text.
        return self.text[self.starts.item(nth) + 1 : self.ends.item(nth) + 1].decode("ascii")


def words_of(plain: bytes) -> Words:
    """Return the words of ``plain`` (which ``worker.text.plain`` returned) as ``plain.split()`` finds them."""
    buffer = b" %b%b" % (plain, _PADDING)
    size = len(plain) + 2
    gaps = np.frombuffer(buffer, np.uint8, size) <= _BLANK
    # One blank stands before the plain text, so that the letter after a blank has the offset of the blank. The text
    # is framed by blanks: its changes from blank to letter are followed, each, by one from letter to blank.
    edges = (gaps[1:] != gaps[:-1]).nonzero()[0]
    starts, ends = edges[::2], edges[1::2]
    # Sixteen bytes from each letter on, of which only those where a word begins are read. An index does so; take()
    # would copy them all.
    keys = np.ndarray((size,), np.complex128, buffer, 1, (1,))[starts]
    kept = halves(keys)
    kept &= halves(_MASKS.take(ends - starts, mode="clip"))
    return Words(buffer, starts, ends, keys)


def keys_of(words: Sequence[str]) -> Keys:
    """Return the keys of ASCII words of at most ``LONGEST`` letters."""
    return np.array(words, f"S{LONGEST}").view(np.complex128)


def halves(keys: Keys) -> NDArray[np.int64]:
    """Return two integers for each of ``keys``, which change with them."""
    return keys.view(np.int64)


def _masks() -> Keys:
    """Return, for each length, what a key keeps of sixteen bytes; the last is for all words that are too long."""
    kept = [b"\xff" * length + bytes(LONGEST - length) for length in range(LONGEST + 1)]
    return np.frombuffer(b"".join([*kept, bytes(LONGEST)]), np.complex128)


_MASKS = _masks()
