"""Meaning without models: names, tense, passages, the scale of scores, and how rule and meaning become one answer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import article, topic
from worker.model import Evidence, Match, Reason
from worker.topics.meaning.decision import SIGNALS, Signals, Whole, odds, read_constants
from worker.topics.meaning.models import Table
from worker.topics.meaning.names import mention, names_of
from worker.topics.meaning.passages import PASSAGES_MAX, passages
from worker.topics.meaning.tense import tense
from worker.topics.meant import Sense, is_meant, reads
from worker.topics.merging import merged
from worker.topics.rules import read_rule

CANNERY = ("Orrin & Mills reopens Brannock cannery", "The food company Orrin & Mills has reopened its Brannock plant.")


@pytest.mark.parametrize(
    ("claims", "context", "share", "others"),
    [
        (CANNERY, "Orrin's plant in Brannock is running again.", 1.0, False),
        (CANNERY, "Production at Mills has restarted.", 0.5, False),
        (CANNERY, "Tessaly Foods reopened a cannery in Ulsay.", 0.0, True),
        (CANNERY, "production has restarted, workers say.", 0.0, False),
        (("Iran rejects missile talks",), "Tehran said no.", 1.0, False),
        (("Iran rejects missile talks",), "They told us nothing, an official in Baghdad said.", 0.0, True),
        (("The United States left the treaty.",), "Let us go, he said.", 0.0, False),
        (("The United States left the treaty.",), "The U.S. has left.", 1.0, False),
        (("World Health Organization declares pandemic",), "The WHO declared it.", 1.0, False),
        (("missile program non-negotiable", "Missile talks are refused."), "Paris agrees to talk.", 1.0, False),
    ],
)
def test_a_passage_is_asked_whether_it_speaks_of_those_whom_the_claim_names(
    claims: tuple[str, ...], context: str, share: float, others: bool
) -> None:
    """Names are found without a model; a claim without names is met by everybody."""
    found = mention(names_of(claims), context)
    assert (found.share, found.others) == (share, others)


@pytest.mark.parametrize(
    ("text", "cues"),
    [
        ("The court struck down the law on Monday.", set()),
        ("Will the court strike down the law?", {"question"}),
        ("If the court strikes down the law, shops could open on Sundays.", {"condition", "plan"}),
        ("The court should strike down the law.", {"demand"}),
        ("The court is expected to strike down the law next month.", {"plan"}),
        ("Ten years ago the court struck down the law.", {"past"}),
        ("In 1997 the court struck down the law.", {"past"}),
        ("In 2026 the court struck down the law.", set()),
    ],
)
def test_a_passage_shows_whether_it_reports(text: str, cues: set[str]) -> None:
    """A year before the article's own is a cue of the past; the article's own year is not."""
    found = tense(text, year=2026)
    assert {name for name in ("question", "condition", "demand", "plan", "past") if getattr(found, name)} == cues


@given(title=st.text(max_size=60), text=st.text(alphabet="ab .,;!?\n", max_size=1_500))
def test_passages_are_spans_of_the_article(title: str, text: str) -> None:
    """Whatever the text, each passage stands where it says, in order, and none is longer than the models read."""
    of = article(title=title, text=text)
    found = passages(of)
    for passage in found:
        assert {"title": title, "text": text}[passage.field][passage.start : passage.end] == passage.text
        assert len(passage.text) <= 320 or passage.field == "title"
    assert list(found) == sorted(found, key=lambda p: (p.field == "text", p.start))


def test_an_article_without_end_has_an_end() -> None:
    """A page of more sentences than ten megabytes of news is looked at as far as that."""
    assert len(passages(article(text="This is it now.\n" * (PASSAGES_MAX + 5)))) == PASSAGES_MAX


WHOLE = Whole(length=1.0, title=0.5, second=0.5, headline=0.5, elsewhere=0.5, unlike=0.5)


def _signals(**changes: float) -> Signals:
    return Signals(**dict.fromkeys(SIGNALS, 0.0) | {"unlike": -6.0} | changes)


def test_the_rest_of_an_article_bears_on_its_best_passage() -> None:
    """Length, a contrary headline and an unlike sentence take from it; others to the same effect add to it."""
    best = _signals(claim=3.0)
    alone, at = WHOLE.odds([3.0], [best], 1)
    assert (alone, at) == (3.0, 0)
    assert WHOLE.odds([3.0], [best], 10)[0] < alone
    assert WHOLE.odds([3.0], [best], 1_000) == WHOLE.odds([3.0], [best], 40)
    titled = WHOLE.odds([3.0], [_signals(claim=3.0, title=1.0)], 10)[0]
    assert WHOLE.odds([3.0], [best], 10)[0] < titled < alone
    contrary = _signals(claim=-3.0, opposed=3.0, title=1.0)
    assert WHOLE.odds([3.0, -9.0], [best, contrary], 1) == (alone - 0.5 * 6 - 0.5 * 6, 0)
    assert WHOLE.odds([3.0, 2.0], [best, _signals(claim=2.0)], 1) == (alone + 1.0, 0)
    assert WHOLE.odds([3.0], [_signals(claim=3.0, unlike=5.0)], 1)[0] == alone - 1.0
    assert WHOLE.odds([3.0], [_signals(claim=3.0, unlike=2.0)], 1)[0] == alone


_ODDS = st.floats(-6, 6)


@given(
    st.lists(st.tuples(_ODDS, _ODDS, _ODDS, _ODDS, st.sampled_from([0.0, 1.0])), min_size=1, max_size=4),
    st.integers(1, 60),
)
def test_what_is_unlike_takes_from_a_bound_and_never_adds_to_it(
    drawn: list[tuple[float, float, float, float, float]], passages: int
) -> None:
    """Whoever is below the threshold by the bound need not be held against the unlike sentences."""
    raws = [raw for raw, *_ in drawn]
    known = [_signals(claim=claim, opposed=opposed, title=title) for _, claim, opposed, _, title in drawn]
    asked = [replace(one, unlike=unlike) for one, (_, _, _, unlike, _) in zip(known, drawn, strict=True)]
    bound = WHOLE.at_most(raws, known, passages)
    assert WHOLE.odds(raws, asked, passages)[0] <= bound + 1e-9
    assert WHOLE.odds(raws, known, passages)[0] <= bound + 1e-9


@given(st.lists(st.floats(-50, 50, width=32), min_size=3, max_size=3), st.sampled_from([0, 1, 2]))
def test_log_odds_stay_within_bounds(logits: list[float], answer: int) -> None:
    """A model that is louder than another is not surer."""
    assert -6 <= odds(np.array(logits, np.float32), answer) <= 6


def test_constants_of_another_version_are_refused() -> None:
    """Weights without the signals they belong to would decide anything."""
    record = {"signals": [*SIGNALS[1:], SIGNALS[0]]}
    with pytest.raises(ValueError, match="another version"):
        read_constants(record)


def test_a_sentence_without_known_tokens_is_near_nothing() -> None:
    """The table guesses a zero vector for it, and the sentences beside it are guessed as if they were alone."""
    table = Table(
        rows=np.array([[1, 0], [0, 2]], np.int8),
        scales=np.array([0.5, 1.0], np.float32),
        basis=np.eye(2, dtype=np.float32),
        mean=np.zeros(2, np.float32),
        spread=np.eye(2, dtype=np.float32),
        guessed_spread=np.eye(2, dtype=np.float32),
    )
    assert table.guess([(0, 0), (), (1,)]).tolist() == [[1.0, 0.0], [0.0, 0.0], [0.0, 1.0]]
    assert table.guess([]).shape == (0, 2)


@pytest.mark.parametrize(
    ("fields", "meant"),
    [
        ({"topic": "a phrase alone", "any": ()}, True),
        ({"topic": "a phrase with a rule", "any": ("word",)}, False),
        ({"meaning": ("It is so.",), "any": ("word",)}, True),
        ({"topic": "", "any": ("word",)}, False),
    ],
)
def test_a_topic_is_looked_for_by_meaning_when_it_has_some_or_nothing_else(
    fields: dict[str, object], meant: bool
) -> None:
    """A phrase beside a rule is its title."""
    assert is_meant(topic(**fields)) is meant


@pytest.mark.parametrize(("language", "read"), [("en", True), ("EN_gb", True), (None, True), ("fr", False)])
def test_the_models_read_english(language: str | None, read: bool) -> None:
    """An article of unknown language is taken for English."""
    assert reads(language) is read


SPAN = Evidence(field="text", start=0, end=4, text="Said")


def _sense(score: float, stance: str = "states", evidence: Evidence | None = SPAN) -> Sense:
    return Sense(score=score, stance=stance, evidence=evidence, detail="subject 0.90")


@pytest.mark.parametrize(
    ("sense", "threshold", "reason"),
    [
        (_sense(0.5), 0.5, Reason.MATCHED),
        (_sense(0.49), 0.5, Reason.BELOW_THRESHOLD),
        (_sense(0.79), 0.8, Reason.BELOW_THRESHOLD),
        (_sense(0.1, "opposes"), 0.5, Reason.OPPOSES),
        (_sense(0.1, "unlike"), 0.5, Reason.UNLIKE),
        (_sense(0.0, "other", None), 0.5, Reason.NO_MATCH),
    ],
)
def test_meaning_answers_with_a_reason(sense: Sense, threshold: float, reason: Reason) -> None:
    """A no by meaning shows the nearest passage, its scores and the threshold."""
    rule = read_rule(topic(any=(), meaning=("It is so.",), threshold=threshold))
    answer = merged(rule, article(), None, sense)
    assert answer.reason is reason
    assert answer.score == sense.score
    assert answer.by == ("meaning" if answer.matched else "")
    assert "subject 0.90" in answer.clause
    assert answer.evidence == (() if sense.evidence is None else (SPAN,))


def test_an_opposite_is_a_match_where_it_is_asked_for() -> None:
    """A stance flip is told with its stance, whatever the score."""
    rule = read_rule(topic(any=(), meaning=("It is so.",), on_opposite="alert"))
    answer = merged(rule, article(), None, _sense(0.1, "opposes"))
    assert answer.matched
    assert (answer.stance, answer.score) == ("opposes", 0.5)
    assert answer.clause.startswith("opposes: ")
    assert not merged(rule, article(), None, _sense(0.1, "other")).matched


def test_a_topic_that_requires_both_has_the_evidence_of_both() -> None:
    """The passage comes first, the words after it."""
    word = Evidence(field="text", start=9, end=13, text="word")
    rule = read_rule(topic(meaning=("It is so.",), require="both"))
    held = Match(
        article_id="a",
        topic_id="t",
        topic_version="v",
        reason=Reason.MATCHED,
        score=0.8,
        by="rule",
        evidence=(word,),
        clause='any: "word"',
    )
    answer = merged(rule, article(), held, _sense(0.7))
    assert (answer.by, answer.evidence) == ("both", (SPAN, word))
    assert answer.clause == 'meaning: subject 0.90; any: "word"'
    assert not merged(rule, article(), held, _sense(0.3)).matched


def test_of_two_misses_the_nearer_is_told() -> None:
    """A rule that nearly held is more telling than a passage that is far away."""
    rule = read_rule(topic(meaning=("It is so.",)))
    near = Match(
        article_id="a", topic_id="t", topic_version="v", reason=Reason.NO_MATCH, score=0.4, clause="near[0]: x"
    )
    assert merged(rule, article(), near, _sense(0.1)) is near
    assert merged(rule, article(), replace(near, score=0.05), _sense(0.1)).reason is Reason.BELOW_THRESHOLD
