"""What the models say of labelled cases: the raw material of the fit, made by the parts that wirewatch runs."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass

import numpy as np
import numpy.typing as npt

from worker.model import Article, Topic
from worker.topics.meaning.cascade import Reader, compared, read
from worker.topics.meaning.claims import Claims, claims_of
from worker.topics.meaning.decision import SIGNALS
from worker.topics.meaning.heads import DefaultHead
from worker.topics.meaning.models import Models, Vector
from worker.training.cases import Case

_LOG = logging.getLogger(__name__)
Rows = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Rated:
    """A case with the signals of its passages, one row each."""

    wanted: bool
    kind: str
    rows: Rows
    #: How many passages the article has.
    passages: int


class Rater:
    """Asks the models, and nothing twice."""

    def __init__(self, models: Models, *, gate: float) -> None:
        self._models = models
        self._gate = gate
        self._head = _Remembering(DefaultHead(models))
        self._claims: dict[Topic, Claims] = {}

    def rate(self, cases: Iterable[Case]) -> list[Rated]:
        """Return each case with what the models say of it."""
        rated = []
        readers: dict[str, Reader] = {}
        for number, case in enumerate(cases, start=1):
            key = f"{case.article.title}\n{case.article.text}"
            reader = readers.setdefault(key, Reader(case.article, self._models))
            rated.append(self._one(case, reader))
            if number % 1000 == 0:
                _LOG.info("%d cases", number)
        return rated

    def ordinary(self, articles: Sequence[Article], topics: Sequence[Topic]) -> list[Rated]:
        """Return every article with every topic, none of them wanted."""
        return self.rate(
            Case(topic=topic, article=article, wanted=False, kind="ordinary")
            for article in articles
            for topic in topics
        )

    def _one(self, case: Case, reader: Reader) -> Rated:
        claims = self._claims.get(case.topic)
        if claims is None:
            claims = self._claims[case.topic] = claims_of(case.topic, self._models)
        everything = range(len(reader.passages))
        read_all = read(reader, claims, everything, head=self._head, gate=self._gate, thorough=True)
        findings = compared(reader, claims, read_all, self._head)
        rows = [astuple(one.signals) for one in findings if one.signals is not None]
        return Rated(
            wanted=case.wanted,
            kind=case.kind,
            rows=np.array(rows, dtype=np.float64).reshape(len(rows), len(SIGNALS)),
            passages=len(reader.passages),
        )


class _Remembering:
    name = "default"

    def __init__(self, head: DefaultHead) -> None:
        self._head = head
        self._answers: dict[tuple[str, str], Vector] = {}

    def answer(self, claim: str, passage: str) -> Vector:
        key = (claim, passage)
        if key not in self._answers:
            self._answers[key] = self._head.answer(claim, passage)
        return self._answers[key]
