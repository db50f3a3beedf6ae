"""The cascade: each stage is dearer and surer than the one before, and sees only what the one before let pass.

1. The sieve guesses from the words alone which passages may say what a topic asks for.
2. The encoder says how near those are: the subject, and which side of it.
3. The verifier reads claim and passage together, for the few that are near.
4. A judge, when one is configured, reads what is still open.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from worker.model import Article
from worker.topics.meaning.claims import Claims
from worker.topics.meaning.decision import UNASKED, Signals, odds
from worker.topics.meaning.heads import OPPOSES, STATES, Head
from worker.topics.meaning.models import Models, Table, Vector
from worker.topics.meaning.names import mention
from worker.topics.meaning.passages import Passage, passages
from worker.topics.meaning.sieve import Asked, Sieve, passed, promises
from worker.topics.meaning.tense import tense

#: Passages of one article and topic that the encoder and the verifier are asked about, the likeliest ones.
EMBEDDED_MAX, VERIFIED_MAX = 6, 4
#: Log-odds from which more is asked about a passage: the other claims, then the phrase, then the unlike sentences.
#: Ordinary news seldom comes so far, and what is found in the end hardly ever stays below.
_OPEN, _LIKELY, _NEAR = -3.5, -3.0, -2.0
#: What is added to these for each e-fold of an article's passages: each then has to say more to be the one.
_PATIENCE = 0.6
#: Below the gate by this much, the likeliest passage speaks for the others.
_FAR = 0.15
#: Passages before a passage in which its subject may be named.
_BEFORE = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What was found for one topic in one passage."""

    passage: Passage
    #: How near it is, by the encoder.
    subject: float
    margin: float
    #: ``None`` when it did not come as far as the verifier.
    signals: Signals | None


class Reader:
    """One article, read as far as any topic needs and no passage twice."""

    def __init__(self, article: Article, models: Models) -> None:
        self._article = article
        self._models = models
        self.passages = passages(article)
        self._vectors: dict[int, Vector] = {}

    @cached_property
    def ids(self) -> list[tuple[int, ...]]:
        """The tokens of each passage."""
        return [self._models.ids(passage.text) for passage in self.passages]

    @cached_property
    def guesses(self) -> Vector:
        """The table's guess of each passage's vector."""
        return self._models.table.guess(self.ids)

    def vector(self, nth: int) -> Vector:
        """Return the true vector of a passage."""
        if nth not in self._vectors:
            self._vectors[nth] = self._models.embed(self.ids[nth])
        return self._vectors[nth]

    def context(self, nth: int) -> str:
        """Return a passage with the title and what stands before it: where its subject is named."""
        near = range(max(0, nth - _BEFORE), nth + 1)
        return " ".join(self.passages[at].text for at in dict.fromkeys((0, *near)))

    @property
    def table(self) -> Table:
        """The table that guesses."""
        return self._models.table

    @property
    def year(self) -> int:
        """The year of the article."""
        return self._article.published_at.year


def shortlist(reader: Reader, asked: Asked, sieve: Sieve) -> list[list[int]]:
    """Return for each topic the passages that may say what it asks for, the most promising first; most have none."""
    if not reader.passages:
        return [[] for _ in range(asked.topics)]
    promised = promises(reader.ids, reader.guesses, asked, table=reader.table, sieve=sieve)
    found = passed(promised, titled=reader.passages[0].field == "title", sieve=sieve)
    return [nths[:EMBEDDED_MAX] for nths in found]


def read(
    reader: Reader, claims: Claims, nths: Sequence[int], *, head: Head | None, gate: float, thorough: bool = False
) -> list[Finding]:
    """Return what encoder and verifier say of the passages ``nths``, given with the likeliest first, the nearest first.

    Where the likeliest passage is far from the subject, the others are not looked at, unless ``thorough`` asks for it.
    Nothing is held against the ``unlike`` sentences yet: see ``compared``.
    """
    least = -9.0 if thorough else gate - _FAR
    near = sorted(_nearest(reader, claims, nths, least), key=lambda item: (-item[0], item[2]))
    findings = []
    for rank, (subject, margin, nth) in enumerate(near):
        asked = subject >= gate and rank < VERIFIED_MAX
        findings.append(
            Finding(
                passage=reader.passages[nth],
                subject=subject,
                margin=margin,
                signals=signals(reader, claims, nth, near=(subject, margin), head=head) if asked else None,
            )
        )
    return findings


