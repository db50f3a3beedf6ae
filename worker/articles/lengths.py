"""How long the texts are that the pages of a host give, and whether they have collapsed.

A consent wall, a paywall or a new page layout seldom makes an extraction fail: it makes it short. Every host has a
length of its own, so what counts is the change: the last few texts against what is usual there. Lengths are compared as
logarithms, for they spread by factors.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from math import log
from typing import Final

from worker.model import Lengths

#: How much one text counts for what is usual, and for what is so now: about fifty and about five of them.
USUAL_WEIGHT: Final = 0.02
RECENT_WEIGHT: Final = 0.2
#: Texts after which the usual length is believed.
ENOUGH: Final = 30
#: Texts have collapsed when they are shorter than usual by this factor, and have recovered at half the way back.
#: Chosen, and not fitted to hosts: of fifty simulated ones, with 400 texts each that spread by a factor of 2.5 either
#: way, none collapses (tests/subjects/test_quiet.py).
COLLAPSE: Final = 4.0
RECOVERED: Final = 2.0


def after(lengths: Lengths, chars: int, *, now: datetime) -> Lengths:
    """Return what is known after a text of ``chars`` characters."""
    value = log(max(chars, 1))
    count = lengths.count + 1
    # The first few are a plain mean, so that none of them has more weight than another.
    recent = lengths.recent + max(RECENT_WEIGHT, 1 / count) * (value - lengths.recent)
    if lengths.since is None:
        usual = lengths.usual + max(USUAL_WEIGHT, 1 / count) * (value - lengths.usual)
    else:  # what a wall gives is not to become what is usual
        usual = lengths.usual
    found = replace(lengths, count=count, usual=usual, recent=recent)
    short = usual - recent
    if lengths.since is not None:
        return replace(found, since=lengths.since if short > log(RECOVERED) else None)
    return replace(found, since=now if count >= ENOUGH and short > log(COLLAPSE) else None)
