"""The engine: the stages put together, and their answer in words."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from worker.model import Article, Judge, Question, Topic
from worker.topics.meaning.cascade import Finding, Reader, compared, read, shortlist
from worker.topics.meaning.claims import Claims, claims_of
from worker.topics.meaning.decision import UNASKED, Constants, Scale, Signals, read_constants
from worker.topics.meaning.heads import DefaultHead, Head
from worker.topics.meaning.models import Models
from worker.topics.meaning.sieve import Asked, side_by_side
from worker.topics.meant import Sense

#: Scores between which a judge is asked: below, nobody doubts the no; above, hardly the yes.
_DOUBT = (0.15, 0.97)
#: What a judge's yes and no are worth.
_YES, _NO = 0.95, 0.05
_JUDGED_MAX = 3
#: A passage that only the encoder has seen scores at most this.
_UNREAD_MAX = 0.2
_OPERATING = 0.5
#: Sets of topics that are kept side by side: anchors and languages ask for other topics from article to article.
_SETS = 16
_CUES = ("question", "condition", "demand", "plan", "past")


class Engine:
    """Decides by meaning; see ``worker.topics.meant.Meaning``."""

    def __init__(
        self, models: Models, *, head: Head | None, judge: Judge | None = None, thorough: bool = False
    ) -> None:
        """Make an engine of ``models``; without a ``head`` the encoder decides alone.

        A ``thorough`` one asks the encoder about every passage: it finds what there is to be found, at ten times the
        cost, and is what the sieve is measured by.
        """
        self._models = models
        self._head = head
        self._judge = judge
        self._thorough = thorough
        self._constants: Constants = read_constants(models.decision)
        self._claims: dict[str, Claims] = {}
        self._asked: dict[tuple[str, ...], Asked] = {}

    @classmethod
    def default(cls, models: Models, *, judge: Judge | None = None) -> Engine:
        """Return an engine with the verifier that ships."""
        return cls(models, head=DefaultHead(models), judge=judge)

    def thorough(self) -> Engine:
        """Return an engine with the same models that spares nothing; see ``__init__``."""
        return Engine(self._models, head=self._head, judge=self._judge, thorough=True)

    def learn(self, topics: Sequence[Topic]) -> None:
        """Take in the claims of ``topics``; a few milliseconds a sentence, once for each version of a topic."""
        for topic in topics:
            known = self._claims.get(topic.id)
            if known is None or known.topic != topic:
                self._claims[topic.id] = claims_of(topic, self._models)
                self._asked = {}

    def read(self, article: Article, topics: Sequence[Topic], *, explain: bool) -> Mapping[str, Sense]:
        """Return what ``article`` says of each of ``topics``, by their ids; see ``Meaning.read``."""
        if not topics:
            return {}
        reader = Reader(article, self._models)
        claims = [self._claims[topic.id] for topic in topics]
        listed = self._listed(reader, claims)
        senses = {}
        for one, nths in zip(claims, listed, strict=True):
            if nths:
                findings = self._findings(reader, one, nths, explain=explain)
                senses[one.topic.id] = self._sense(article, reader, one, findings)
            elif explain:
                senses[one.topic.id] = Sense(
                    score=0.0, stance="other", evidence=None, detail="no passage is about its subject"
                )
        return senses

    def _listed(self, reader: Reader, claims: Sequence[Claims]) -> Sequence[Sequence[int]]:
        """Return for each topic the passages that the encoder is asked about."""
        if self._thorough:
            return [range(len(reader.passages))] * len(claims)
        return shortlist(reader, self._side_by_side(claims), self._constants.sieve)

    def _side_by_side(self, claims: Sequence[Claims]) -> Asked:
        kept, key = self._asked, tuple(one.topic.id for one in claims)
        if key not in kept:
            if len(kept) >= _SETS:
                kept = self._asked = {}
            kept[key] = side_by_side(claims, self._models.table)
        return kept[key]

    def _findings(self, reader: Reader, claims: Claims, nths: Sequence[int], *, explain: bool) -> list[Finding]:
        """Return what is known of the passages ``nths``.

        They are held against the ``unlike`` sentences only where the answer may be yes, or reasons are asked for: the
        sentences cost a sixth of the verifier's time on ordinary news, and hardly ever decide.
        """
        findings = read(reader, claims, nths, head=self._head, gate=self._constants.gate, thorough=self._thorough)
        if explain or self._may_match(reader, claims, findings):
            return compared(reader, claims, findings, self._head)
        return findings

    def _may_match(self, reader: Reader, claims: Claims, findings: Sequence[Finding]) -> bool:
        """Return whether there is something for the ``unlike`` sentences to decide."""
        signals = [one.signals for one in findings if one.signals is not None]
        scale, topic = self._scale(claims), claims.topic
        # A judge is asked about doubts below the threshold, and of two passages that oppose the better one counts.
        if not signals or self._judge is not None or topic.on_opposite == "alert" or not scale.unlike_lowers:
            return bool(signals)
        odds = self._constants.whole.at_most([scale.raw(one) for one in signals], signals, len(reader.passages))
        return round(scale.score(odds), 4) >= topic.threshold

    def _sense(self, article: Article, reader: Reader, claims: Claims, findings: Sequence[Finding]) -> Sense:
        seen = [one for one in findings if one.signals is not None]
        if not seen:
            return self._unread(findings)
        scale, signals = self._scale(claims), [one.signals for one in findings if one.signals is not None]
        raws = [scale.raw(one) for one in signals]
        odds, best = self._constants.whole.odds(raws, signals, len(reader.passages))
        score = scale.score(odds)
        sense = Sense(
            score=round(score, 4),
            stance=_stance(signals[best], score),
            evidence=seen[best].passage.evidence(),
            detail=_said(seen[best]),
        )
        if self._judge is None or not _DOUBT[0] <= score <= _DOUBT[1]:
            return sense
        order = sorted(range(len(seen)), key=lambda nth: (-raws[nth], nth))
        return _judged(self._judge, article, claims, [seen[nth] for nth in order[:_JUDGED_MAX]], sense)

    def _scale(self, claims: Claims) -> Scale:
        if self._head is None:
            return self._constants.encoder
        return self._constants.phrase if claims.alone else self._constants.meaning

    def _unread(self, findings: Sequence[Finding]) -> Sense:
        """Return the answer of an article none of whose passages came as far as the verifier."""
        nearest = findings[0]
        near = max(0.0, min(1.0, nearest.subject / self._constants.gate))
        return Sense(
            score=round(_UNREAD_MAX * near, 4),
            stance="other",
            evidence=nearest.passage.evidence(),
            detail=f"subject {nearest.subject:.2f}, too far from it to be read closely",
        )


def _judged(judge: Judge, article: Article, claims: Claims, findings: Sequence[Finding], sense: Sense) -> Sense:
    """Return what ``judge`` makes of ``findings``; ``sense`` when it has no answer."""
    question = Question(
        claims=claims.forms,
        unlike=claims.unlike,
        title=article.title,
        passages=tuple(finding.passage.text for finding in findings),
    )
    opinion = judge.ask(question)
    if opinion is None:
        return sense
    said = findings[min(opinion.passage, len(findings) - 1)]
    return Sense(
        score=_YES if opinion.stance == "states" else _NO,
        stance=opinion.stance,
        evidence=said.passage.evidence(),
        detail=f"{_said(said)}; the judge says {opinion.stance}",
    )


def _stance(signals: Signals, score: float) -> str:
    if score >= _OPERATING:
        return "states"
    if signals.opposed > max(0.0, signals.claim):
        return "opposes"
    if signals.unlike > max(0.0, signals.claim):
        return "unlike"
    return "states" if signals.claim > 0 else "other"


def _said(finding: Finding) -> str:
    signals = finding.signals
    if signals is None:
        return f"subject {finding.subject:.2f}"
    parts = [f"subject {signals.subject:.2f}"]
    if signals.claim > UNASKED or signals.opposed > UNASKED:
        parts += [f"states {_percent(signals.claim)}", f"opposes {_percent(signals.opposed)}"]
    if signals.unlike > UNASKED:
        parts.append(f"unlike {_percent(signals.unlike)}")
    if signals.others:
        parts.append("names others only")
    return ", ".join(parts + [name for name in _CUES if getattr(signals, name)])


def _percent(odds: float) -> str:
    return f"{1 / (1 + math.exp(-odds)):.2f}"
