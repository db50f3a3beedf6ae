"""Words: where they begin and end, the same for every comparison.

A word is a run of letters, digits and marks; an apostrophe or a soft hyphen may stand inside it, a hyphen parts it
("non-negotiable" is two words, so that it equals "non negotiable"). Scripts written without spaces have one word a
character.
"""

from __future__ import annotations

import re
import unicodedata

_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_APOSTROPHES = "'’ʼ＇"
_INVISIBLE = "\u00ad\u200b\u200c\u200d\u2060"
_INSIDE = f"[{_APOSTROPHES}{_INVISIBLE}]"
_ASCII_WORD = re.compile(r"[A-Za-z0-9_]+(?:'[A-Za-z0-9_]+)*")
_SPACED_WORD = re.compile(rf"\w+(?:{_INSIDE}\w+)*")
_ANY_WORD = re.compile(rf"[{_UNSPACED}]|(?:(?![{_UNSPACED}])\w)+(?:{_INSIDE}(?:(?![{_UNSPACED}])\w)+)*")
_UNSPACED_CHARACTER = re.compile(f"[{_UNSPACED}]")

_FOREIGN = re.compile(r"[^\x00-\x7f]")
#: ASCII in lower case, with blanks for what parts words; apostrophes and line breaks stay. A table of bytes is used up
#: twice as fast as one of characters.
_PARTED = bytes(ord(c.lower()) if c.isalnum() or c in "_'\n" else 0x20 for c in map(chr, range(128))) + bytes(128)
#: Other characters than ASCII that a text may hold to be made plain; texts in our languages hold a dozen.
_MOST_FOREIGN = 60


def words(text: str) -> list[str]:
    """Return the words of ``text`` as written, in order."""
    return word_pattern(text).findall(text)


def word_pattern(text: str) -> re.Pattern[str]:
    """Return the pattern that finds the words of ``text``, and of every part of it.

    The three patterns find the same words; the simpler ones are several times faster where they suffice.
    """
    if text.isascii():
        return _ASCII_WORD
    return _ANY_WORD if _UNSPACED_CHARACTER.search(text) else _SPACED_WORD


def plain(text: str) -> bytes | None:
    """Return ``text``, a byte a character, in ASCII and lower case, with blanks for all that parts words.

    So ``plain(text).decode().split()`` are the words of ``text``, found three times faster than by ``words``: spelled
    differently, but the same as soon as they are squeezed or folded, and at the same offsets. Line breaks stay.
    ``None`` when a letter has no ASCII form of one letter, as in Cyrillic or "Straße": such texts need ``words``.
    """
    ascii_ = text if text.isascii() else _in_ascii(text)
    if ascii_ is None:
        return None
    parted = ascii_.encode("ascii").translate(_PARTED)
    return _without_quotes(parted) if b"'" in parted else parted


def _in_ascii(text: str) -> str | None:
    at = 0
    for _ in range(_MOST_FOREIGN):
        foreign = _FOREIGN.search(text, at)
        if foreign is None:
            return text
        form = _FORMS[foreign.group()]
        if form is None:
            return None
        # All that stands before it is ASCII by now, so the search goes on behind it.
        at = foreign.end()
        text = text.replace(foreign.group(), form)
    return None


def _without_quotes(parted: bytes) -> bytes:
    """Return ``parted`` without the apostrophes that do not stand inside a word; one must not touch another."""
    framed = b" %b " % parted
    framed = framed.replace(b"''", b"  ")
    for before, after in ((b" '", b"  "), (b"' ", b"  "), (b"\n'", b"\n "), (b"'\n", b" \n")):
        framed = framed.replace(before, after)
    return framed[1:-1]


class _Forms(dict[str, str | None]):
    """A dictionary from a character to the one ASCII character that may stand for it, or ``None``."""

    def __missing__(self, character: str) -> str | None:
        form = self[character] = _form(character)
        return form


def _form(character: str) -> str | None:
    if character in _INVISIBLE or _UNSPACED_CHARACTER.match(character):
        return None
    if not character.isalnum():
        return "'" if character in _APOSTROPHES else " "
    letter, *marks = list(unicodedata.normalize("NFKD", character).casefold())
    return letter if letter.isascii() and all("\u0300" <= mark < "\u0370" for mark in marks) else None


_FORMS = _Forms()
