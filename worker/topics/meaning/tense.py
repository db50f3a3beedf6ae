"""Tense: whether a passage reports, or asks, demands, supposes, plans or remembers. English word lists, cheap to ask.

The verifier reads most of this itself; the cues are for what it is not shown: the date of the article.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_QUESTION = re.compile(
    r"\?[\"'”’)]*\s*$|^\W*(?:will|is|are|can|could|should|does|did|has|have|what if|why|how|who)\b[^.!]*\?",
    re.IGNORECASE,
)
_WHETHER = re.compile(
    r"\bwhether\b|\bif\b|\bunless\b|\bin case\b|\bwere to\b|\bsuppos\w+\b|\bhypothetical\w*\b|\bin the event\b",
    re.IGNORECASE,
)
_DEMAND = re.compile(
    r"\bshould\b|\bmust\b|\bought to\b|\burge[sd]?\b|\bcall(?:s|ed|ing)? (?:on|for)\b|\bdemand(?:s|ed|ing)?\b"
    r"|\bpetition\w*\b"
    r"|\bcampaign(?:s|ed|ers?|ing)?\b|\bit is (?:high )?time\b|\bargue[sd]?\b|\bin my view\b|\bopinion\b",
    re.IGNORECASE,
)
_PLAN = re.compile(
    r"\bwould\b|\bmay\b|\bmight\b|\bcould\b|\bplan(?:s|ned|ning)?\b|\bpropos(?:e|es|ed|al|als|ing)\b|\bdraft\b"
    r"|\bconsider(?:s|ed|ing)?\b|\bweigh(?:s|ed|ing)?\b|\bexpected to\b|\bwill (?:decide|vote|rule|consider)\b"
    r"|\bnext (?:week|month|year|spring|summer|autumn|winter)\b|\bmull(?:s|ed|ing)?\b|\bhopes? to\b|\bintends? to\b",
    re.IGNORECASE,
)
_PAST = re.compile(
    r"\b(?:\w+ )?(?:years?|decades?|centur(?:y|ies)) (?:ago|earlier|later|before)\b|\blast (?:year|decade|century)\b"
    r"|\banniversary\b|\bback in\b|\bin the (?:\d0s|\d{4}s|\w+ties)\b|\bhistor(?:y|ian|ians|ic|ical)\b|\bmemoirs?\b"
    r"|\bused to\b|\bpreviously\b|\bat the time\b|\bin those days\b|\brecall(?:s|ed|ing)?\b|\bmonths ago\b",
    re.IGNORECASE,
)
_YEAR = re.compile(r"\b(1[89]\d\d|20\d\d)\b")


@dataclass(frozen=True, slots=True)
class Tense:
    """What cues a passage carries, each 0 or 1."""

    question: float
    condition: float
    demand: float
    plan: float
    past: float


def tense(text: str, *, year: int) -> Tense:
    """Return the cues of ``text`` in an article of ``year``; a year before it is a cue of the past."""
    past = bool(_PAST.search(text)) or any(int(found) < year for found in _YEAR.findall(text))
    return Tense(
        question=float(bool(_QUESTION.search(text))),
        condition=float(bool(_WHETHER.search(text))),
        demand=float(bool(_DEMAND.search(text))),
        plan=float(bool(_PLAN.search(text))),
        past=float(past),
    )
