"""What a topic answers and why, which topics are mistakes, and which say more or less than they seem to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.builders import article, topic
from worker.model import Article, Match, Near, Reason, Topic
from worker.topics import check_topic, compile_topics, lint_topic

SEEDS = sorted((Path(__file__).parents[2] / "seeds").glob("*.txt"))
STANCE = Topic(
    id="missile-stance",
    topic="missile program non-negotiable",
    anchors=(("missile", "rocket", "ballistic"),),
    near=(
        Near(
            groups=(
                ("missile", "rocket", "arsenal", "deterrent", "defence capabilities"),
                (
                    *("negotiate", "non-negotiable", "bargain", "discuss", "talks", "compromise", "debate"),
                    *("concession", "off the table", "off limits", "red line"),
                ),
            ),
            within=12,
            negated=True,
        ),
    ),
)


def judged(watch: Topic, of: Article) -> Match:
    """Return the answer of one topic to one article."""
    (answer,) = compile_topics([watch]).judge(of)
    return answer


def seed(path: Path) -> Article:
    """Return a seed as an article: its first line is the title, or the first sentence where that is long."""
    first, _, rest = path.read_text(encoding="utf-8").strip().partition("\n")
    return article(title=first.split(". ")[0], text=rest)


@pytest.mark.parametrize("path", SEEDS, ids=lambda path: path.stem)
def test_the_stance_topic_meets_every_seed(path: Path) -> None:
    """Five articles, two of which never use the word non-negotiable."""
    answer = judged(STANCE, seed(path))
    assert (answer.reason, answer.score, answer.by) == (Reason.MATCHED, 0.9, "rule")
    assert answer.evidence


def test_there_are_five_seeds() -> None:
    """The test above must not pass for want of files."""
    assert len(SEEDS) == 5


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Iran says it is open to negotiations on its missile programme", Reason.NO_MATCH),
        ("Israel's nuclear arsenal is non-negotiable", Reason.ANCHOR_MISSING),
        ("Climate targets are non-negotiable", Reason.ANCHOR_MISSING),
        ("Tehran does not rule out talks over its missiles", Reason.NO_MATCH),
        ("Tehran denied that its missiles are off the table", Reason.NO_MATCH),
        (
            "The missile program ran three years late because negotiators could not agree on a contract price",
            Reason.NO_MATCH,
        ),
    ],
)
def test_the_stance_topic_is_silent_on_the_opposite_and_on_other_subjects(text: str, reason: Reason) -> None:
    """Openness, double denial, other arsenals, and a negotiation about money."""
    assert judged(STANCE, article(title="", text=text)).reason is reason


NEAR = Near(groups=(("missile",), ("talk", "bargain")), within=3)
TEXT = "Officials spoke. The missile was seen. Far away there was talk of peace. A film was shown."


@pytest.mark.parametrize(
    ("changes", "reason", "clause"),
    [
        ({"anchors": (("rocket", "drone"),)}, "anchor-missing", "anchors[0]: one of rocket, drone"),
        ({"anchors": (("film",), ("rocket",))}, "anchor-missing", "anchors[1]: one of rocket"),
        ({"any": ("rocket", '"red line"')}, "no-match", 'any: one of rocket, "red line"'),
        ({"all": ("missile", "rocket")}, "no-match", 'all[1]: "rocket"'),
        ({"none": ("war", "film")}, "excluded", 'none[1]: "film" stands in it: "film"'),
        ({"none": ("talk* of peace",)}, "excluded", 'none[0]: "talk* of peace" stands in it: "talk of peace"'),
        ({"near": (NEAR,)}, "no-match", 'near[0]: "missile" found, none of talk, bargain within 3 words'),
        (
            {"near": (Near(groups=(("missile",), ("film",), ("talk",)), within=3),)},
            "no-match",
            'near[0]: "missile", "film", "talk" found, but not within 3 words',
        ),
        ({"near": (Near(groups=(("rocket", "drone"), ("war",))),)}, "no-match", "near[0]: one of rocket, drone"),
        ({"query": "missile AND (rocket OR drone)"}, "no-match", "query: one of rocket, drone"),
        ({"query": "missile NOT film"}, "no-match", 'query: NOT film, but "film" stands in it'),
        ({"query": "missile (rocket OR (film NOT seen))"}, "no-match", "query: none of the sides of rocket OR (film"),
        ({"languages": ("de", "fr")}, "other-language", "languages: de, fr"),
        ({"outlets": ("BBC",)}, "other-outlet", "outlets: BBC"),
        ({"threshold": 0.95}, "below-threshold", 'threshold: 0.95 (any: "missile")'),
        ({"require": "both"}, "meaning-disabled", "require: both"),
        ({"any": ()}, "meaning-disabled", "meaning disabled, and there is no rule"),
        ({"any": (), "meaning": ("x",), "unlike": ("y",)}, "meaning-disabled", "meaning disabled"),
    ],
)
def test_a_no_names_its_reason_and_the_clause_in_the_words_of_the_file(
    changes: dict[str, Any], reason: str, clause: str
) -> None:
    """So that the author of the topic can see what the article would have needed."""
    answer = judged(topic(**changes), article(title="", text=TEXT, language="en"))
    assert answer.reason == reason
    assert answer.clause.startswith(clause)
    assert not answer.matched


@pytest.mark.parametrize(
    ("changes", "clause"),
    [
        ({"any": ("missile", "film", "war")}, 'any: "missile", "film"'),
        ({"any": (), "all": ("missile",)}, 'all[0]: "missile"'),
        (
            {"near": (Near(groups=(("missile",), ("seen",))),)},
            'near[0]: "missile", "seen" within 12 words; any: "missile"',
        ),
        ({"any": (), "query": "missile NEAR/2 seen"}, "query: missile NEAR/2 seen"),
        ({"languages": ("en-GB",), "outlets": ("bbc", "WIRE")}, 'any: "missile"'),
        ({"outlets": ("wire.example",)}, 'any: "missile"'),
        ({"meaning": ("Never asked.",), "require": "either"}, 'any: "missile"'),
    ],
)
def test_a_yes_names_the_clauses_that_fired(changes: dict[str, Any], clause: str) -> None:
    """Languages are compared without region, outlets without case or by host; a rule runs without a model."""
    answer = judged(topic(**changes), article(title="", text=TEXT, language="en-US"))
    assert (answer.matched, answer.clause) == (True, clause)


def test_an_article_of_unknown_language_is_in_any() -> None:
    """A missing label must not silence a topic."""
    assert judged(topic(languages=("de",)), article(language=None)).matched


def test_a_hit_in_the_head_scores_more_than_one_further_down() -> None:
    """Title and the first two sentences are the head."""
    lines = ["One fell.", "Two fell.", "Three fell.", "Four fell."]
    for place, score in ((0, 0.9), (1, 0.9), (2, 0.8), (3, 0.8)):
        text = " ".join([*lines[:place], "A missile fell.", *lines[place:]])
        assert judged(topic(), article(title="", text=text)).score == score
    assert judged(topic(), article(title="Missile", text=" ".join(lines))).score == 0.9


def test_a_miss_scores_by_the_share_of_clauses_that_held() -> None:
    """Nearer misses stand higher, and none reaches the operating point."""
    scores = [
        judged(topic(any=(), all=terms), article(title="", text=TEXT)).score
        for terms in (("war", "rain"), ("war", "film"), ("war", "film", "peace"))
    ]
    assert scores == [0.0, 0.245, 0.3267]


def test_evidence_is_tight_and_the_best_comes_first() -> None:
    """In the title before the text, then short, then early, and from the first word to the last."""
    near = Near(groups=(("missile",), ("talk",)), within=5)
    of = article(
        title="Missile, they say, talks",
        text="Of missiles there was talk by and by. “Missile talks” went on and on for days. Talks; missile.",
    )
    found = judged(topic(any=(), near=(near,)), of).evidence
    assert [e.text for e in found] == [
        "Missile, they say, talks",
        "Missile talks",
        "Talks; missile",
        "missiles there was talk",
    ]
    assert [e.field for e in found] == ["title", "text", "text", "text"]


def test_each_clause_gives_evidence_before_any_gives_a_second_piece() -> None:
    """Five hits of one word must not hide the other word that a topic asked for."""
    of = article(title="", text="missile missile missile missile missile missile and a treaty")
    found = judged(topic(any=(), all=("missile", "treaty")), of).evidence
    assert [e.text for e in found] == ["missile", "treaty", "missile", "missile", "missile"]


def test_the_version_of_the_topic_is_in_every_answer() -> None:
    """So that an old answer can be told from a new one."""
    watch = topic()
    assert judged(watch, article()).topic_version == watch.version


@pytest.mark.parametrize(
    ("changes", "path", "said"),
    [
        ({"anchors": (("fine",), ())}, ("anchors", 1), "group is empty"),
        ({"anchors": (("n*",),)}, ("anchors", 0, 0), "2 letters"),
        ({"all": ("fine", " ")}, ("all", 1), "no word"),
        ({"none": ("head:x",)}, ("none", 0), "no field"),
        ({"near": (Near(groups=(("fine",),)),)}, ("near", 0, "groups"), "2 to 8 groups, not 1"),
        ({"near": (Near(groups=(("fine",),) * 9),)}, ("near", 0, "groups"), "not 9"),
        ({"near": (Near(groups=(("fine",), ())),)}, ("near", 0, "groups", 1), "group is empty"),
        ({"near": (Near(groups=(("fine",), ("ok", "!"))),)}, ("near", 0, "groups", 1, 1), "no word"),
        ({"near": (Near(groups=(("fine",), ("ok",)), within=0),)}, ("near", 0, "within"), "from 1 to 1000"),
        ({"query": "fine AND"}, ("query",), "something after it"),
        ({"any": (), "topic": " "}, (), "nothing to find"),
        ({"any": (), "topic": "", "anchors": (("missile",),)}, (), "nothing to find"),
        ({"require": "all"}, ("require",), "either"),
        ({"threshold": 1.5}, ("threshold",), "0 to 1"),
    ],
)
def test_a_mistake_is_named_with_its_path(changes: dict[str, Any], path: tuple[str | int, ...], said: str) -> None:
    """The path leads from the topic to the value that a person must mend."""
    (error,) = check_topic(topic(**changes))
    assert error.path == path
    assert said in error.message


def test_all_mistakes_of_a_topic_are_named_at_once() -> None:
    """Nobody mends a file one mistake at a time."""
    watch = topic(any=("", "n*"), none=('"open',), query="(", near=(Near(groups=((), ("a",)), within=0),))
    paths = [error.path for error in check_topic(watch)]
    assert paths == [
        *(("any", 0), ("any", 1), ("none", 0)),
        *(("near", 0, "groups", 0), ("near", 0, "within"), ("query",)),
    ]


def test_a_mistake_reads_like_a_line_of_a_report() -> None:
    """The place as people write it, the column, what is wrong."""
    (error,) = check_topic(topic(near=(Near(groups=(("fine",), ("say n*",))),)))
    assert str(error).startswith('near[0].groups[1][0]: column 5: "n*": a wildcard needs')


@pytest.mark.parametrize(
    ("changes", "path", "said"),
    [
        ({"any": ()}, (), "a phrase alone is less sure"),
        ({"require": "both"}, ("require",), "both needs sentences under meaning"),
        ({"meaning": ("A government says no.",)}, ("meaning",), "without unlike sentences"),
        ({"meaning": ("It says no.",), "unlike": ("It says yes.",)}, ("meaning", 0), "too short for a claim"),
        ({"on_opposite": "alert"}, ("on_opposite",), "only meaning can tell an opposite"),
        ({"threshold": 0.91}, ("threshold",), "at most 0.9"),
        ({"any": ("missile", "the")}, ("any",), "almost everything"),
        ({"any": (), "all": ("of the",)}, ("all", 0), "almost everything"),
        ({"any": (), "query": "missile OR in*"}, ("query",), "almost everything"),
        ({"any": (), "near": (Near(groups=(("the", "x"), ("of",))),)}, ("near", 0), "almost everything"),
        ({"none": ("missiles",)}, ("any",), "dead"),
        ({"any": (), "all": ("film", "missile program"), "none": ("missile",)}, ("all", 1), "dead"),
        ({"anchors": (("film",),), "none": ("film",)}, ("anchors", 0), "dead"),
        ({"any": (), "near": (Near(groups=(("missile",), ("film",))),), "none": ("film",)}, ("near", 0), "dead"),
        ({"any": (), "query": "missile film NOT film"}, ("query",), "dead"),
        ({"any": ("missile", "rocket", "Missiles")}, ("any", 2), 'the same as "missile"'),
        ({"any": ("non-negotiable", "nonnegotiable")}, ("any", 1), "the same as"),
        ({"near": (Near(groups=(("missile",), ("talk", "talks"))),)}, ("near", 0, "groups", 1, 1), "the same as"),
        ({"any": ("missile AND rocket",)}, ("any", 0), "plain word in a list"),
        ({"any": (), "query": "missile and rocket"}, ("query",), "the operator is AND"),
        ({"any": (), "query": "missile Or rocket"}, ("query",), "column 9"),
        (
            {"languages": ("de",), "near": (Near(groups=(("missile",), ("talk",)), negated=True),)},
            ("near", 0, "negated"),
            "English only",
        ),
    ],
)
def test_lint_says_what_an_author_may_not_mean(changes: dict[str, Any], path: tuple[str | int, ...], said: str) -> None:
    """One remark each: what cannot match, what matches everything, what is said twice, what is no operator."""
    (lint,) = lint_topic(topic(**changes))
    assert lint.path == path
    assert said in lint.message


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"anchors": (("missile",),), "any": ("the",)},
        {"any": ("missile", "film"), "none": ("film",)},
        {"any": ("missile",), "none": ("missile film",)},
        {"any": ("missile",), "none": ("title:missile",)},
        {"any": ("=missile", "missile", "missil*")},
        {"any": ("Bosnia and Herzegovina",)},
        {"query": '"war and peace" OR missile'},
        {"meaning": ("A government says no.",), "unlike": ("A government says yes.",)},
    ],
)
def test_lint_is_silent_on_what_makes_sense(changes: dict[str, Any]) -> None:
    """Remarks on good topics would teach people to overlook them."""
    assert lint_topic(topic(**changes)) == []


def test_lint_leaves_mistakes_to_check() -> None:
    """What cannot be read is not remarked upon as well."""
    assert lint_topic(topic(any=("the", "n*"))) == []
