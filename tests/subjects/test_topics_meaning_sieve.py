"""The sieve without models: what passages promise to topics, held to a loop over words, and which of them pass."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import topic
from worker.topics.meaning.claims import Claims, Words
from worker.topics.meaning.models import Table
from worker.topics.meaning.sieve import Sieve, passed, promises, side_by_side

_CHANCE = np.random.default_rng(3)
_TOKENS, _SIZE = 30, 8
TABLE = Table(
    rows=_CHANCE.integers(-100, 100, (_TOKENS, _SIZE)).astype(np.int8),
    scales=_CHANCE.random(_TOKENS, dtype=np.float32) + np.float32(0.1),
    basis=np.eye(_SIZE, dtype=np.float32),
    mean=np.zeros(_SIZE, np.float32),
    spread=np.eye(_SIZE, dtype=np.float32),
    guessed_spread=np.eye(_SIZE, dtype=np.float32),
)
SIEVE = Sieve(guess=1.5, words=3.0, phrase=2.0, length=-0.5, least=2.0, patience=0.5, title=1.0, second=0.7)
_sentences = st.lists(st.integers(0, _TOKENS - 1), min_size=1, max_size=9).map(tuple)
_asked = st.lists(
    st.tuples(st.lists(_sentences, min_size=1, max_size=3), st.none() | _sentences), min_size=1, max_size=4
)


def _words(ids: Sequence[int]) -> Words:
    tokens = np.array(list(dict.fromkeys(ids)), np.int64)
    weights = TABLE.weights(tokens)
    return Words(tokens=tokens, worth=weights / weights.sum())


def _claims(forms: Sequence[Sequence[int]], phrase: Sequence[int] | None) -> Claims:
    return Claims(
        topic=topic(),
        forms=("x",) * len(forms),
        phrase="",
        unlike=(),
        names=(),
        vectors=np.zeros((len(forms), _SIZE), np.float32),
        phrase_vector=np.zeros(_SIZE, np.float32),
        unlike_vectors=np.zeros((0, _SIZE), np.float32),
        guessed=TABLE.guess([tuple(form) for form in forms]),
        ordinary=np.full(len(forms), 0.5, np.float32),
        words=tuple(map(_words, [*forms, *([phrase] if phrase else [])])),
    )


def _cosine(one: int, other: int) -> float:
    first, second = TABLE.rows[one].astype(float), TABLE.rows[other].astype(float)
    return float(first @ second / (np.linalg.norm(first) * np.linalg.norm(second)))


def _met(words: Words, passage: Sequence[int]) -> float:
    nearest = [max(0.0, *(_cosine(token, other) for other in passage)) for token in words.tokens.tolist()]
    return math.fsum(worth * near for worth, near in zip(words.worth.tolist(), nearest, strict=True))


def _promise(claims: Claims, passage: tuple[int, ...]) -> float:
    """Return what ``passage`` promises, word by word: the plain form of what the sieve does with matrices."""
    guess = TABLE.guess([passage])[0]
    near = max(float(guess @ form) for form in claims.guessed) / 0.5
    met = [_met(words, passage) for words in claims.words]
    said = SIEVE.words * max(met[: len(claims.guessed)]) + SIEVE.phrase * met[-1]
    return SIEVE.guess * near + said + SIEVE.length * math.log(len(passage))


@given(_asked, st.lists(_sentences, min_size=1, max_size=70))
def test_the_sieve_answers_as_a_loop_over_words_does(
    asked: list[tuple[list[tuple[int, ...]], tuple[int, ...] | None]], passages: list[tuple[int, ...]]
) -> None:
    """All passages, topics and words at once, or one after another: the same promises, for long articles as well."""
    topics = [_claims(forms, phrase) for forms, phrase in asked]
    together = side_by_side(topics, TABLE)
    found = promises(passages, TABLE.guess(passages), together, table=TABLE, sieve=SIEVE)
    wanted = [[_promise(claims, passage) for claims in topics] for passage in passages]
    assert found == pytest.approx(np.array(wanted), abs=1e-4)


def test_a_passage_without_tokens_promises_nothing() -> None:
    """It passes for no topic, and those beside it promise what they would without it."""
    together = side_by_side([_claims([(1, 2, 3)], None)], TABLE)
    passages = [(), (1, 2, 3), ()]
    found = promises(passages, TABLE.guess(passages), together, table=TABLE, sieve=SIEVE)
    alone = promises([(1, 2, 3)], TABLE.guess([(1, 2, 3)]), together, table=TABLE, sieve=SIEVE)
    assert found[1].tolist() == alone[0].tolist()
    assert passed(found, titled=False, sieve=SIEVE) == [[1]]
    assert promises([], TABLE.guess([]), together, table=TABLE, sieve=SIEVE).shape == (0, 1)


def test_the_most_promising_passages_pass_and_the_next_ones_with_them() -> None:
    """One passage opens the article to a topic; others that promise somewhat less then pass as well, after it."""
    bar = SIEVE.bar(4)
    promised = np.array([[bar - 5], [bar - 0.6], [bar + 0.1], [bar + 1.0]], np.float32)
    assert passed(promised, titled=False, sieve=SIEVE) == [[3, 2, 1]]
    assert passed(promised - 1.1, titled=False, sieve=SIEVE) == [[]]


def test_a_headline_need_not_promise_as_much() -> None:
    """There is one only, and it says what the article is about."""
    bar = SIEVE.bar(2)
    promised = np.array([[bar - 0.9], [bar - 0.9]], np.float32)
    assert passed(promised, titled=True, sieve=SIEVE) == [[0]]
    assert passed(promised, titled=False, sieve=SIEVE) == [[]]


def test_of_more_passages_each_must_promise_more() -> None:
    """Until an article is as long as any report."""
    assert SIEVE.bar(1) == SIEVE.least
    assert SIEVE.bar(1) < SIEVE.bar(10) < SIEVE.bar(40) == SIEVE.bar(4_000)
