"""Quoting: terms and passages in the reasons that answers give."""

from __future__ import annotations

from collections.abc import Iterable

from worker.topics.terms import Term

#: Terms of a group, and characters of a passage, that a reason quotes.
_MAX_NAMED = 12
_MAX_QUOTED = 160


def quoted(terms: Iterable[Term]) -> str:
    """Return terms in quotes, the first dozen of them."""
    return _some([f'"{term.source.strip(chr(34))}"' for term in terms])


def listed(terms: Iterable[Term]) -> str:
    """Return terms as they are written, the first dozen of them."""
    return _some([term.source for term in terms])


def short(text: str) -> str:
    """Return ``text`` on one line, cut after 160 characters."""
    flat = " ".join(text.split())
    return flat if len(flat) <= _MAX_QUOTED else f"{flat[:_MAX_QUOTED]} ..."


def _some(sources: list[str]) -> str:
    return ", ".join(sources[:_MAX_NAMED]) + (" ..." if len(sources) > _MAX_NAMED else "")
