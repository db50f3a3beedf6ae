"""What the models say of a topic and an article, passage by passage: the raw material of decision and evaluation."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from worker.text.sentences import sentences

Matrix: TypeAlias = npt.NDArray[np.float32]
#: Texts to normalised vectors, one row each.
Embed: TypeAlias = Callable[[Sequence[str]], Matrix]
#: (claim, passage) pairs to logits in the order of ``LABELS``.
Answer: TypeAlias = Callable[[Sequence[tuple[str, str]]], Matrix]

_WORD = re.compile(r"[^\W\d_]+(?:[-'’][^\W\d_]+)*")
_PASSAGE_LEAST = 12
_NAME_LEAST = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A topic as the models see it."""

    name: str
    phrase: str
    meaning: tuple[str, ...] = ()
    unlike: tuple[str, ...] = ()

    @property
    def forms(self) -> tuple[str, ...]:
        """The claims that a passage may state."""
        return self.meaning or (self.phrase,)

    @property
    def names(self) -> frozenset[str]:
        """Words that the topic writes with a capital where a sentence does not begin."""
        found: set[str] = set()
        for text in (self.phrase, *self.meaning):
            words = list(_WORD.finditer(text))
            found.update(w.group().casefold() for w in words[1:] if w.group()[0].isupper())
        return frozenset(word.removesuffix("'s").removesuffix("’s") for word in found if len(word) >= _NAME_LEAST)


@dataclass(frozen=True, slots=True)
class Scores:
    """For each passage of an article that passed the gate: its number and what the models say."""

    passages: Sequence[str]
    at: npt.NDArray[np.int64]
    subject: Matrix
    phrase: Matrix
    against: Matrix
    states: Matrix
    unlike: Matrix
    names: Matrix


def passages(title: str, text: str) -> list[str]:
    """Return the title and the sentences, without those too short to say anything."""
    found = [title.strip()] if title.strip() else []
    found += [text[start:stop] for start, stop in sentences(text)]
    return [passage for passage in found if len(passage) >= _PASSAGE_LEAST]


def named_share(names: frozenset[str], text: str) -> float:
    """Return the share of ``names`` that ``text`` mentions, 1 if there are none to mention."""
    if not names:
        return 1.0
    words = {word.casefold().removesuffix("'s").removesuffix("’s") for word in _WORD.findall(text)}
    return len(names & words) / len(names)


def score(
    question: Question,
    found: Sequence[str],
    *,
    vectors: Matrix,
    embed: Embed,
    answer: Answer,
    mean: Matrix,
    gate: float,
) -> Scores:
    """Return the scores of the passages ``found``, whose ``vectors`` are at hand, for ``question``."""
    centred = centre(vectors, mean)
    phrase = centred @ centre(embed([question.phrase]), mean)[0]
    subject = (centred @ centre(embed(question.forms), mean).T).max(1)
    against = (centred @ centre(embed(question.unlike), mean).T).max(1) if question.unlike else np.zeros_like(phrase)
    at = np.nonzero(np.maximum(subject, phrase) + phrase >= gate)[0]
    claims = (*question.forms, question.phrase, *question.unlike)
    pairs = [(claim, found[i]) for i in at for claim in claims]
    logits = answer(pairs).reshape(len(at), len(claims), 3) if pairs else np.zeros((0, len(claims), 3), np.float32)
    forms = len(question.forms) + 1
    names = np.array(
        [named_share(question.names, " ".join((found[0], *found[max(0, i - 2) : i + 1]))) for i in at], np.float32
    )
    return Scores(found, at, subject[at], phrase[at], against[at], logits[:, :forms], logits[:, forms:], names)


def centre(vectors: Matrix, mean: Matrix) -> Matrix:
    """Return ``vectors`` seen from the mean sentence of news, normalised again."""
    moved = vectors - mean
    return np.asarray(moved / np.linalg.norm(moved, axis=1, keepdims=True), dtype=np.float32)
