"""Thousands of topics at once: the index and its short cuts change nothing but the time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import count, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.bench.percolator import World, asked_in_turn, written
from tests.builders import article, topic
from worker.model import Reason
from worker.text import fold, sentences, terms, tokens
from worker.topics import compile_topics
from worker.topics.atoms import Atoms
from worker.topics.concordance import Concordance
from worker.topics.letters import LONGEST, halves, keys_of, words_of
from worker.topics.lexicon import NOTHING, Lexicon
from worker.topics.table import Table
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
    assert [len(index.woken(index.read(of).atoms)) for of in articles] == met
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
    made.forget()
    assert made["missile"] == before


@given(st.lists(st.sampled_from([NOTHING, *range(20), -2, -3]), max_size=40), st.permutations(range(20)))
def test_atoms_stand_where_they_do_however_many_are_asked_for(codes: list[int], asked: list[int]) -> None:
    """The first atoms are looked for one by one and the rest in a table; a word of several atoms counts for each."""
    several = {-2: (0, 1, 19), -3: (1, 5)}
    found = Atoms(np.array(codes, np.int64), 20, several)
    for atom in asked:
        spans = [(t, t) for t, code in enumerate(codes) if code == atom or atom in several.get(code, ())]
        assert found.has(atom) is bool(spans)
        assert found[atom] == spans


#: Plain texts have letters, digits and underscores, apostrophes inside a word, blanks and line breaks.
PLAIN = st.lists(st.from_regex(r"[a-z0-9_]+('[a-z0-9_]+)?", fullmatch=True) | st.sampled_from([" ", "\n", ""])).map(
    " ".join
)


@given(PLAIN | st.text("ab \n", max_size=200))
def test_words_are_found_as_numbers_where_they_are_found_as_strings(text: str) -> None:
    """In order and with their ends; words up to sixteen letters have the key that the word alone has."""
    words, found = text.split(), words_of(text.encode("ascii"))
    spans = list(zip(found.starts.tolist(), found.ends.tolist(), strict=True))
    assert [text[start:end] for start, end in spans] == words
    assert [found.word(nth) for nth in range(len(words))] == words
    assert all(" " not in text[before[1] : after[0]].strip() for before, after in pairwise(spans))
    short = [nth for nth, word in enumerate(words) if len(word) <= LONGEST]
    assert np.array_equal(halves(found.keys[short]), halves(keys_of([words[nth] for nth in short])))
    assert not halves(found.keys[[nth for nth in range(len(words)) if nth not in short]]).any()


@given(st.lists(st.text("ab'", min_size=1, max_size=LONGEST), min_size=2, max_size=2, unique=True))
def test_two_words_have_two_keys(pair: list[str]) -> None:
    """Also when one of them is the beginning of the other."""
    keys = keys_of(pair)
    assert halves(keys[:1]).tolist() != halves(keys[1:]).tolist()


@given(st.dictionaries(st.text("abcdé", max_size=LONGEST + 2), st.integers(-5, 5)), st.text("abcd \n", max_size=200))
def test_a_table_answers_as_its_dictionary_or_not_at_all(codes: dict[str, int], text: str) -> None:
    """Words that are not in it, that are too long or that found no room are named."""
    words = text.split()
    found, absent = Table(codes).codes(words_of(text.encode("ascii")).keys)
    answered = set(range(len(words))) - set(absent.tolist())
    assert all(found[nth] == codes[words[nth]] for nth in answered)
    assert answered <= {nth for nth, word in enumerate(words) if word in codes and len(word) <= LONGEST}


@pytest.mark.parametrize(("before", "after"), [("internat", ""), ("", "national")])
def test_words_that_begin_or_end_alike_are_told_apart(before: str, after: str) -> None:
    """Both integers of a key are compared: none of thousands of words is taken for another in its row."""
    words = [f"{before}{nth:08}{after}" for nth in range(6_000)]
    table = Table({word: nth for nth, word in enumerate(words[::2])})
    _, absent = table.codes(keys_of(words))
    assert {1 + 2 * nth for nth in range(3_000)} <= set(absent.tolist())


def test_a_table_has_room_for_nearly_all_words() -> None:
    """And what has none is not what was given first, which are the words that articles are full of."""
    words = [f"word{nth}" for nth in range(30_000)]
    table = Table({word: nth for nth, word in enumerate(words)})
    found, absent = table.codes(keys_of(words))
    assert len(absent) < 0.04 * len(words)
    assert sum(nth < 1_000 for nth in absent) < 3
    assert np.delete(found, absent).tolist() == np.delete(np.arange(len(words)), absent).tolist()


@given(st.lists(st.lists(st.sampled_from(["missile", "missiles", "rocket", "w" * 20, "x1"]), max_size=30), max_size=9))
def test_a_lexicon_says_of_many_words_what_it_says_of_each(texts: list[list[str]]) -> None:
    """Before a table is made and after, and when it has forgotten everything between."""
    made, fresh = lexicon("missile", "=missiles", "w" * 20), lexicon("missile", "=missiles", "w" * 20)
    several = {fresh.several[fresh[word]] for word in ("missiles",)}
    for nth, text in enumerate(texts):
        made._new += 1_000 * (nth % 2)
        if nth % 4 == 3:
            made.forget()
        codes = made.codes(words_of(" ".join(text).encode("ascii"))).tolist()
        assert [made.several.get(code, code) for code in codes] == [
            next(iter(several)) if word == "missiles" else fresh[word] for word in text
        ]


def test_a_page_of_a_million_words_does_not_fill_the_memory() -> None:
    """What is remembered of words has an end, in the dictionary and in the table."""
    made = lexicon("missile")
    for begin in range(0, 450_000, 50_000):
        made.codes(words_of(b" ".join(b"%x" % nth for nth in range(begin, begin + 50_000))))
        assert len(made) <= 200_000
        assert made._table.count <= 200_000


@given(st.text("ab. \n", max_size=12), st.text("ab.A\n é", max_size=60))
def test_the_head_is_the_title_and_two_sentences(title: str, text: str) -> None:
    """However their ends are found, by lines or by marks."""
    of = article(title=title, text=text)
    seen = Concordance(of, Lexicon("en"))
    stops = [end for _, end in sentences(text)[:2]]
    head = len(title) + 1 + max(stops, default=0)
    places = [token.start for token in tokens(f"{title}\n{text}")]
    wanted = [at < max(head, len(title) + 1) for at in places]
    assert [seen.is_in_head(nth) for nth in range(seen.count)] == wanted
    backwards = Concordance(of, Lexicon("en"))
    assert [backwards.is_in_head(nth) for nth in reversed(range(seen.count))] == wanted[::-1]


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
