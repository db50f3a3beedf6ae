"""Invented articles: any number of them, each about something of its own, and each with an alarm in it.

They are made of words that no other has, so that no two are reports of one event, and the same ones for the same seed
in every process.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from html import escape

#: What every article is matched by.
TOPIC = "alarm"
_ONSETS = (*"bcdfghjklmnprstvwz", "br", "dr", "gl", "kr", "pl", "tr", "st")
_VOWELS = (*"aeiou", "ai", "ea", "io", "ou")
_CODAS = ("", "", "", "l", "m", "n", "r", "s", "x")
#: A word in capitals is a name, any other an invented word; ``alarm`` stands in the first sentence of each article.
_FIRST = (
    "Officials of NAME raised the alarm over word word near NAME.",
    "An alarm about word and word reached NAME from the word of NAME.",
    "NAME sounded the alarm when word crossed the word at NAME.",
)
_OTHERS = (
    "In NAME a word word had been word since NAME left the word.",
    "The word of NAME holds word, word and word, said NAME of NAME.",
    "NAME denied it; word is word, and the word belongs to NAME.",
    "Neither NAME nor NAME would say whether word had word the word.",
    "Three word from NAME were word by NAME under word.",
    "Most of the word around NAME is now word, according to word at NAME.",
)
_TITLES = ("Alarm over word word in NAME", "Why NAME fears word after the alarm of NAME", "NAME word: alarm at NAME")


@dataclass(frozen=True, slots=True)
class Invented:
    """One article."""

    number: int
    title: str
    sentences: tuple[str, ...]

    @property
    def path(self) -> str:
        """The path of its page."""
        return f"/a/{self.number}"

    @property
    def text(self) -> str:
        """Its sentences, two to a paragraph."""
        pairs = (self.sentences[at : at + 2] for at in range(0, len(self.sentences), 2))
        return "\n".join(" ".join(pair) for pair in pairs)

    def page(self) -> bytes:
        """Return its page as HTML."""
        paragraphs = "".join(f"<p>{escape(line)}</p>" for line in self.text.splitlines())
        return (
            f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(self.title)}</title></head>'
            f"<body><article><h1>{escape(self.title)}</h1>{paragraphs}</article></body></html>"
        ).encode()


def article(seed: int, number: int) -> Invented:
    """Return the article with this number (from 0) of those of ``seed``."""
    chance = random.Random(f"{seed} {number}")  # noqa: S311 - invents words, guards nothing
    sentences = [chance.choice(_FIRST), *chance.sample(_OTHERS, chance.randint(3, 5))]
    return Invented(
        number=number,
        title=_filled(chance.choice(_TITLES), chance),
        sentences=tuple(_filled(sentence, chance) for sentence in sentences),
    )


def _filled(frame: str, chance: random.Random) -> str:
    """Return a frame with new words: ``NAME`` and ``word`` stand for one each."""
    pieces = []
    for piece in frame.split(" "):
        stem = piece.rstrip(".,;:")
        new = {"NAME": _word(chance).capitalize(), "word": _word(chance)}.get(stem, stem)
        pieces.append(new + piece[len(stem) :])
    return " ".join(pieces)


def _word(chance: random.Random) -> str:
    """Return a word of three or four syllables: one of some hundred million."""
    syllables = (chance.choice(_ONSETS) + chance.choice(_VOWELS) for _ in range(chance.randint(3, 4)))
    return "".join(syllables) + chance.choice(_CODAS)
