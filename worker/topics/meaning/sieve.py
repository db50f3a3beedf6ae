"""The sieve: which passages of an article may say what a topic asks for, guessed from its words alone.

Two guesses are added up. The sum of a passage's tokens points where its true vector would (``models.Table``): that
knows subjects, and little of who does what. And each word of a claim looks for the nearest word of the passage, as
in late interaction (Khattab and Zaharia, "ColBERT", 2020), with the table's vectors in place of a model's: a claim
most of whose words are met is likelier. Together they pass half as many passages as the first alone, and lose less.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import numpy.typing as npt

from worker.topics.meaning.claims import Claims
from worker.topics.meaning.models import Table, Vector
from worker.topics.meaning.tokens import Ids

#: Passages that are looked at together, to bound the memory that a very long article takes; most articles are shorter.
_BLOCK = 64
#: Passages of an article beyond which each no longer has to promise more.
_LONG = 40
#: What a passage without tokens promises.
_NOTHING = -1e9
#: Rows and columns of a product that is done at a time. OpenBLAS does products of up to 262,144 multiplications on the
#: thread that asks (interface/gemm.c: SMP_THRESHOLD_MIN * GEMM_MULTITHREAD_THRESHOLD); for larger ones it wakes a
#: thread for each core, and these go on spinning: that doubled the CPU time of the whole stage.
_ROWS, _COLUMNS = 16, 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Sieve:
    """What the guesses are worth, and what a passage must promise for the encoder to be asked about it."""

    #: For each standard deviation by which the guessed vector is nearer to a claim than is ordinary.
    guess: float
    #: For the claim's words that are met, and for the phrase's: shares, 0 to 1.
    words: float
    phrase: float
    #: For each e-fold of the passage's tokens: of many words one always comes near.
    length: float
    #: What the passage that promises most must promise, and what is added for each e-fold of the article's passages.
    least: float
    patience: float
    #: How much less a headline must promise (there is only one), and a passage of an article that has one which does.
    title: float
    second: float

    def bar(self, passages: int) -> float:
        """Return what a passage of an article with so many passages must promise."""
        return self.least + self.patience * math.log(min(max(passages, 1), _LONG))


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The claims of several topics side by side, made by ``side_by_side``."""

    topics: int
    #: Rows: the directions of all claims; and where the claims of each topic begin.
    directions: Vector
    begins: npt.NDArray[np.int64]
    #: Rows: the different words of all claims and phrases, of length 1.
    words: Vector
    #: The words of all claims, then of all phrases, as rows of ``words``; what each is worth to its sentence; and
    #: where each sentence begins.
    which: npt.NDArray[np.int64]
    worth: Vector
    sentences: npt.NDArray[np.int64]
    #: Which sentence is the topic's phrase, or the last of its claims when it has none beside them.
    phrases: npt.NDArray[np.int64]


def side_by_side(topics: Sequence[Claims], table: Table) -> Asked:
    """Return the claims of at least one topic as matrices, so that one product answers for all of them."""
    forms = np.array([len(claims.guessed) for claims in topics])
    sentences = [words for claims in topics for words in claims.words[: len(claims.guessed)]]
    phrases = []
    for claims, last in zip(topics, np.cumsum(forms).tolist(), strict=True):
        alone = len(claims.words) == len(claims.guessed)
        phrases.append(last - 1 if alone else len(sentences))
        sentences += [] if alone else [claims.words[-1]]
    tokens, which = np.unique(np.concatenate([words.tokens for words in sentences]), return_inverse=True)
    return Asked(
        topics=len(topics),
        directions=np.concatenate([claims.guessed / claims.ordinary[:, None] for claims in topics]),
        begins=np.cumsum([0, *forms[:-1]]),
        words=table.units(tokens),
        which=which,
        worth=np.concatenate([words.worth for words in sentences]),
        sentences=np.cumsum([0, *(len(words.worth) for words in sentences[:-1])]),
        phrases=np.array(phrases),
    )


def promises(passages: Sequence[Ids], guesses: Vector, asked: Asked, *, table: Table, sieve: Sieve) -> Vector:
    """Return what each passage (a row) promises to each topic (a column).

    ``guesses`` are the table's of ``passages``.
    """
    rows = [np.zeros((0, asked.topics), np.float32)]
    for at in range(0, len(passages), _BLOCK):
        block = slice(at, at + _BLOCK)
        rows.append(_promises(passages[block], guesses[block], asked, table, sieve))
    return np.concatenate(rows)


def _promises(passages: Sequence[Ids], guesses: Vector, asked: Asked, table: Table, sieve: Sieve) -> Vector:
    found = np.full((len(passages), asked.topics), _NOTHING, np.float32)
    full = [nth for nth, ids in enumerate(passages) if ids]
    if full:
        near = np.maximum.reduceat(_product(guesses[full], asked.directions), asked.begins, axis=1)
        met = _met([passages[nth] for nth in full], asked, table)
        claims = np.maximum.reduceat(met[:, : len(asked.directions)], asked.begins, axis=1)
        lengths = np.log([len(passages[nth]) for nth in full])
        said = sieve.words * claims + sieve.phrase * met[:, asked.phrases]
        found[full] = sieve.guess * near + said + sieve.length * lengths[:, None]
    return found


def _met(passages: Sequence[Ids], asked: Asked, table: Table) -> Vector:
    """Return the share of each sentence's words that each passage meets; a word that is half as near counts half."""
    lengths = [len(ids) for ids in passages]
    flat = np.fromiter(chain.from_iterable(passages), np.int64, sum(lengths))
    different, which = np.unique(flat, return_inverse=True)
    # Words that point away from a claim's are no nearer to its contrary than others.
    likeness = np.maximum(_product(table.units(different), asked.words), 0)
    nearest = np.maximum.reduceat(likeness[which], np.cumsum([0, *lengths[:-1]]), axis=0)
    met = np.add.reduceat(nearest[:, asked.which] * asked.worth, asked.sentences, axis=1)
    return np.asarray(met, dtype=np.float32)


def _product(first: Vector, second: Vector) -> Vector:
    """Return the product of each row of ``first`` with each of ``second``, on this thread alone."""
    found = np.empty((len(first), len(second)), np.float32)
    for row in range(0, len(first), _ROWS):
        for column in range(0, len(second), _COLUMNS):
            rows, columns = slice(row, row + _ROWS), slice(column, column + _COLUMNS)
            np.matmul(first[rows], second[columns].T, out=found[rows, columns])
    return found


def passed(promised: Vector, *, titled: bool, sieve: Sieve) -> list[list[int]]:
    """Return for each topic the passages that the encoder is asked about, the most promising first; most have none.

    ``promised`` is the answer of ``promises``, ``titled`` whether the first passage is the headline.
    """
    bar = np.full((len(promised), 1), sieve.bar(len(promised)), np.float32)
    if titled:
        bar[0] -= sieve.title
    found: list[list[int]] = [[] for _ in range(promised.shape[1])]
    for topic in np.nonzero((promised >= bar).any(axis=0))[0].tolist():
        mine = promised[:, topic]
        enough = mine >= bar[:, 0]
        order = np.argsort(-mine, kind="stable").tolist()
        likely = [nth for nth in order if enough[nth]]
        second = [nth for nth in order if not enough[nth] and mine[nth] >= bar[-1, 0] - sieve.second]
        found[topic] = likely + second
    return found
