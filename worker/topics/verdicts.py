"""Verdicts: what one topic says of one article, and why, in the words of the topic file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from worker.model import Article, Match, Reason, Topic
from worker.topics.binding import OneOf
from worker.topics.expressions import And, Close, Expression, Not, Or
from worker.topics.quoting import listed, quoted, short
from worker.topics.rules import Clause, Rule
from worker.topics.search import Places, denied, group_hits, holding, holds, search, windows_of
from worker.topics.terms import Term
from worker.topics.windows import Span
from worker.url import host

if TYPE_CHECKING:
    from worker.topics.concordance import Concordance

#: Score of a match by rule. A rule is certain of its words, never of their sense, so no match scores 1; 0.5 is the
#: point from which topics match unless they set another threshold.
SCORE_HEAD = 0.9
SCORE_BODY = 0.8
#: Score of the nearest miss; others get the share of clauses that held.
SCORE_MISS = 0.49
MAX_EVIDENCE = 5


def other_place(topic: Topic, article: Article) -> Reason | None:
    """Return why ``topic`` does not watch where ``article`` is from, or ``None`` when it does.

    Languages are compared without their regions; an article of unknown language may be in any.
    """
    if topic.languages and article.language and _primary(article.language) not in map(_primary, topic.languages):
        return Reason.OTHER_LANGUAGE
    if topic.outlets:
        places = {article.outlet.casefold(), host(article.url)}
        if places.isdisjoint(outlet.strip().casefold() for outlet in topic.outlets):
            return Reason.OTHER_OUTLET
    return None


def _primary(language: str) -> str:
    return language.replace("_", "-").split("-")[0].casefold()


def barred(rule: Rule, text: Concordance, *, explain: bool) -> Match | bool:
    """Return why an article is out of the question for ``rule``, whatever it says; ``False`` when it is not.

    Languages, outlets, ``anchors`` and ``none`` bar articles, by rule and by meaning alike. Without ``explain`` the
    answer is only yes or no.
    """
    topic = rule.topic
    if elsewhere := other_place(topic, text.article):
        return _no(rule, text, elsewhere, _elsewhere(topic, elsewhere)) if explain else True
    missing = next((clause for clause in rule.anchors if not holds(clause.expression, text)), None)
    if missing:
        return _missing(rule, text, missing, []) if explain else True
    veto = next((clause for clause in rule.vetoes if holds(clause.expression, text)), None)
    if veto:
        return _no(rule, text, Reason.EXCLUDED, _vetoed(veto, text), SCORE_MISS) if explain else True
    return False


def verdict(rule: Rule, text: Concordance, *, explain: bool) -> Match | None:
    """Return what the words of ``rule`` say of an article.

    ``None`` stands for any no, unless ``explain`` asks for reasons. A topic that requires meaning beside its rule is
    answered for its rule alone; a topic without a rule is answered with ``meaning-disabled``.
    """
    topic = rule.topic
    if elsewhere := other_place(topic, text.article):
        return _no(rule, text, elsewhere, _elsewhere(topic, elsewhere)) if explain else None
    found = _found(rule, text, to_the_end=explain)
    if found is None:
        return None
    if missing := next((clause for clause, places in found if places is None), None):
        return _missing(rule, text, missing, found)
    if veto := next((clause for clause in rule.vetoes if holds(clause.expression, text)), None):
        return _no(rule, text, Reason.EXCLUDED, _vetoed(veto, text), SCORE_MISS) if explain else None
    if not rule.clauses:
        return without_meaning(rule, text) if explain else None
    answer = _yes(rule, text, [(clause, places or []) for clause, places in found[len(rule.anchors) :]])
    return answer if answer.matched or explain else None


def _found(rule: Rule, text: Concordance, *, to_the_end: bool) -> list[tuple[Clause, Places | None]] | None:
    """Return anchors and clauses with what was found of each, or ``None`` at the first miss unless ``to_the_end``.

    Anchors are no evidence, so that of one that holds no place is found.
    """
    found: list[tuple[Clause, Places | None]] = []
    for clause in rule.anchors:
        held = holds(clause.expression, text)
        if not held and not to_the_end:
            return None
        found.append((clause, [] if held else None))
    for clause in rule.clauses:
        places = search(clause.expression, text)
        if places is None and not to_the_end:
            return None
        found.append((clause, places))
    return found


def _yes(rule: Rule, text: Concordance, found: Sequence[tuple[Clause, Places]]) -> Match:
    spans = _best_spans([spans for _, places in found for spans in places], text)
    score = SCORE_HEAD if spans and text.is_in_head(min(spans)[0]) else SCORE_BODY
    fired = "; ".join([clause.said or _fired(clause, text) for clause, _ in found])
    under = score < rule.topic.threshold
    return Match(
        article_id=text.article.id,
        topic_id=rule.topic.id,
        topic_version=rule.version,
        reason=Reason.BELOW_THRESHOLD if under else Reason.MATCHED,
        score=score,
        by="" if under else "rule",
        evidence=tuple([text.evidence(span) for span in spans]),
        clause=f"threshold: {rule.topic.threshold} ({fired})" if under else fired,
    )


def _no(rule: Rule, text: Concordance, reason: Reason, clause: str, score: float = 0.0) -> Match:
    return Match(
        article_id=text.article.id,
        topic_id=rule.topic.id,
        topic_version=rule.version,
        reason=reason,
        score=round(score, 4),
        clause=clause,
    )


def _missing(rule: Rule, text: Concordance, missing: Clause, found: Sequence[tuple[Clause, Places | None]]) -> Match:
    held = sum(places is not None for _, places in found) / max(1, len(found))
    reason = Reason.ANCHOR_MISSING if missing.path[0] == "anchors" else Reason.NO_MATCH
    clause = f"{missing.name}: {_wanted(missing.expression, text)}"
    return _no(rule, text, reason, clause, held * SCORE_MISS)


def _best_spans(places: Places, text: Concordance) -> list[Span]:
    """Return at most five spans that do not overlap, the best first.

    Each term or window gives its best span before any gives a second one; the best is in the title, then short, then
    early.
    """
    ranked = [spans if len(spans) == 1 else _ranked(spans, text) for spans in places]
    chosen: list[Span] = []
    for nth in range(max(map(len, ranked), default=0)):
        for spans in ranked:
            if nth < len(spans) and _is_apart(spans[nth], chosen):
                chosen.append(spans[nth])
            if len(chosen) == MAX_EVIDENCE:
                return chosen
    return chosen


def _is_apart(span: Span, others: Sequence[Span]) -> bool:
    """Return whether ``span`` shares no token with any of ``others``."""
    first, last = span
    for begin, end in others:  # noqa: SIM110 - there are four at most, and a generator takes three times as long
        if first <= end and begin <= last:
            return False
    return True


def _ranked(spans: list[Span], text: Concordance) -> list[Span]:
    def worth(span: Span) -> tuple[bool, int, int]:
        first, last = span
        return first >= text.titled, last - first, first

    # Spans of one length, as of a word, are ranked as they stand.
    return sorted(spans, key=None if len({b - a for a, b in spans}) == 1 else worth)


def _fired(clause: Clause, text: Concordance) -> str:
    match clause.expression:
        case OneOf(parts=parts, atoms=atoms) if clause.path == ("any",):
            present = [part for part, atom in zip(parts, atoms, strict=True) if text.atoms.has(atom)]
            return f"any: {quoted(part for part in present if isinstance(part, Term))}"
        case Close() as close if clause.path[0] == "near":
            return f"{clause.name}: {_fired_near(close, text)}"
        case Or(parts=parts) if clause.path == ("any",):
            return f"any: {quoted(part for part in parts if isinstance(part, Term) and text.hits(part))}"
        case _:
            return clause.said


def _fired_near(close: Close, text: Concordance) -> str:
    spans = windows_of(close, text)
    said = ""
    if close.negated:
        pairs = denied(spans, text)
        best = min(pairs, key=lambda pair: pair[1][1] - pair[1][0])
        said, spans = f', denied by "{best[0]}"', [best[1]]
    span = min(spans, key=lambda s: s[1] - s[0])
    terms = [holding(group, text, span) for group in close.groups]
    return f"{quoted(term for term in terms if term)} within {close.within} words{said}"


def _wanted(expression: Expression, text: Concordance) -> str:
    """Return what an article would have needed for ``expression`` to hold."""
    match expression:
        case Term():
            return quoted([expression])
        case Close():
            return _wanted_near(expression, text)
        case And(parts=parts):
            return _wanted(next(part for part in parts if search(part, text) is None), text)
        case Or(parts=parts) if all(isinstance(part, Term) for part in parts):
            return f"one of {listed(part for part in parts if isinstance(part, Term))}"
        case Or(source=source):
            return f"none of the sides of {short(source)}"
        case Not(part=part, source=source):
            present = next((term for term in _present(part, text)), "")
            return f'{short(source)}, but "{present}" stands in it'


def _wanted_near(close: Close, text: Concordance) -> str:
    hits = [holding(group, text) for group in close.groups]
    found = [term for term in hits if term]
    if not found:
        return f"one of {listed(close.groups[0])}"
    spans = windows_of(close, text)
    if spans:
        passage = text.evidence(min(spans, key=lambda s: s[1] - s[0])).text
        return f'found, but nothing denies it: "{short(passage)}"'
    absent = [group for group, hit in zip(close.groups, hits, strict=True) if not hit]
    where = f"within {close.within} words" + (" of one sentence" if close.negated else "")
    order = " in this order" if close.ordered else ""
    if not absent and len(close.groups) > 2:  # noqa: PLR2004 - with two, the one that is near nothing is named
        return f"{quoted(found)} found, but not {where}{order}"
    lacking = absent[0] if absent else close.groups[1]
    return f"{quoted(found[: len(found) if absent else 1])} found, none of {listed(lacking)} {where}{order}"


def _present(expression: Expression, text: Concordance) -> list[str]:
    places = search(expression, text)
    return [text.evidence(spans[0]).text for spans in places or [] if spans]


def _vetoed(veto: Clause, text: Concordance) -> str:
    term = veto.expression
    source = term.source if isinstance(term, Term) else ""
    found = text.evidence(group_hits((term,), text)[0]).text if isinstance(term, Term) else ""
    return f'{veto.name}: "{source.strip(chr(34))}" stands in it: "{short(found)}"'


def _elsewhere(topic: Topic, reason: Reason) -> str:
    if reason is Reason.OTHER_LANGUAGE:
        return f"languages: {', '.join(topic.languages)}"
    return f"outlets: {', '.join(topic.outlets)}"


def without_meaning(rule: Rule, text: Concordance, why: str = "meaning disabled") -> Match:
    """Return the answer of a topic that cannot be decided because there is no meaning: a no, with the reason."""
    if rule.clauses:
        return _no(rule, text, Reason.MEANING_DISABLED, f"require: both; the rule holds, {why}", SCORE_MISS)
    return _no(rule, text, Reason.MEANING_DISABLED, f"{why}, and there is no rule: any, all, near or query")
