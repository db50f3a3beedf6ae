"""Windows: places where one hit of each of several groups stands close together."""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heappop, heappush
from typing import TypeAlias

#: First and last token of a hit, by index.
Span: TypeAlias = tuple[int, int]


def windows(
    groups: Sequence[Sequence[Span]], places: Sequence[int], *, within: int, ordered: bool = False
) -> list[Span]:
    """Return the span of the tightest window that ends in each last hit, in the order of these hits.

    A window holds one hit of each group, no two sharing a token, and in the order of the groups if ``ordered``.
    ``places`` says where each token stands; tokens that must not be taken together stand far apart. The place of the
    first token of the last hit is at most ``within`` after that of the last token of the first hit.

    Time is linear in the number of hits (times 2 to the number of groups).
    """
    full = (1 << len(groups)) - 1
    # For each set of groups, as bits: the latest end of a first hit among the chains that hold just these groups
    # and end before the present hit, with the token at which that chain begins.
    best: list[tuple[int, int] | None] = [None] * (full + 1)
    waiting: list[tuple[int, int, tuple[int, int]]] = []
    found: list[Span] = []
    for first, last, group in sorted((a, b, g) for g, hits in enumerate(groups) for a, b in hits):
        while waiting and waiting[0][0] < first:
            _, chain, begun = heappop(waiting)
            best[chain] = max(best[chain] or begun, begun)
        bit = 1 << group
        ends: tuple[int, int] | None = None
        for chain in (bit - 1,) if ordered else range(full + 1):
            begun_ = (places[last], first) if not chain else best[chain]
            if chain & bit or begun_ is None or places[first] - begun_[0] > within:
                continue
            if chain | bit == full:
                ends = max(ends or begun_, begun_)
            else:
                heappush(waiting, (last, chain | bit, begun_))
        if ends:
            found.append((ends[1], last))
    return found