def compared(reader: Reader, claims: Claims, findings: Sequence[Finding], head: Head | None) -> list[Finding]:
    """Return ``findings`` with what the verifier says of their passages and the ``unlike`` sentences.

    That can only take from what they say for the topic; the verifier is asked where there is something to take.
    """
    if head is None or not claims.unlike:
        return list(findings)
    least = _NEAR + _patience(reader)
    return [_compared(claims, finding, head, least) for finding in findings]


def _compared(claims: Claims, finding: Finding, head: Head, least: float) -> Finding:
    known = finding.signals
    if known is None or max(known.claim, known.phrase) <= least:
        return finding
    unlike = max(odds(head.answer(one, finding.passage.text), STATES) for one in claims.unlike)
    return replace(finding, signals=replace(known, unlike=unlike))


def _patience(reader: Reader) -> float:
    return _PATIENCE * math.log(len(reader.passages))


def _nearest(reader: Reader, claims: Claims, nths: Sequence[int], least: float) -> Iterator[tuple[float, float, int]]:
    """Yield how near passages are; when the first is not even ``least``, the others are not asked."""
    for rank, nth in enumerate(nths):
        near = _near(reader, claims, nth)
        yield near
        if rank == 0 and near[0] < least:
            return


def _near(reader: Reader, claims: Claims, nth: int) -> tuple[float, float, int]:
    vector = reader.vector(nth)
    meant = float((claims.vectors @ vector).max())
    against = float((claims.unlike_vectors @ vector).max()) if len(claims.unlike) else meant
    return meant + float(claims.phrase_vector @ vector), meant - against, nth


def signals(reader: Reader, claims: Claims, nth: int, *, near: tuple[float, float], head: Head | None) -> Signals:
    """Return what is known of a passage but for the ``unlike`` sentences, ``near`` being its subject and margin.

    The verifier is asked here, as often as it takes and no more; without one its signals say nothing.
    """
    text = reader.passages[nth].text
    claim = phrase = opposed = UNASKED
    if head is not None:
        order = np.argsort(-(claims.vectors @ reader.vector(nth)), kind="stable").tolist()
        forms = [claims.forms[at] for at in order]
        claim, phrase, opposed = _verified(claims, forms, text, head, _patience(reader))
    named = mention(claims.names, reader.context(nth))
    cues = tense(text, year=reader.year)
    return Signals(
        claim=claim,
        phrase=phrase,
        opposed=opposed,
        unlike=UNASKED,
        margin=near[1],
        subject=near[0],
        names=named.share,
        others=float(named.others),
        question=cues.question,
        condition=cues.condition,
        demand=cues.demand,
        plan=cues.plan,
        past=cues.past,
        title=float(reader.passages[nth].field == "title"),
    )


def _verified(
    claims: Claims, forms: Sequence[str], text: str, head: Head, patience: float
) -> tuple[float, float, float]:
    """Return the log-odds that ``text`` states the claims, that it states the phrase, and that it opposes.

    The nearest of ``forms`` is asked first; when it is out of the question, so are the others. ``patience`` is how much
    more a passage must show to be asked on.
    """
    answers = [head.answer(forms[0], text)]
    if odds(answers[0], STATES) > _OPEN + patience:
        answers += [head.answer(form, text) for form in forms[1:]]
    claim = max(odds(answer, STATES) for answer in answers)
    opposed = max(odds(answer, OPPOSES) for answer in answers)
    asked_on = claims.phrase and claim > _LIKELY + patience
    phrase = odds(head.answer(claims.phrase, text), STATES) if asked_on else claim
    return claim, phrase, opposed
