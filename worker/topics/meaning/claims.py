"""Claims: what a topic asks for by meaning, as the models see it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from worker.model import Topic
from worker.topics.meaning.models import Models, Vector, normalised
from worker.topics.meaning.names import Name, names_of


@dataclass(frozen=True, slots=True)
class Words:
    """The tokens of a sentence, each once, and what each is worth; together 1."""

    tokens: npt.NDArray[np.int64]
    worth: Vector


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """The claims of one topic."""

    topic: Topic
    #: Sentences that an article may state: ``meaning``, or the phrase when there are none.
    forms: tuple[str, ...]
    #: The phrase, where there are meaning sentences beside it.
    phrase: str
    unlike: tuple[str, ...]
    names: tuple[Name, ...]
    vectors: Vector
    phrase_vector: Vector
    unlike_vectors: Vector
    #: Directions of the subject, one a form, in the space of the token table, with what is ordinary there.
    guessed: Vector
    ordinary: Vector
    #: The words of each form, and of the phrase where there is one beside them.
    words: tuple[Words, ...]

    @property
    def alone(self) -> bool:
        """Whether there is nothing but a phrase."""
        return not self.phrase


def claims_of(topic: Topic, models: Models) -> Claims:
    """Return the claims of ``topic``, embedded: a few milliseconds a sentence."""
    phrase = topic.topic.strip()
    forms = topic.meaning or (phrase,)
    vectors = _embedded(forms, models)
    phrase_vector = _embedded((phrase,), models)[0] if phrase else normalised(vectors.mean(0))
    unlike = topic.unlike
    guessed = normalised(vectors @ models.table.basis) + normalised(phrase_vector @ models.table.basis)
    spread = np.einsum("ij,jk,ik->i", guessed, models.table.guessed_spread, guessed)
    return Claims(
        topic=topic,
        forms=forms,
        phrase=phrase if topic.meaning else "",
        unlike=unlike,
        names=names_of([text for text in (phrase, *topic.meaning) if text]),
        vectors=vectors,
        phrase_vector=phrase_vector,
        unlike_vectors=_embedded(unlike, models),
        guessed=np.asarray(guessed, dtype=np.float32),
        ordinary=np.asarray(np.sqrt(np.maximum(spread, 1e-6)), dtype=np.float32),
        words=tuple(_words(text, models) for text in (forms if forms == (phrase,) or not phrase else (*forms, phrase))),
    )


def _words(text: str, models: Models) -> Words:
    """Return the words of ``text``, each once."""
    tokens = np.array(list(dict.fromkeys(models.ids(text))) or [0], np.int64)
    weights = models.table.weights(tokens)
    return Words(tokens=tokens, worth=weights / max(float(weights.sum()), 1e-9))


def _embedded(texts: Sequence[str], models: Models) -> Vector:
    if not texts:
        return np.zeros((0, len(models.table.mean)), np.float32)
    return np.stack([models.embed(models.ids(text)) for text in texts])
