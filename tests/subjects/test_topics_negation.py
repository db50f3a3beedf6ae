"""Whether a sentence denies or refuses what a near clause finds in it."""

from __future__ import annotations

import pytest

from tests.builders import article, topic
from worker.model import Match, Near, Topic
from worker.topics import compile_topics

_TALK = ("negotiate", "non-negotiable", "bargain", "discuss", "talks", "compromise", "off the table", "red line")


def stance(**changes: bool) -> Topic:
    """Return a topic about missiles that are not negotiable."""
    near = Near(groups=(("missile", "rocket"), _TALK), within=12, negated=changes.get("negated", True))
    return topic(any=(), near=(near,))


def answer(sentence: str) -> Match:
    """Return what that topic says of an article of one sentence."""
    (match,) = compile_topics([stance()]).judge(article(title="", text=sentence))
    return match


REFUSED = [
    "Tehran will not negotiate about its missiles.",
    "Iran won’t discuss its missiles.",
    "Iran cannot bargain over missiles.",
    "We will never sit down to talks on missiles.",
    "The missile programme is non-negotiable.",
    "The missile programme is 'nonnegotiable', the minister said.",
    "Iran rejects missile talks as non-negotiable.",
    "Officials issued a stern rejection of any potential talks regarding the missile programme.",
    "Iran ruled out any direct or indirect talks over missiles.",
    "Missile talks are completely out of the question, says Tehran.",
    "Missile talks were flatly rejected.",
    "Missile talks off limits, says Iran.",
    "Missile talks rejected",
    "Its missiles are a red line.",
    "Missiles are off the table in any deal.",
    "Missiles are in no way something that can be bargained about.",
    "Iran will not discuss, trade or compromise on its missiles.",
    "Its missile programme, which is defensive, is not subject to talks.",
    "Missiles will not, under any circumstances, be discussed.",
    "Iran denied that it would negotiate over missiles.",
    "Tehran dismissed the notion that it would bargain over missiles.",
    "Iran will not agree to talks on missiles.",
    "Neither missiles nor drones can be discussed.",
    "There will be peace without talks on missiles.",
    "Missile talks will not take place.",
    "Missile talks aren't planned.",
]
NOT_REFUSED = [
    "Iran is open to talks on its missiles.",
    "Tehran does not rule out talks over its missiles.",
    "Tehran has not explicitly ruled out missile talks.",
    "Tehran refused to rule out talks on missiles.",
    "Iran never refused to negotiate on missiles.",
    "Tehran denied that its missiles are off the table.",
    "Iran denied reports that missile talks were ruled out.",
    "Iran rejected suggestions that its missiles are non-negotiable.",
    "Nothing is off the table, and missiles can be discussed.",
    "No subject is off the table, missiles included.",
    "Missiles are no longer a red line in talks.",
    "Iran wants missile talks, not war.",
    "Missile talks will be held without preconditions.",
    "There was no breakthrough in missile talks.",
    "The deal is not final, but missile talks continue.",
    "Missile shipments could not be confirmed, negotiators said.",
    "The missile ran late because negotiators could not agree on a price.",
    "The missile was not only shown but also discussed.",
    "Talks will cover non-nuclear arms such as missiles.",
    "Missile negotiators rejected a bill.",
    "Iran will discuss missiles. It will not discuss drones.",
    "Oil is off the table. Missiles will be discussed.",
]


@pytest.mark.parametrize("sentence", REFUSED)
def test_a_refusal_is_heard(sentence: str) -> None:
    """Adverbs, prefixes, verbs, idioms and denied statements count, before, between and after the words."""
    assert answer(sentence).matched, answer(sentence).clause


@pytest.mark.parametrize("sentence", NOT_REFUSED)
def test_what_is_no_refusal_is_let_pass(sentence: str) -> None:
    """Two denials cancel, and a cue that speaks of something else, or of another sentence, does not count."""
    assert not answer(sentence).matched, answer(sentence).clause


@pytest.mark.parametrize("sentence", NOT_REFUSED)
def test_without_negated_the_same_sentences_match(sentence: str) -> None:
    """So that the silence above is the work of the denial and not of the distance."""
    near = stance(negated=False)
    assert compile_topics([near]).match(article(title="", text=sentence))


@pytest.mark.parametrize("joint", ["; ", ": ", " but ", " because ", " — "])
def test_a_cue_does_not_reach_into_another_clause(joint: str) -> None:
    """A semicolon, a colon, a dash or a contrast ends what a cue says."""
    assert not answer(f"The minister did not stay{joint}missile talks continue").matched


def test_the_words_of_denial_are_part_of_the_evidence() -> None:
    """A person who reads the passage must see why it counts as a denial."""
    match = answer("Officials said they reject talks about missiles")
    assert [found.text for found in match.evidence] == ["reject talks about missiles"]
    assert match.clause == 'near[0]: "missile", "talks" within 12 words, denied by "reject"'


def test_a_passage_that_nothing_denies_is_quoted() -> None:
    """The reason shows what was found, so that the author can see what is missing."""
    match = answer("Iran will hold talks about missiles")
    assert match.clause == 'near[0]: found, but nothing denies it: "talks about missiles"'


def test_the_denial_must_stand_in_the_sentence_of_the_hits() -> None:
    """Hits in two sentences are no passage, even where they stand close."""
    assert not answer("They will not talk. The missiles are new. Discuss.").matched


@pytest.mark.parametrize(
    "unit", ["missile talks not ", "not, ", "missile ", "denied that missile talks ", "missile, talks—"]
)
def test_a_page_of_repeated_words_is_read_in_one_pass(unit: str) -> None:
    """Tens of thousands of hits and cues in one sentence end in an answer with little evidence."""
    assert len(answer(unit * 12_000).evidence) <= 5
