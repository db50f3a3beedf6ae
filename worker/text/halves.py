"""Halves of characters: surrogates that stand alone."""

from __future__ import annotations

import re

_HALF = re.compile("[\ud800-\udfff]")


def whole(text: str) -> str:
    """Return ``text`` with U+FFFD for every lone surrogate; offsets stay the same.

    JSON can spell half of a character (RFC 8259 section 8.2), and no file, hash or database takes it.
    """
    return _HALF.sub("\ufffd", text)
