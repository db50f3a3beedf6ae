"""The decision: from what the models say of a passage to one score, of which 0.5 is the operating point.

The constants are fitted by ``worker.training`` on claim groups that nothing was trained on, and on ordinary news; they
belong to the models by whose hashes they are named, and to no others.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from typing import Any

from worker.topics.meaning.heads import OPPOSES, OTHER, STATES
from worker.topics.meaning.models import ModelError, Vector
from worker.topics.meaning.sieve import Sieve

#: Log-odds are cut here: beyond it a model is not surer, only louder. What was not asked has the lowest.
_SURE = 6.0
UNASKED = -_SURE


@dataclass(frozen=True, slots=True, kw_only=True)
class Signals:
    """What is known of one passage and one topic. Log-odds lie within -6..6, all else within -2..2."""

    #: Log-odds that the passage states one of the meaning sentences, and the phrase.
    claim: float
    phrase: float
    #: Log-odds that it opposes one of them.
    opposed: float
    #: Log-odds that it states one of the ``unlike`` sentences; -6 when there are none.
    unlike: float
    #: How much nearer the passage is to the claims than to the ``unlike`` sentences; 0 when there are none.
    margin: float
    #: How near it is to the claims.
    subject: float
    #: Share of the claim's names that it mentions, and whether it mentions only others.
    names: float
    others: float
    #: Cues that it asks, supposes, demands, plans or remembers.
    question: float
    condition: float
    demand: float
    plan: float
    past: float
    #: It is the headline.
    title: float


#: The signals in the order of the constants.
SIGNALS = tuple(item.name for item in fields(Signals))


def odds(logits: Vector, answer: int) -> float:
    """Return the log-odds of one answer against the other two, within -6..6."""
    rest = [float(logits[other]) for other in (STATES, OPPOSES, OTHER) if other != answer]
    top = max(rest)
    against = top + math.log(sum(math.exp(value - top) for value in rest))
    return max(-_SURE, min(_SURE, float(logits[answer]) - against))


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """From signals to a score."""

    weights: tuple[float, ...]
    bias: float
    #: Log-odds at which news in general gives few enough false alarms (score 0.5), and hardly any (score 0.8).
    operating: float
    quiet: float

    def raw(self, signals: Signals) -> float:
        """Return the log-odds of a passage before they are moved to the operating point."""
        values: tuple[float, ...] = astuple(signals)
        return self.bias + sum(weight * value for weight, value in zip(self.weights, values, strict=True))

    @property
    def unlike_lowers(self) -> bool:
        """Whether a passage that states an ``unlike`` sentence never has the more log-odds for it."""
        return self.weights[SIGNALS.index("unlike")] <= 0

    def score(self, raw: float) -> float:
        """Return the score of ``raw``, 0 to 1: 0.5 at the operating point, 0.8 at the quiet one."""
        above = max(self.quiet - self.operating, _LEAST) / _QUIET_ODDS
        moved = (raw - self.operating) / (above if raw > self.operating else 1.0)
        return 1 / (1 + math.exp(-max(-_FAR, min(_FAR, moved))))


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """What an article as a whole makes of its passages, in log-odds."""

    #: Taken for each e-fold of the article's passages: of many sentences one always comes near.
    length: float
    #: The share of that which a headline pays: there is only one.
    title: float
    #: Added for what the next two passages say to the same effect.
    second: float
    #: Taken for each log-odd by which the headline opposes the claim rather than states it.
    headline: float
    #: The same for any other passage.
    elsewhere: float
    #: Taken from a passage for each log-odd by which it states an ``unlike`` sentence rather than the claim.
    unlike: float

    def odds(self, raws: Sequence[float], found: Sequence[Signals], passages: int) -> tuple[float, int]:
        """Return the log-odds of an article and which passage is its best.

        ``raws`` are the log-odds of the passages ``found``, at least one; ``passages`` is how many the article has.
        """
        own = [raw - self.unlike * max(0.0, one.unlike - one.claim) for raw, one in zip(raws, found, strict=True)]
        paid = self._paid(own, found, passages)
        best = max(range(len(paid)), key=lambda nth: paid[nth])
        others = sorted((max(0.0, raw) for nth, raw in enumerate(own) if nth != best), reverse=True)
        against = [(one.opposed - one.claim, one.title) for nth, one in enumerate(found) if nth != best]
        headline = max((odds for odds, title in against if title), default=0.0)
        elsewhere = max((odds for odds, _ in against), default=0.0)
        more = self.second * sum(others[:_MORE])
        return paid[best] + more - self.headline * max(0.0, headline) - self.elsewhere * max(0.0, elsewhere), best

    def at_most(self, raws: Sequence[float], found: Sequence[Signals], passages: int) -> float:
        """Return log-odds that ``odds`` does not exceed, whatever the passages turn out to oppose or to be unlike."""
        others = sorted((max(0.0, raw) for raw in raws), reverse=True)
        return max(self._paid(raws, found, passages)) + self.second * sum(others[:_MORE])

    def _paid(self, own: Sequence[float], found: Sequence[Signals], passages: int) -> list[float]:
        price = self.length * math.log(min(max(passages, 1), _LONG))
        return [raw - price * (self.title if one.title else 1.0) for raw, one in zip(own, found, strict=True)]


#: Passages of an article beyond which length no longer counts: few reports have more.
_LONG = 40
#: Passages beside the best that are counted for it.
_MORE = 2
#: Log-odds of 0.8, the score from which a topic is quiet.
_QUIET_ODDS = math.log(0.8 / 0.2)
_LEAST, _FAR = 0.05, 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Constants:
    """All that was fitted."""

    #: For topics with meaning sentences, for a phrase alone, and for the encoder without a verifier.
    meaning: Scale
    phrase: Scale
    encoder: Scale
    whole: Whole
    #: The least subject score of a passage that the verifier is asked about.
    gate: float
    #: What a passage must promise for the encoder to be asked about it.
    sieve: Sieve


def read_constants(record: Mapping[str, Any]) -> Constants:
    """Return the constants of a ``decision.json``.

    Raises:
        ModelError: they were made for other signals than these, or are not complete.
    """
    try:
        if tuple(record["signals"]) != SIGNALS:
            raise ModelError("decision.json: made for another version of wirewatch; install wirewatch again")
        return Constants(
            meaning=_scale(record["meaning"]),
            phrase=_scale(record["phrase"]),
            encoder=_scale(record["encoder"]),
            whole=Whole(
                **{
                    name: float(record["whole"][name])
                    for name in ("length", "title", "second", "headline", "elsewhere", "unlike")
                }
            ),
            gate=float(record["gate"]),
            sieve=Sieve(**{item.name: float(record["sieve"][item.name]) for item in fields(Sieve)}),
        )
    except (KeyError, TypeError) as error:
        raise ModelError(f"decision.json: not complete ({error}); install wirewatch again") from error


def _scale(record: Mapping[str, Any]) -> Scale:
    weights: Sequence[float] = record["weights"]
    return Scale(
        weights=tuple(map(float, weights)),
        bias=float(record["bias"]),
        operating=float(record["operating"]),
        quiet=float(record["quiet"]),
    )
