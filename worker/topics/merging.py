"""Merging: one answer from what a topic's rule and its meaning say."""

from __future__ import annotations

from worker.model import Article, Evidence, Match, Reason
from worker.topics.meant import Sense
from worker.topics.quoting import short
from worker.topics.rules import Rule


def merged(rule: Rule, article: Article, by_rule: Match | None, sense: Sense) -> Match:
    """Return the answer of a topic whose meaning was asked.

    Meaning is asked when the rule has not decided: of a topic with ``require: either`` when its rule does not hold, of
    one with ``require: both`` when it does.
    """
    topic = rule.topic
    flipped = sense.stance == "opposes" and topic.on_opposite == "alert"
    if sense.score >= topic.threshold or flipped:
        held = by_rule is not None and by_rule.matched
        return Match(
            article_id=article.id,
            topic_id=topic.id,
            topic_version=rule.version,
            reason=Reason.MATCHED,
            score=max(sense.score, topic.threshold) if flipped else sense.score,
            by="both" if held else "meaning",
            evidence=_evidence(sense, by_rule if held else None),
            clause=_said(sense, by_rule if held else None),
            stance="opposes" if flipped else "states",
        )
    miss = Match(
        article_id=article.id,
        topic_id=topic.id,
        topic_version=rule.version,
        reason=_reason(sense),
        score=sense.score,
        clause=_missed(sense, topic.threshold),
        evidence=() if sense.evidence is None else (sense.evidence,),
    )
    # Of two misses the nearer one is told.
    return (
        by_rule if by_rule is not None and not by_rule.matched and by_rule.score > miss.score and rule.clauses else miss
    )


def _reason(sense: Sense) -> Reason:
    match sense.stance:
        case "opposes":
            return Reason.OPPOSES
        case "unlike":
            return Reason.UNLIKE
        case _ if sense.evidence is None:
            return Reason.NO_MATCH
        case _:
            return Reason.BELOW_THRESHOLD


def _evidence(sense: Sense, by_rule: Match | None) -> tuple[Evidence, ...]:
    found = () if sense.evidence is None else (sense.evidence,)
    return (*found, *(by_rule.evidence if by_rule else ()))


def _said(sense: Sense, by_rule: Match | None) -> str:
    verb = "opposes" if sense.stance == "opposes" else "meaning"
    return f"{verb}: {sense.detail}" + (f"; {by_rule.clause}" if by_rule else "")


def _missed(sense: Sense, threshold: float) -> str:
    if sense.evidence is None:
        return f"meaning: {sense.detail}"
    return f'meaning: {sense.score:.2f}, threshold {threshold}: "{short(sense.evidence.text)}" ({sense.detail})'
