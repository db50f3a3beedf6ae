"""Near-copies: how much of one text's wording is in another.

Three words in a row are a shingle. After every seventh word of a text was changed, six in ten of its shingles are still
there, and two reports of one event by different desks share one in ten; with five words it would be four in ten, and in
a text of forty words now and then only one in four.
"""

from __future__ import annotations

import sys
import zlib
from array import array
from collections.abc import Sequence

_WORDS = 3
#: Shingles kept of one text: the smallest hashes, which are the same share of every text.
_MOST = 3000
_MOST_WORDS = 20_000
#: Hashes are 32 bits, as bytes little-endian and in ascending order.
_TYPE, _BYTES = "I", 4
if array(_TYPE).itemsize != _BYTES:  # pragma: no cover - no system that Python runs on
    raise ImportError("an unsigned int has not 32 bits here")


def shingles(terms: Sequence[str]) -> bytes:
    """Return the shingles of a text, given its terms in order, for ``containment`` and for the ledger."""
    words = terms[:_MOST_WORDS]
    # crc32 rather than hash(): the same in every process and run.
    hashes = {
        zlib.crc32(f"{one} {two} {three}".encode("utf-8", "surrogatepass"))
        for one, two, three in zip(words, words[1:], words[2:], strict=False)
    }
    return _to_bytes(sorted(hashes)[:_MOST])


def hashes(kept: bytes) -> frozenset[int]:
    """Return the hashes that ``shingles`` has made.

    Raises:
        ValueError: ``kept`` is no whole number of hashes: it was cut, or is something else.
    """
    found = array(_TYPE)
    found.frombytes(kept)
    if sys.byteorder == "big":
        found.byteswap()
    return frozenset(found)


def containment(a: frozenset[int], b: frozenset[int]) -> float:
    """Return the share of the smaller set of shingles that the other holds too: 0..1, 0 when one is empty."""
    # Of a text with more shingles than are kept all up to the greatest are known: only those may be compared.
    limit = min((max(full) for full in (a, b) if len(full) >= _MOST), default=None)
    if limit is not None:
        a, b = (frozenset(value for value in each if value <= limit) for each in (a, b))
    smaller = min(len(a), len(b))
    return len(a & b) / smaller if smaller else 0.0


def _to_bytes(values: Sequence[int]) -> bytes:
    packed = array(_TYPE, values)
    if sys.byteorder == "big":
        packed.byteswap()
    return packed.tobytes()
