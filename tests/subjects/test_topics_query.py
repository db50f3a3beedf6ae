"""The query language: what it means, and what it says of mistakes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import article, topic
from worker.topics import check_topic, compile_topics
from worker.topics.query import MAX_DEPTH, MAX_LENGTH


def is_met(query: str, text: str, title: str = "") -> bool:
    """Return whether a topic of one query matches a text."""
    return bool(compile_topics([topic(any=(), query=query)]).match(article(text=text, title=title)))


@pytest.mark.parametrize(
    ("query", "text", "met"),
    [
        ("a1 AND b1", "b1 a1", True),
        ("a1 b1", "b1", False),
        ("a1 OR b1", "b1", True),
        ("a1 NOT b1", "a1 b1", False),
        ("a1 AND NOT b1", "a1", True),
        ("a1 OR b1 AND c1", "a1", True),
        ("(a1 OR b1) AND c1", "a1", False),
        ("a1 b1 OR c1", "c1", True),
        ("NOT NOT a1", "a1", True),
        ("c1 AND (a1 OR NOT b1)", "c1", True),
        ("c1 AND (a1 OR NOT b1)", "c1 b1", False),
        ("NOT a1 NEAR/1 b1 AND c1", "a1 c1 b1", True),
        ("a1 OR b1 NEAR/1 c1", "a1", True),
        ('"a1 b1" c1', "c1 a1 b1", True),
        ("'a1 b1' c1", "c1 a1 x b1", False),
        ("‘a1 b1’ OR “b1 c1”", "b1 c1", True),
        ("negotiat* AND =talks", "negotiated talks", True),
        ("a1 NEAR/1 b1", "b1 a1", True),
        ("a1 NEAR/1 b1", "a1 x b1", False),
        ("a1 NEAR/2 b1", "a1 x b1", True),
        ("a1 NEAR/5 a1", "a1 x", False),
        ("a1 NEAR/5 a1", "a1 x a1", True),
        ("a1 NEAR/3 (b1 OR c1)", "a1 x c1", True),
        ("a1 NEAR/3 b1 NEAR/3 c1", "b1 a1 x c1", True),
        ("a1 NEAR/3 b1 NEAR/3 c1", "b1 a1 x x c1", False),
        ("a1 BEFORE/2 b1", "a1 b1", True),
        ("a1 BEFORE/2 b1", "b1 a1", False),
        ("a1 ONEAR/2 b1 ONEAR/2 c1", "a1 b1 c1", True),
        ("a1 ONEAR/2 b1 ONEAR/2 c1", "a1 c1 b1", False),
        ('"a1 b1" NEAR/1 c1', "a1 b1 c1", True),
        ("a1 NEAR/9 b1", "a1\nb1", False),
        ("a1 NEAR/9 b1", "a1. Then B1.", True),
        ("a1 and b1", "a1 b1", False),
        ('missile NEAR/12 "non-negotiable"', "The missile programme is nonnegotiable", True),
    ],
)
def test_a_query_means_what_its_operators_say(query: str, text: str, *, met: bool) -> None:
    """Precedence, juxtaposition, nearness, order, phrases and paragraphs."""
    assert is_met(query, text) is met


@pytest.mark.parametrize(
    ("query", "met"),
    [
        ("title:a1", True),
        ("text:a1", False),
        ('title:"a1 b1"', True),
        ("title:(a1 OR c1) AND text:c1", True),
        ("title:(a1 text:c1)", True),
        ("b1 NEAR/5 c1", False),
    ],
)
def test_a_field_restricts_terms_and_parentheses(query: str, *, met: bool) -> None:
    """Inside a field's parentheses another field may be named, and no window crosses from title to text."""
    assert is_met(query, "c1 d1", title="a1 b1") is met


@pytest.mark.parametrize(
    ("query", "column", "said"),
    [
        ("(a1", 1, "never closed"),
        ("a1 (b1 OR (c1)", 4, "never closed"),
        ("a1)", 3, "closes nothing"),
        (")", 1, "closes nothing"),
        ("a1 ()", 5, "nothing between"),
        ("a1 AND", 7, "AND needs something after it"),
        ("a1 AND )", 8, "AND needs something after it"),
        ("(a1 OR) b1", 7, "OR needs something after it"),
        ("a1 AND OR b1", 8, "AND needs something after it, not OR"),
        ("OR a1", 1, "OR needs something before it"),
        ("(AND a1)", 2, "AND needs something before it"),
        ("NEAR/5 a1", 1, "NEAR/5 needs something before it"),
        ("a1 NEAR/5", 10, "NEAR/5 needs something after it"),
        ("a1 NEAR b1", 4, "such as NEAR/5"),
        ("a1 NEAR/0 b1", 4, "from 1 to 1000"),
        ("a1 BEFORE/x b1", 4, "such as BEFORE/5"),
        ("a1 NEAR/1001 b1", 4, "from 1 to 1000"),
        ("a1 NEAR/5 NOT b1", 11, "not NOT"),
        ("a1 NEAR/5 (b1 AND c1)", 11, "OR-groups"),
        ("a1 NEAR/5 b1 NEAR/6 c1", 14, "one distance"),
        ("NOT a1", 1, "beside NOT"),
        ("a1 OR NOT b1", 1, "every side of an OR"),
        ("NOT", 4, "NOT needs something after it"),
        ('a1 "b1 c1', 4, "never closed"),
        ('a1 ""', 5, "no word"),
        ("a1 n*", 4, "2 letters"),
        ("a1 -b1", 4, "no operator here"),
        ("a1 && b1", 4, "no operator here"),
        ("head:a1", 1, "no field"),
        ("head:(a1)", 1, "no field"),
        ("  ", 1, "empty"),
        ("(" * (MAX_DEPTH + 1) + "a1" + ")" * (MAX_DEPTH + 1), MAX_DEPTH + 1, "deep"),
        ("a" * (MAX_LENGTH + 1), MAX_LENGTH, "characters"),
        ("a1 " * 501, 1501, "500 terms"),
    ],
)
def test_a_mistake_in_a_query_is_named_with_its_column(query: str, column: int, said: str) -> None:
    """The column counts from 1 within the query, and the message says what was expected."""
    (error,) = check_topic(topic(any=(), query=query))
    assert (error.path, error.column) == (("query",), column)
    assert said in error.message


@given(st.lists(st.sampled_from(["a", '"b c"', "AND", "OR", "NOT", "NEAR/2", "(", ")", "title:", '"', "-", " "])))
def test_every_string_is_a_query_or_a_clear_mistake(pieces: list[str]) -> None:
    """No input raises anything but RuleError, and a column lies in the query or just after it."""
    query = " ".join(pieces)
    for error in check_topic(topic(any=(), query=query)):
        assert error.message
        assert 1 <= error.column <= len(query) + 1


@given(st.text(max_size=60))
def test_any_text_is_a_query_or_a_clear_mistake(query: str) -> None:
    """The same for what nobody would type."""
    for error in check_topic(topic(any=(), query=query)):
        assert 1 <= error.column <= len(query) + 1
