"""Patterns of routes and silences: words in which ``*`` and ``?`` are wild cards, and case does not count."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase


def fits(pattern: str, value: str) -> bool:
    """Return whether ``value`` is what ``pattern`` asks for; an empty pattern fits everything."""
    return not pattern or fnmatchcase(value.casefold(), pattern.casefold())


def fits_any(patterns: Sequence[str], value: str) -> bool:
    """Return whether ``value`` fits one of ``patterns``; no pattern at all fits everything."""
    return not patterns or any(fits(pattern, value) for pattern in patterns)
