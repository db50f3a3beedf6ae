"""Names as parts of addresses."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Container

#: Characters; a label of a host name may have 63 (RFC 1035, section 2.3.4), and a number may follow.
_LONGEST = 50


def slug(name: str) -> str:
    """Return ``name`` in lower-case ASCII letters, digits and single hyphens; never empty.

    What cannot be written so is replaced by eight digits of its hash, so that two names stay two.
    """
    ascii_only = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    words = re.sub(r"[^a-z0-9]+", "-", ascii_only.lower()).strip("-")
    if words and len(words) <= _LONGEST and _letters(ascii_only) >= _letters(name):
        return words
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{words[:_LONGEST].strip('-')}-{digest}".lstrip("-")


def free(name: str, taken: Container[str]) -> str:
    """Return ``name``, or ``name-2``, ``name-3`` and so on: the first that is not ``taken``."""
    number, candidate = 1, name
    while candidate in taken:
        number += 1
        candidate = f"{name}-{number}"
    return candidate


def _letters(text: str) -> int:
    return sum(character.isalnum() for character in text)
