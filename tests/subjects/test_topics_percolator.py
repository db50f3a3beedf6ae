"""The percolator: the same answers as looking at every topic in turn, found without doing so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import combinations, pairwise, product
from typing import TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders import article, topic
from worker.model import Article, Near, Reason, Topic
from worker.text import words
from worker.topics import RuleError, compile_topics

_VOCABULARY = ("alpha", "bravo", "carol", "delta", "alps", "the")
_TERMS = (*_VOCABULARY, "alpha bravo", "carol-delta", "al*", "br*o", "=alpha", "title:alpha", "text:bravo")
_SOLID = "caroldelta"

Hit: TypeAlias = tuple[int, int]


class Naive:
    """An article as a list of words; every question is answered by trying all there is to try."""

    def __init__(self, of: Article) -> None:
        self.words: list[str] = []
        self.fields: list[str] = []
        self.lines: list[int] = []
        for field, text in (("title", of.title), ("text", of.text)):
            for line in text.split("\n"):
                number = (self.lines[-1] if self.lines else 0) + 1
                for word in words(line):
                    self.words.append(word.lower())
                    self.fields.append(field)
                    self.lines.append(number)

    def hits(self, term: str) -> list[Hit]:
        """Return where ``term`` stands."""
        field, _, rest = term.rpartition(":")
        parts = rest.replace("-", " ").lstrip("=").split()
        spans = [(at, at + len(parts) - 1) for at in range(len(self.words) - len(parts) + 1)]
        if "-" in rest:
            spans += [(at, at) for at, word in enumerate(self.words) if word == rest.replace("-", "")]
            parts_of = {1: [rest.replace("-", "")], 2: parts}
        else:
            parts_of = {len(parts): parts}
        return [
            (a, b)
            for a, b in sorted(set(spans))
            if self.lines[a] == self.lines[b]
            and (not field or self.fields[a] == field)
            and all(map(_is_like, self.words[a : b + 1], parts_of[b - a + 1]))
        ]

    def is_near(self, groups: list[list[str]], within: int, *, ordered: bool = False) -> bool:
        """Return whether some choice of one hit for each group is a window."""
        choices = [[hit for term in group for hit in self.hits(term)] for group in groups]
        return any(self._is_window(hits, within, ordered=ordered) for hits in product(*choices))

    def _is_window(self, hits: tuple[Hit, ...], within: int, *, ordered: bool) -> bool:
        if len({self.lines[a] for a, _ in hits}) > 1:
            return False
        if any(a <= d and c <= b for (a, b), (c, d) in combinations(hits, 2)):
            return False
        in_order = list(hits) == sorted(hits)
        return max(a for a, _ in hits) - min(b for _, b in hits) <= within and (in_order or not ordered)


def _is_like(word: str, part: str) -> bool:
    first, star, last = part.partition("*")
    if not star:
        return word == part
    return len(word) >= len(first + last) and word.startswith(first) and word.endswith(last)


class Query:
    """A query and, beside its text, what it means."""

    def __init__(self, text: str, means: Callable[[Naive], bool], *, finds: bool = True) -> None:
        self.text = text
        self.means = means
        self.finds = finds

    def __repr__(self) -> str:
        return self.text


def _term(term: str) -> Query:
    return Query(f'"{term}"' if " " in term else term, lambda of: bool(of.hits(term)))


def _near(groups: list[list[str]], within: int, operator: str) -> Query:
    sides = ["(" + " OR ".join(_term(term).text for term in group) + ")" for group in groups]
    text = f" {operator}/{within} ".join(sides)
    return Query(text, lambda of: of.is_near(groups, within, ordered=operator != "NEAR"))


def _joined(one: Query, other: Query, operator: str) -> Query:
    text = f"({one.text}) {operator} ({other.text})"
    if operator == "OR":
        return Query(text, lambda of: one.means(of) or other.means(of), finds=one.finds and other.finds)
    return Query(text, lambda of: one.means(of) and other.means(of), finds=one.finds or other.finds)


def _not(one: Query) -> Query:
    return Query(f"NOT ({one.text})", lambda of: not one.means(of), finds=False)


def _grown(smaller: st.SearchStrategy[Query]) -> st.SearchStrategy[Query]:
    return st.one_of(
        st.builds(_joined, smaller, smaller, st.sampled_from(["AND", "OR", ""])),
        smaller.filter(lambda query: query.finds).map(_not),
    )


TERM = st.sampled_from(_TERMS)
GROUP = st.lists(TERM, min_size=1, max_size=3)
GROUPS = st.lists(GROUP, min_size=2, max_size=3)
WITHIN = st.integers(1, 4)
QUERIES = st.recursive(
    TERM.map(_term) | st.builds(_near, GROUPS, WITHIN, st.sampled_from(["NEAR", "BEFORE"])), _grown, max_leaves=5
).filter(lambda query: query.finds)
TEXT = st.lists(st.sampled_from([*_VOCABULARY, _SOLID, "other", "\n", "."]), max_size=18).map(" ".join)
ARTICLES = st.builds(lambda title, text: article(title=title.replace("\n", " "), text=text), TEXT, TEXT)


@st.composite
def watched(draw: st.DrawFn) -> tuple[Topic, Query | None]:
    """Return a topic with some clauses, at least one of them positive, and its query."""
    query = draw(st.none() | QUERIES)
    near = draw(
        st.lists(st.builds(lambda g, w: Near(groups=tuple(map(tuple, g)), within=w), GROUPS, WITHIN), max_size=1)
    )
    lists = {name: tuple(draw(st.lists(TERM, max_size=2))) for name in ("any", "all", "none")}
    if not (query or near or lists["any"] or lists["all"]):
        lists["any"] = (draw(TERM),)
    anchors = tuple(map(tuple, draw(st.lists(GROUP, max_size=2))))
    made = topic(id="t", anchors=anchors, near=tuple(near), query=query.text if query else "", **lists)
    return made, query


def _expected(watch: Topic, query: Query | None, of: Article) -> Reason:
    naive = Naive(of)
    if not all(any(naive.hits(term) for term in group) for group in watch.anchors):
        return Reason.ANCHOR_MISSING
    clauses: Iterator[bool] = iter(
        [
            not watch.any or any(naive.hits(term) for term in watch.any),
            all(naive.hits(term) for term in watch.all),
            all(naive.is_near([list(group) for group in near.groups], near.within) for near in watch.near),
            query is None or query.means(naive),
        ]
    )
    if not all(clauses):
        return Reason.NO_MATCH
    return Reason.EXCLUDED if any(naive.hits(term) for term in watch.none) else Reason.MATCHED


@settings(max_examples=250)
@given(watched(), ARTICLES)
def test_a_topic_says_what_trying_everything_says(watch: tuple[Topic, Query | None], of: Article) -> None:
    """Anchors, lists, windows, queries and vetoes agree with a definition that has no index and no short cut."""
    (answer,) = compile_topics([watch[0]]).judge(of)
    assert answer.reason is _expected(*watch, of), answer.clause


@settings(max_examples=100)
@given(st.lists(watched(), max_size=6), st.lists(ARTICLES, min_size=1, max_size=3))
def test_match_is_judge_without_the_noes(watches: list[tuple[Topic, Query | None]], articles: list[Article]) -> None:
    """The index wakes every topic that matches, and answers come in the order of the ids."""
    percolator = compile_topics([replace(watch, id=f"t{10 - nth}") for nth, (watch, _) in enumerate(watches)])
    for of in articles:
        answers = percolator.judge(of)
        assert [answer.topic_id for answer in answers] == sorted(t.id for t in percolator.topics)
        assert percolator.match(of) == [answer for answer in answers if answer.matched]


@settings(max_examples=100)
@given(
    st.lists(watched(), min_size=1, max_size=4),
    ARTICLES,
    st.dictionaries(st.sampled_from(_VOCABULARY), st.floats(0, 1)),
)
def test_frequencies_never_change_an_answer(
    watches: list[tuple[Topic, Query | None]], of: Article, frequencies: dict[str, float]
) -> None:
    """They only decide under which words a topic is filed."""
    topics = [replace(watch, id=f"t{nth}") for nth, (watch, _) in enumerate(watches)]
    counted = compile_topics(topics, frequency=lambda word: frequencies.get(word, 0.0))
    assert counted.match(of) == compile_topics(topics).match(of)


@settings(max_examples=100)
@given(watched(), ARTICLES)
def test_evidence_lies_in_the_article(watch: tuple[Topic, Query | None], of: Article) -> None:
    """Each span holds what it says, at most five come, no two overlap, and a match has at least one."""
    (answer,) = compile_topics([watch[0]]).judge(of)
    found = answer.evidence
    assert all(getattr(of, e.field)[e.start : e.end] == e.text for e in found)
    assert (1 if answer.matched else 0) <= len(found) <= (5 if answer.matched else 0)
    spans = sorted((e.field, e.start, e.end) for e in found)
    assert all(a[0] != b[0] or a[2] <= b[1] for a, b in pairwise(spans))


@settings(max_examples=100)
@given(watched(), ARTICLES)
def test_scores_lie_on_their_side_of_the_operating_point(watch: tuple[Topic, Query | None], of: Article) -> None:
    """A match has 0.8 or 0.9 and says by what, anything else stays below 0.5 and names the clause."""
    (answer,) = compile_topics([watch[0]]).judge(of)
    assert answer.clause
    assert answer.score in {0.8, 0.9} if answer.matched else 0 <= answer.score < 0.5
    assert answer.by == ("rule" if answer.matched else "")


def test_a_topic_is_woken_by_its_rarest_word_only() -> None:
    """Common words that a topic also needs do not cost an article anything."""
    percolator = compile_topics(
        [topic(id=f"t{nth}", any=("common",), all=(f"rare{nth}",)) for nth in range(50)],
        frequency=lambda word: 0.4 if word == "common" else 0.001,
    )
    index = percolator._index("en")
    woken = index.woken(index.read(article(title="common", text="rare7")).atoms)
    assert woken == [sorted(f"t{nth}" for nth in range(50)).index("t7")]
    assert percolator.unindexed == ()


def test_a_phrase_is_filed_under_its_rarest_word() -> None:
    """A phrase with a common word in it must not wake its topic on every article."""
    percolator = compile_topics([topic(any=("question of the", "the red line"))])
    index = percolator._index("en")
    assert percolator.unindexed == ()
    assert index.woken(index.read(article(title="the", text="of")).atoms) == []
    assert index.woken(index.read(article(title="the", text="question")).atoms) == [0]


def test_topics_that_every_article_wakes_are_counted() -> None:
    """A topic whose rarest word is common is checked always, is named, and still answers rightly."""
    percolator = compile_topics([topic(id="loud", any=("the",)), topic(id="fine", any=("missile",))])
    assert percolator.unindexed == ("loud",)
    assert [m.topic_id for m in percolator.match(article(title="", text="The end"))] == ["loud"]
    assert percolator.match(article(title="", text="An end")) == []


def test_topics_with_one_id_are_refused() -> None:
    """Two topics of one name would answer for each other."""
    with pytest.raises(RuleError, match="two topics have the id missiles"):
        compile_topics([topic(), topic(any=("rocket",))])


def test_a_topic_with_a_mistake_is_refused_by_name() -> None:
    """Nothing is compiled half."""
    with pytest.raises(RuleError, match=r"any\[1\]: column 1: topic missiles: .*2 letters"):
        compile_topics([topic(any=("fine", "n*"))])


def test_no_topics_match_nothing() -> None:
    """An empty file of topics is no error."""
    percolator = compile_topics([])
    assert (percolator.match(article()), percolator.judge(article()), percolator.unindexed) == ([], [], ())


def test_words_are_compared_in_the_language_of_the_article() -> None:
    """German plurals meet German singulars, while the same topic goes on in English."""
    percolator = compile_topics([topic(any=("Verhandlung", "talk"))])
    assert percolator.match(article(title="", text="Die Verhandlungen beginnen", language="de-AT"))
    assert percolator.match(article(title="", text="They talked", language="en"))
    assert not percolator.match(article(title="", text="Die Verhandlungen beginnen", language="en"))


def test_labels_of_unknown_languages_share_one_index() -> None:
    """A page cannot make the percolator grow by inventing languages."""
    percolator = compile_topics([topic()])
    for language in ("xx", "yy", "zz-ZZ", "q" * 100):
        percolator.match(article(language=language))
    assert len(percolator._indexes) == 1


@pytest.mark.parametrize("text", ["missile " * 30_000, "missile talks " * 15_000, "a\n" * 30_000, "mis" * 60_000])
def test_a_hostile_article_is_answered(text: str) -> None:
    """Repetition without end costs one pass and gives at most five pieces of evidence."""
    near = (Near(groups=(("missile",), ("missile", "talks"), ("talks", "missile talks")), within=5),)
    watch = topic(any=("missile*", "talks missile talks"), near=near, query="missile NEAR/1000 (talk OR missile)")
    (answer,) = compile_topics([watch]).judge(article(title="", text=text))
    assert len(answer.evidence) <= 5


@settings(max_examples=100)
@given(watched(), ARTICLES)
def test_no_word_is_quoted_twice(watch: tuple[Topic, Query | None], of: Article) -> None:
    """Pieces of evidence of one match do not overlap, although several terms may hold in one word."""
    for answer in compile_topics([watch[0]]).match(of):
        spans = sorted((piece.field, piece.start, piece.end) for piece in answer.evidence)
        assert all(one[0] != other[0] or one[2] <= other[1] for one, other in pairwise(spans))


def test_a_word_that_two_terms_find_is_quoted_once() -> None:
    """The word as such and the wildcard both hold in it."""
    (answer,) = compile_topics([topic(any=("alpha", "al*"))]).match(article(title="", text="Alpha of alps."))
    assert [piece.text for piece in answer.evidence] == ["Alpha", "alps"]
