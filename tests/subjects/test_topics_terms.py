"""What a term of a topic finds, and which terms cannot be read."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.builders import article, topic
from worker.topics import check_topic, compile_topics
from worker.topics.lexicon import is_like


def is_found(term: str, text: str, title: str = "") -> bool:
    """Return whether a topic of one term matches a text."""
    return bool(compile_topics([topic(any=(term,))]).match(article(text=text, title=title)))


@pytest.mark.parametrize(
    ("term", "text"),
    [
        ("missile", "MISSILES were shown"),
        ("programmes", "a nuclear program"),
        ("off the table", "It is Off The Tables."),
        ('"off the table"', "off the table"),
        ("“off the table”", "off the table"),
        ("red line", "a red-line issue"),
        ("non-negotiable", "it is non-negotiable"),
        ("non-negotiable", "it is non negotiable"),
        ("non-negotiable", "it is nonnegotiable"),
        ("non negotiable", "it is nonnegotiable"),
        ("nonnegotiable", "it is non-negotiable"),
        ("nonnegotiable", "it is non negotiable"),
        ("cease-fire", "a ceasefire holds"),
        ("re-election", "his reelection"),
        ("reelection", "his re-election"),
        ("cooperation", "their co-operation"),
        ("the non-nuclear deal", "the nonnuclear deals"),
        ("negotiat*", "they negotiated"),
        ("negotiat*", "NEGOTIATIONS"),
        ("open to negotiat*", "is open to negotiations"),
        ("def*ce", "in defence"),
        ("organi*ation", "an organisation"),
        ("nonnegotiat*", "it is non-negotiated"),
        ("=strikes", "air Strikes"),
        ("=non-negotiable", "is nonnegotiable"),
        ('="strikes back"', "the empire strikes back"),
        ("Iran's", "Iran’s"),
        ("Türkiye", "Turkey"),
        ("导弹", "谈论导弹问题"),
        ("title:missile", "nothing"),
        ("TITLE:missile", "nothing"),
        ("text:nothing", "nothing"),
        ("10:30", "at 10:30 sharp"),
    ],
)
def test_a_term_finds(term: str, text: str) -> None:
    """Words in any form, phrases, hyphened and solid forms, wildcards, exact words and fields are found."""
    assert is_found(term, text, title="Missile news")


@pytest.mark.parametrize(
    ("term", "text"),
    [
        ("missile", "missing"),
        ("off the table", "off that table"),
        ("off the table", "off\nthe table"),
        ("red line", "line red"),
        ("red line", "redline"),
        ("overtime", "over time"),
        ("cease fire", "ceasefire"),
        ("negotiat*", "renegotiate"),
        ("def*ce", "defences"),
        ("program*", "progress"),
        ("=strikes", "a strike"),
        ("=programme", "a program"),
        ('="strikes back"', "he strike back"),
        ("title:missile", "a missile"),
        ("text:headline", "nothing"),
        ("导弹", "导 x 弹"),
    ],
)
def test_a_term_does_not_find(term: str, text: str) -> None:
    """Other words, other orders, other paragraphs, other fields and unstemmed forms are left alone."""
    assert not is_found(term, text, title="A headline")


def test_a_phrase_does_not_reach_from_the_title_into_the_text() -> None:
    """The end of a headline and the beginning of the story are no sequence."""
    assert not is_found("missile talks", "talks began", title="Iran and the missile")


@pytest.mark.parametrize(
    ("term", "column", "said"),
    [
        ("", 1, "no word"),
        (" !? ", 2, "no word"),
        ("n*", 1, "2 letters"),
        ("a n* b", 3, "2 letters"),
        ("*", 1, "2 letters"),
        ("*missile", 1, "2 letters"),
        ('"off the table', 1, "never closed"),
        ("say “no” twice", 5, "whole phrase"),
        ('"one" "two"', 5, "whole phrase"),
        ("headline:missile", 1, 'no field "headline"'),
        ("title: missile", 7, "without a space"),
        ("导弹*", 1, "without spaces"),
        ("word " * 31, 1, "at most 30 words"),
        ("=", 1, "no word"),
    ],
)
def test_a_term_that_cannot_be_read_says_why_and_where(term: str, column: int, said: str) -> None:
    """The column counts from 1 within the term, and the path leads to it."""
    (error,) = check_topic(topic(any=("fine", term)))
    assert (error.path, error.column) == (("any", 1), column)
    assert said in error.message


@given(st.text(max_size=60))
def test_every_text_is_a_term_or_a_clear_mistake(text: str) -> None:
    """No input raises anything but RuleError, and a column lies in the text or just after it."""
    for error in check_topic(topic(any=(text,))):
        assert error.message
        assert 1 <= error.column <= len(text) + 1


@given(st.text(alphabet="ab*", max_size=8), st.text(alphabet="ab", max_size=10))
@example("ab*ba", "aba")
@example("a*b*b", "ab")
def test_wildcards_are_what_regular_expressions_say(pattern: str, word: str) -> None:
    """The linear comparison agrees with the definition: a star is any run of letters."""
    table: list[bool] = [True] + [False] * len(word)
    for sign in pattern:
        if sign == "*":
            table = [any(table[: place + 1]) for place in range(len(word) + 1)]
        else:
            table = [False] + [table[place] and word[place] == sign for place in range(len(word))]
    parts = tuple(pattern.split("*"))
    assert is_like(word, parts if len(parts) > 1 else (pattern, "")) == (
        table[-1] if len(parts) > 1 else word.startswith(pattern)
    )


def test_a_wildcard_of_many_stars_meets_a_hostile_word() -> None:
    """Sixty thousand such words are compared; a backtracking pattern would not come back."""
    assert not is_found("aa" + "*a" * 20 + "*b", " ".join(["a" * 60 + "c"] * 60_000))
