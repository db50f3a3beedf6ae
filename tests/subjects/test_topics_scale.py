"""Thousands of topics at once: the index and its short cuts change nothing but the time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.bench.percolator import World, asked_in_turn, written
from tests.builders import article, topic
from worker.model import Reason
from worker.text import fold, terms
from worker.topics import compile_topics
from worker.topics.concordance import Concordance
from worker.topics.lexicon import NOTHING, Lexicon
from worker.topics.positions import Positions
from worker.topics.terms import read_term


@pytest.mark.parametrize("seed", [1, 2])
def test_two_thousand_topics_say_what_asking_each_in_turn_says(seed: int) -> None:
    """Two hundred articles meet the same topics, and every piece of evidence is a word that its topic asks for."""
    world = World(seed)
    groups = [world.groups(common=True) for _ in range(2_000)]
    naive = [[frozenset(terms(" ".join(group))) for group in topic] for topic in groups]
    wanted = {f"topic-{nth:06}": frozenset().union(*topic) for nth, topic in enumerate(naive)}
    percolator = compile_topics(map(written, count(), groups))
    met = 0
    for _ in range(200):
        of = world.article()
        answers = percolator.match(of)
        met += len(answers)
        assert [answer.topic_id for answer in answers] == asked_in_turn(naive, of)
        for answer in answers:
            assert answer.evidence
            assert all(getattr(of, e.field)[e.start : e.end] == e.text for e in answer.evidence)
            assert all(fold(e.text) in wanted[answer.topic_id] for e in answer.evidence)
    assert met > 1_000


def test_few_topics_are_looked_at_in_vain() -> None:
    """Topics that ask for plain words are woken only by articles that meet them."""
    world = World(3)
    percolator = compile_topics(written(nth, world.groups(common=True)) for nth in range(2_000))
    index = percolator._index("en")
    articles = [world.article() for _ in range(20)]
    met = [len(percolator.match(of)) for of in articles]
    assert [len(index.woken(Concordance(of, index.lexicon).atoms)) for of in articles] == met
    assert sum(met) > 100


def test_a_topic_of_another_language_is_judged_without_being_indexed() -> None:
    """Its words are not looked for, and the answer names the language."""
    percolator = compile_topics([topic(any=("missile",), languages=("en",)), topic(id="other", any=("Rakete",))])
    answers = percolator.judge(article(title="", text="Die Raketen", language="de"))
    assert [answer.reason for answer in answers] == [Reason.OTHER_LANGUAGE, Reason.MATCHED]


def lexicon(*sources: str) -> Lexicon:
    """Return an English lexicon of some terms."""
    made = Lexicon("en")
    for source in sources:
        made.add(read_term(source))
    return made


def test_a_word_has_one_code_however_many_terms_ask_for_it() -> None:
    """Nothing, an atom, or a number below nothing that stands for several atoms."""
    made = lexicon("missile", "=missiles", "missil*", "rocket")
    several = made["Missiles"]
    assert made["weather"] == NOTHING
    assert made["rockets"] >= 0
    assert several < NOTHING
    assert {made.names[atom] for atom in made.several[several]} == {fold("missile"), "missiles", "missil*"}
    assert made["MISSILES"] == several != made["missile"] < NOTHING


def test_codes_outlive_what_a_lexicon_remembers_of_words() -> None:
    """A lexicon that has to forget gives the same words the same codes again."""
    made = lexicon("missile", "missil*")
    before = made["missile"]
    made.clear()
    assert made["missile"] == before


@given(st.lists(st.sampled_from([NOTHING, *range(13), -2, -3]), max_size=40), st.permutations(range(13)))
def test_positions_are_the_same_however_many_are_asked_for(codes: list[int], asked: list[int]) -> None:
    """The first atoms are looked for one by one and the rest in a table; a word of several atoms counts for each."""
    several = {-2: (0, 1, 12), -3: (1, 5)}
    found = Positions(codes, several)
    for atom in asked:
        assert found[atom] == [(t, t) for t, code in enumerate(codes) if code == atom or atom in several.get(code, ())]


def test_answers_do_not_depend_on_what_was_asked_before() -> None:
    """What a percolator remembers of words and rules changes no answer."""
    world = World(4)
    topics = [written(nth, world.groups(common=True)) for nth in range(300)]
    articles = [world.article() for _ in range(20)]
    used = compile_topics(topics)
    for of in articles:
        used.judge(of)
    fresh: Iterator[object] = (compile_topics(topics).match(of) for of in articles[:3])
    assert [used.match(of) for of in articles[:3]] == list(fresh)
    other = replace(articles[0], id="again")
    assert [m.evidence for m in used.match(other)] == [m.evidence for m in used.match(articles[0])]
