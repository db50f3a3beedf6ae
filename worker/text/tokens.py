"""Tokens and the terms they fold to."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Mapping
from functools import cache, lru_cache
from typing import NamedTuple

import Stemmer

from worker.text.spelling import spelling
from worker.text.words import plain, word_pattern, words

_APOSTROPHES = str.maketrans({"’": "'", "ʼ": "'", "＇": "'"})
_INVISIBLE = str.maketrans(dict.fromkeys((0x00AD, 0x200B, 0x200C, 0x200D, 0x2060)))
#: A folded word longer than this is cut: no language needs it, and a hostile page may send megabytes.
_LONGEST = 64
#: Words whose folded form is kept per language; beyond it the cache starts anew.
_CACHE_SIZE = 200_000

#: ISO 639-1 codes to the names of the Snowball stemmers (https://snowballstem.org/algorithms/).
_SNOWBALL = {
    "ar": "arabic", "ca": "catalan", "da": "danish", "de": "german", "el": "greek", "en": "english",
    "es": "spanish", "eu": "basque", "fi": "finnish", "fr": "french", "ga": "irish", "hi": "hindi",
    "hu": "hungarian", "hy": "armenian", "id": "indonesian", "it": "italian", "lt": "lithuanian",
    "ne": "nepali", "nl": "dutch", "no": "norwegian", "nb": "norwegian", "pt": "portuguese",
    "ro": "romanian", "ru": "russian", "sr": "serbian", "sv": "swedish", "ta": "tamil", "tr": "turkish",
    "yi": "yiddish",
}  # fmt: skip


class Token(NamedTuple):
    """A word of a text: ``text[start:end]`` is the word as written, ``term`` what it folds to."""

    start: int
    end: int
    term: str


def tokens(text: str, language: str | None = None) -> list[Token]:
    """Return the words of ``text`` in order, with their offsets in it.

    ``language`` is an ISO 639-1 code and chooses the stemmer; ``None`` means English. A language without a
    stemmer is folded without stems. Time is linear in the length of the text.
    """
    folded = folder(language)
    return [Token(m.start(), m.end(), folded[m.group()]) for m in word_pattern(text).finditer(text)]


def terms(text: str, language: str | None = None) -> list[str]:
    """Return what ``tokens`` returns without the offsets, several times faster."""
    folded = folder(language)
    parted = plain(text)
    return list(map(folded.__getitem__, words(text) if parted is None else parted.decode("ascii").split()))


def fold(word: str, language: str | None = None) -> str:
    """Return the term that one word stands for: caseless, without accents, in one spelling, stemmed."""
    return folder(language)[word]


def folder(language: str | None = None) -> Mapping[str, str]:
    """Return a dictionary from any word to what ``fold`` returns for it, for those who fold many."""
    return _folder(stemmer(language))


@lru_cache(maxsize=256)
def stemmer(language: str | None) -> str:
    """Return the ISO 639-1 code under which ``language`` is folded: two languages fold alike when it is equal.

    ``None`` means English, a region is ignored ("en-GB" is "en"), and the empty string stands for all languages
    without a stemmer, so that labels found on pages cannot fill the memory with folders.
    """
    primary = (language or "en").replace("_", "-").split("-")[0].lower()
    return primary if primary in _SNOWBALL else ""


def squeeze(word: str) -> str:
    """Return ``word`` caseless, without accents, possessive ending and invisible characters, but not stemmed."""
    if word.isascii():
        return word[:_LONGEST].lower().removesuffix("'s").rstrip("'")
    bare = word.translate(_APOSTROPHES).translate(_INVISIBLE)[:_LONGEST]
    bare = unicodedata.normalize("NFKD", bare)
    bare = "".join(c for c in bare if not unicodedata.combining(c) or _marks_matter(c))
    bare = unicodedata.normalize("NFC", bare).casefold()
    return bare.removesuffix("'s").rstrip("'")


def squeezed(words_: Iterable[str]) -> list[str]:
    """Return each word squeezed; those met before are remembered."""
    return list(map(_SQUEEZED.__getitem__, words_))


def _marks_matter(mark: str) -> bool:
    # Outside Latin, Greek and Cyrillic a combining mark is often a vowel, and dropping it changes the word.
    return ord(mark) not in range(0x0300, 0x0370)


class _Folder(dict[str, str]):
    """A dictionary that folds a word when it is first asked for it."""

    def __init__(self, stem: Callable[[str], str] | None, language: str) -> None:
        super().__init__()
        self._stem = stem
        self._english = language == "en"

    def __missing__(self, word: str) -> str:
        if len(self) >= _CACHE_SIZE:
            self.clear()
        term = squeeze(word)
        if self._english:
            term = spelling(term)
        if self._stem is not None:
            term = self._stem(term)
        self[word] = term
        return term


class _Squeezed(dict[str, str]):
    """A dictionary that squeezes a word when it is first asked for it."""

    def __missing__(self, word: str) -> str:
        if len(self) >= _CACHE_SIZE:
            self.clear()
        short = self[word] = squeeze(word)
        return short


_SQUEEZED = _Squeezed()


@cache
def _folder(language: str) -> _Folder:
    name = _SNOWBALL.get(language)
    # Without a cache of its own: that one is slower than the stemmer, and a folder remembers all its words.
    return _Folder(Stemmer.Stemmer(name, 0).stemWord if name else None, language)
