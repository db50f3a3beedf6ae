"""Heads: who reads a claim and a passage together and says whether the passage states or opposes the claim."""

from __future__ import annotations

from functools import lru_cache
from typing import Protocol

from worker.topics.meaning.models import Models, Vector
from worker.topics.meaning.tokens import Ids

#: The answers of a head, in this order.
STATES, OPPOSES, OTHER = 0, 1, 2
#: Texts whose tokens are kept: the claims of all topics, and the passages of an article or two.
_KEPT = 4_096


class Head(Protocol):
    """A verifier: the one that ships, or a model of the user's own."""

    @property
    def name(self) -> str:
        """What ``check`` and ``why`` call it."""
        ...

    def answer(self, claim: str, passage: str) -> Vector:
        """Return three logits: states, opposes, other. The same texts always have the same answer."""
        ...


class DefaultHead:
    """The verifier that ships with wirewatch."""

    name = "default"

    def __init__(self, models: Models) -> None:
        self._models = models
        self._ids = lru_cache(_KEPT)(models.ids)

    def answer(self, claim: str, passage: str) -> Vector:
        """Return three logits: states, opposes, other."""
        claimed: Ids = self._ids(claim)
        return self._models.answer(claimed, self._ids(passage))
