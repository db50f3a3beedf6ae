"""Shortcuts of stories find what the long way finds: a bound, or a look at the words, never changes an answer."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from functools import cache

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.builders import article
from worker.model import Article
from worker.stories import comparing, grouping, model, numbers, origins, rarity, statements
from worker.stories.features import Features, features
from worker.stories.small import small
from worker.stories.statements import Statements
from worker.text import first_sentences, fold, sentences
from worker.training import told

MODEL, RARITY = model.load(), rarity.load()
_TENS, _ONES = "|".join(numbers._TENS), "|".join(numbers._ONES)
_SMALL = "|".join(word for word in numbers._ONES if word not in {"zero", "one"})
#: Every number in one pattern, as a reader would write it.
_NUMBER = re.compile(
    rf"""(?<![\w.,:/])(?P<digits>\d{{1,3}}(?:,\d{{3}})+(?:\.\d+)?|\d{{1,15}}(?:\.\d{{1,6}})?)(?![\d:/]|[.,]\d)
    |\b(?P<word>(?:{_TENS})(?:-(?:{_ONES}))?|{_SMALL}|dozen)\b""",
    re.VERBOSE | re.IGNORECASE,
)
_PARTS = (
    *("two", "Seventy", "seventy-one", "nineteen", "six", "sixty-sixth", "dozen", "one", "ſix", "twothree"),
    *("12,345", "1,234.5", "3", "14", "2019", "1234567890123456", "٣", "hundred", "million", "bn", "percent"),
    *(".", ",", ":", "/", "-", " ", " ", " ", "\n", "x", "é", "dead", "other "),
)


@given(st.lists(st.sampled_from(_PARTS), max_size=12).map("".join))
def test_numbers_are_those_that_one_pattern_finds(text: str) -> None:
    """Digits and words are sought each for itself."""
    found = [(number.start, number.end, number.value) for number in numbers.numbers(text, "en")]
    assert found == [(match.start(), *_value(text, match)) for match in _NUMBER.finditer(text)]


def _value(text: str, match: re.Match[str]) -> tuple[int, float]:
    word = small(match["word"] or "")
    tens, _, ones = word.partition("-")
    known = numbers._TENS | numbers._ONES | {"dozen": 12}
    value = (
        float(match["digits"].replace(",", "")) if match["digits"] else float(known.get(tens, 0) + known.get(ones, 0))
    )
    end = match.end()
    while scale := re.compile(numbers._SCALE.pattern, re.IGNORECASE).match(text, end):
        value, end = value * numbers._SCALES[small(scale[1])], scale.end()
    return end, value


def plainly(title: str, text: str) -> Statements:
    """Return what an article says, by a search for every form in each of its parts."""
    spans = first_sentences(text, 2)
    beginning, whole = f"{title}.\n{text[: spans[-1][1]] if spans else ''}", f"{title}.\n{text}"
    after = re.compile(statements._AFTER.pattern, re.VERBOSE | re.IGNORECASE).search(beginning)
    return Statements(
        tolls=_tolls(beginning),
        all_tolls=_tolls(whole),
        acts=_acts(beginning),
        titled=frozenset(_acts(title)),
        all_acts=frozenset(_acts(whole)),
        after=" ".join(after.group().lower().split()) if after else "",
        speech=bool(statements._SPEECH.search(title)),
    )


def _acts(text: str) -> dict[str, str]:
    return {name: found.group().lower() for name, form in _plain_acts().items() if (found := form.search(text))}


@cache
def _plain_acts() -> dict[str, re.Pattern[str]]:
    """Return every act as one pattern, as a reader would write it."""
    return {name: re.compile(rf"\b(?:{words})\b", re.IGNORECASE) for name, words in statements._ACTS.items()}


def _tolls(text: str) -> dict[str, float]:
    return statements._tolls(text, small(text), numbers.numbers(text, "en"), list(statements._TOLL), "en")


@st.composite
def phrases(draw: st.DrawFn) -> str:
    """Draw what one of the patterns finds, or something else that stands in news."""
    table = draw(st.sampled_from([statements._ACTS, statements._TOLLS]))
    forms = [form for words in table.values() for form in statements._split(words, "|")]
    said = st.sampled_from(forms).flatmap(lambda form: st.from_regex(re.compile(form, re.IGNORECASE), fullmatch=True))
    return draw(said | st.sampled_from(["in", "over", "the", "14", "three", "within", "illness", "2019", "custody"]))


# Strategies of many patterns are slow to make on a busy machine.
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    st.lists(phrases(), max_size=3).map(" ".join),
    st.lists(
        st.tuples(phrases(), st.sampled_from([" ", " ", " ", ". ", ". The ", "\n", ", ", "。", "-", ""])), max_size=8
    ),
)
def test_statements_are_those_that_every_pattern_finds(title: str, parts: list[tuple[str, str]]) -> None:
    """Which patterns are tried is seen from the words of the text."""
    text = "".join(phrase + mark for phrase, mark in parts)
    assert statements.statements(title, text, "en") == plainly(title, text)


@cache
def _labelled() -> Sequence[Article]:
    return [one.article for one in told.training()]


def test_statements_of_real_articles_are_those_that_every_pattern_finds() -> None:
    """All articles of the training events, of which most have acts and tolls."""
    found = [statements.statements(one.title, one.text, one.language) for one in _labelled()]
    assert found == [plainly(one.title, one.text) for one in _labelled()]
    assert sum(bool(one.all_acts) for one in found) > len(found) / 2
    assert sum(bool(one.all_tolls) for one in found) > 40


@pytest.mark.parametrize(("name", "first"), [("resignation", "steps"), ("inquiry", "opened"), ("release", "pulled")])
def test_a_form_of_several_words_needs_all_of_them(name: str, first: str) -> None:
    """One of them alone is no reason to look for it."""
    assert name not in statements._possible(f"they {first} here.")[0]
    assert name in statements._possible(f"they {first} down a probe alive.")[0]


@given(st.text(st.sampled_from("aZ_9 .'’‘“”–—…\u00a0é\nßІ٣"), max_size=30))
def test_words_are_those_that_a_pattern_finds(text: str) -> None:
    """Also between the marks of printed English, and where letters are no ASCII."""
    assert statements._words(text) == re.findall(r"\w+", text)


def test_forms_begin_with_a_letter_that_must_be_there() -> None:
    """Else the first letter would be sought of something that may be left out, or may be another."""
    forms = [form for words in statements._ACTS.values() for form in statements._split(words, "|")]
    begun = [one for form in forms for one in statements._beginnings(form)]
    assert len(begun) > len(forms) > 100
    assert all(re.match(r"[a-z](?![?*+{])", one) for one in begun)


@given(st.text(st.characters(codec="utf-8") | st.sampled_from("İıſKSsiI"), max_size=12), st.sampled_from("abikost"))
def test_small_letters_are_found_where_case_is_ignored(text: str, letter: str) -> None:
    """At the same places, whatever stands around them; "ſ" is an "s", and the "İ" of Turkish an "i"."""
    for pattern in (letter, rf"\b{letter}", rf"{letter}\w"):
        plain = [found.span() for found in re.finditer(pattern, text, re.IGNORECASE)]
        assert [found.span() for found in re.finditer(pattern, small(text))] == plain


def test_a_number_in_odd_letters_is_a_number() -> None:
    """A text of a hostile page has no other words than another."""
    assert [number.value for number in numbers.numbers("ſeven thouſand", "en")] == [7000.0]
    odd = article(text="Five thouſand people fled on ſunday.")
    assert features(odd, rarity=RARITY).day == "sun"


def test_what_an_attribution_needs_stands_in_every_one() -> None:
    """In all sentences of the training articles; and some form finds something in many of them."""
    found = 0
    for sentence in (one.text[start:end] for one in _labelled() for start, end in sentences(one.text)):
        for form, needed in origins._FORMS:
            if form.search(sentence):
                assert any(word in sentence for word in needed), (form.pattern, sentence)
                found += 1
    assert found > 100


@cache
def _features() -> Sequence[Features]:
    return [features(one, rarity=RARITY) for one in _labelled()[:120]]


def _dot(a: dict[str, float], b: dict[str, float]) -> float:
    return sum(weight * b.get(term, 0.0) for term, weight in a.items())


def _share(wanted: dict[str, float], found: Iterable[str], nothing: float = 0.3) -> float:
    there = set(found)
    return sum(weight for term, weight in wanted.items() if term in there) / sum(wanted.values()) if wanted else nothing


@settings(deadline=None)  # the features are made when they are first asked for
@given(st.integers(0, 119), st.integers(0, 119))
def test_likeness_is_what_its_words_say(one: int, other: int) -> None:
    """Some of its figures, worked out from what the ledger keeps, term by term."""
    a, b = _features()[one], _features()[other]
    found = comparing.compare(a, b)
    rare = [a.rarity[term] - 3.0 for term in a.rarity if term in b.rarity and a.rarity[term] > 3.0]
    assert found.shared_words == pytest.approx(math.log1p(sum(each**2 for each in rare)) / 5)
    assert found.full == pytest.approx(_dot(dict(a.full_vector), dict(b.full_vector)))
    title = [
        _share({x.sounds.get(term, term): x.rarity[term] ** 2 for term in x.title}, y.all_heard)
        for x, y in ((a, b), (b, a))
    ]
    assert [found.title_least, found.title_most] == pytest.approx(sorted(title))
    assert found == pytest.approx(comparing.compare(b, a))


@settings(deadline=None)
@given(
    st.integers(0, 113),
    st.lists(st.integers(0, 6), min_size=1, max_size=4),
    st.lists(st.integers(0, 119), max_size=2),
    st.floats(0.01, 0.9),
)
def test_who_has_too_little_in_common_is_known_before_comparing(
    one: int, near: list[int], far: list[int], least: float
) -> None:
    """The greatest likeness of leads, and of names with content, over a group; articles beside each other are alike."""
    mine, many = _features()[one], [_features()[other] for other in (*(one + step for step in near), *far)]
    likest = grouping.against(mine, many).greatest
    lead, both = (likest[comparing.Likeness._fields.index(figure)] for figure in ("lead", "both"))
    assert comparing.strangers(mine, many, least) is (lead + both < least)
    score = MODEL.score(grouping.against(mine, many))
    assert grouping.score(mine, many, MODEL) == pytest.approx(score)


@settings(deadline=None)
@given(st.lists(st.integers(0, 119), min_size=1, max_size=7, unique=True))
def test_what_is_remembered_of_comparisons_changes_no_group(places: list[int]) -> None:
    """A memory that has seen the first article beside all others groups them as one without."""
    articles = [_features()[place] for place in places]
    alike = grouping.remembered()
    assert grouping.against(articles[0], articles, alike) == grouping.against(articles[0], articles)
    assert alike(articles[-1], articles[0]) is alike(articles[0], articles[-1])
    assert grouping.groups(articles, MODEL, alike) == grouping.groups(articles, MODEL)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=30), st.integers(1, 4))
def test_a_memory_that_starts_anew_answers_the_same(pairs: list[tuple[int, int]], most: int) -> None:
    """However few pairs it keeps."""
    alike = grouping.remembered(most)
    for one, other in pairs:
        a, b = _features()[one], _features()[other]
        assert alike(a, b) == pytest.approx(comparing.compare(a, b))


def test_what_is_worked_out_is_there_when_it_is_asked_for() -> None:
    """In any order, the same each time, and of two values that are equal each has its own."""
    one, same = (features(_labelled()[0], rarity=RARITY) for _ in range(2))
    assert one == same
    assert one.serial != same.serial
    assert one.copied is one.copied
    assert (one.full_vector, one.name_vector) == (same.full_vector, same.name_vector)
    with pytest.raises(AttributeError, match="Features has no vector"):
        getattr(one, "vector")  # noqa: B009 - mypy would refuse it


def test_a_weight_is_the_logarithm_of_how_many_texts_there_are_for_one() -> None:
    """Of a term that the table has, and of one that nobody has."""
    table = rarity.Rarity(texts=99, counts={fold("dam"): 4})
    assert table("dam") == pytest.approx(math.log(100 / 4.5))
    assert table("karvel") == pytest.approx(math.log(100 / 0.5))


def test_an_article_without_words_has_features() -> None:
    """And is like nothing, not even itself."""
    empty = features(article(title="", text=""), rarity=RARITY)
    assert empty == Features.nothing()
    assert grouping.score(empty, [empty], MODEL) == model.STRANGERS
