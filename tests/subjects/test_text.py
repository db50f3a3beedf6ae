"""Words, terms, spelling families and sentences."""

from __future__ import annotations

import re
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.text import (
    first_sentences,
    fold,
    folder,
    plain,
    sentences,
    spelling,
    squeeze,
    squeezed,
    stemmer,
    terms,
    tokens,
    words,
)
from worker.text.sentences import _ABBREVIATION, _is_abbreviation
from worker.text.spelling import _respelled

_LETTERS = "aAéÉßİıſǅﬁ’'ʼ\u00ad\u200b-‑. !?\n\r\t导弹โลกกำลัง0_१"
TEXTS = st.one_of(st.text(max_size=80), st.text(alphabet=_LETTERS, max_size=80))
LANGUAGES = st.sampled_from([None, "en", "en-GB", "de", "zh", "tr", "xx", ""])

#: Pieces that the spelling rules look for, and some that go before and after.
_PARTS = ["is", "ys", "our", "ogu", "re", "ence", "ae", "oe", "l", "ll", "e", "ed", "es", "er", "ers", "ing", "able"]
_PARTS += ["ation", "al", "s", "cent", "fib", "met", "theat", "dial", "duel", "arb", "col", "hon", "an", "p", "em"]
_PARTS += ["aem", "paed", "fuel", "travel", "catal", "anal", "def", "off", "lic", "organ", "real", "t"]

EQUAL = """programme program|programmes programs|defence defense|defenceless defenseless|centre center|centred centered
    |theatres theaters|neutralise neutralize|organisation organization|organised organizing|analyse analyze
    |paralysed paralyzed|labour labor|neighbourhood neighborhood|colourful colorful|dialogue dialog
    |catalogued cataloged|travelled traveled|fuelled fueled|counsellor counselor|councillors councilor
    |anaemia anemia|paediatric pediatric|haemorrhage hemorrhage|oestrogen estrogen|foetus fetus|manoeuvre maneuver
    |kilometres kilometer|sceptics skeptical|grey gray|ploughing plowing|judgement judgment|jewellery jewelry
    |licences license|practising practice|Baqaei Baghaei|Kiev Kyiv|Qaddafi Gaddafi|Hizbollah Hezbollah
    |Türkiye Turkey|Qur’an Koran|Zelenskyy Zelensky|missile's missiles|Iran’s Iran|naïve naive|café cafe
    |STRASSE Straße|co\u00adoperate cooperate"""
APART = """cheque check|tyre tire|tyre tired|kerb curb|draught draft|tonne ton|storey story|expertise expert
    |paradise parade|improvise improve|chilled Chile|stalled stale|paella pella|contour contort|four for|hour hor
    |flour flor|tour tor|pour por|wise wize|advise advice|premise premium|surprise prize|vogue vog|rogue rog
    |promise promenade|missile missing|nuclear unclear|precise price|wilful will|Iran Iraq|Niger Nigeria
    |talk talc|devour devote|enterprise enter|glamour glue|rumour room|detour detox|praise prize"""
#: What the stemmer joins by itself and the spelling rules must not part.
FAMILIES = """recall recalls recalled recalling|shell shells shelled shelling|install installs installed installing
    |control controls controlled controlling|promise promises promised promising|advise advises advised advising
    |exercise exercises exercised exercising|praise praised praising|surprise surprised surprises
    |franchise franchises franchised|devour devours devoured devouring|drill drills drilled drilling
    |compromise compromises compromised|organise organises organised organising|centre centres centred
    |colour colours coloured colouring|practise practises practised practising|mould moulds moulded
    |negotiate negotiated negotiation negotiating|cruise cruises cruised|supervise supervised supervising"""


def groups(listing: str) -> list[list[str]]:
    """Return the groups of words that ``listing`` parts by bars."""
    return [group.split() for group in listing.split("|")]


@pytest.mark.parametrize("pair", groups(EQUAL), ids=" ".join)
def test_spellings_of_one_word_are_one_term(pair: list[str]) -> None:
    """British and American forms, other romanisations, case, accents and possessives do not part a word."""
    assert len({fold(word) for word in pair}) == 1


@pytest.mark.parametrize("pair", groups(APART), ids=" ".join)
def test_words_that_mean_different_things_stay_apart(pair: list[str]) -> None:
    """A spelling rule must not make two real words equal."""
    assert fold(pair[0]) != fold(pair[1])


@pytest.mark.parametrize("family", groups(FAMILIES), ids=lambda family: family[0])
def test_the_forms_of_a_word_are_one_term(family: list[str]) -> None:
    """A spelling rule must not part what the stemmer joins."""
    assert len({fold(word) for word in family}) == 1


@given(TEXTS.map(squeeze))
def test_spelling_is_settled_after_one_step(word: str) -> None:
    """No spelling leads to another one, so both sides of a comparison meet."""
    assert spelling(spelling(word)) == spelling(word)


@pytest.mark.parametrize("word", [word for pair in groups(EQUAL) for word in pair])
def test_every_listed_spelling_is_settled_after_one_step(word: str) -> None:
    """No row of the table leads to another row."""
    once = spelling(squeeze(word))
    assert spelling(once) == once


@given(TEXTS, LANGUAGES)
def test_tokens_point_at_their_words(text: str, language: str | None) -> None:
    """Offsets are ordered, disjoint, lie in the text, and the word there folds to the term."""
    found = tokens(text, language)
    assert [token.term for token in found] == [fold(text[token.start : token.end], language) for token in found]
    edges = [edge for token in found for edge in (token.start, token.end)]
    assert edges == sorted(edges)
    assert all(token.start < token.end for token in found)
    assert not edges or (edges[0] >= 0 and edges[-1] <= len(text))


@given(TEXTS, LANGUAGES)
def test_terms_and_words_are_the_tokens_without_offsets(text: str, language: str | None) -> None:
    """The two fast ways say the same as the slow one."""
    found = tokens(text, language)
    assert terms(text, language) == [token.term for token in found]
    assert words(text) == [text[token.start : token.end] for token in found]


@given(TEXTS)
def test_a_plain_text_has_the_words_of_the_text_where_they_stand(text: str) -> None:
    """White space alone parts them, and squeezed they are the same."""
    made = plain(text)
    if made is not None:
        parted = made.decode("ascii")
        assert squeezed(parted.split()) == squeezed(words(text))
        assert [(t.start, t.end) for t in tokens(parted)] == [(t.start, t.end) for t in tokens(text)]
        assert (len(parted), parted.count("\n")) == (len(text), text.count("\n"))


def test_every_character_that_can_be_made_plain_keeps_its_words() -> None:
    """Alone, inside a word and before an apostrophe: all of Unicode."""
    made = [c for c in map(chr, range(sys.maxunicode + 1)) if (c.isalnum() or c < "\u3000") and plain(c) is not None]
    assert len(made) > 1_000
    for character in made:
        text = f"a{character}b {character} o{character}'s"
        assert squeezed((plain(text) or b"").decode("ascii").split()) == squeezed(words(text)), hex(ord(character))


@pytest.mark.parametrize(
    "text", ["Iran’s “red line” — again…", "Café, São Paulo’s £5", "don't 'quote' ''this''\n'or that'"]
)
def test_the_usual_signs_of_newspapers_can_be_made_plain(text: str) -> None:
    """Curly quotes, dashes and accents do not make a text slow."""
    assert plain(text) is not None


@pytest.mark.parametrize("text", ["Straße", "Путин", "导弹", "co\u00adoperate", "zero\u200bwidth"])
def test_a_text_with_letters_of_its_own_is_left_to_the_slow_way(text: str) -> None:
    """No letter is dropped or replaced by several."""
    assert plain(text) is None


@given(TEXTS, LANGUAGES)
def test_a_folder_folds(text: str, language: str | None) -> None:
    """The dictionary and the function agree, and squeezing many words is squeezing each."""
    assert [folder(language)[word] for word in words(text)] == [fold(word, language) for word in words(text)]
    assert squeezed(words(text)) == [squeeze(word) for word in words(text)]


@given(st.lists(st.sampled_from(_PARTS), max_size=5).map("".join))
def test_no_word_that_a_rule_changes_is_passed_over(word: str) -> None:
    """The quick look at a word finds every ending and letter on which the rules depend."""
    if spelling(word) == word:
        assert _respelled(word) == word


@given(
    st.lists(st.sampled_from(["approx", "Sept", "Mr", "e.g", "A", "xy", " ", "(", "é", "."]), max_size=5).map("".join)
)
def test_no_abbreviation_is_passed_over(before: str) -> None:
    """The quick look at the last letters before a mark never contradicts the search."""
    assert _is_abbreviation(f"{before}.") is bool(_ABBREVIATION.search(f"{before}."))


@given(TEXTS)
def test_no_letter_or_digit_is_lost_between_tokens(text: str) -> None:
    """Whatever is a word character belongs to a token."""
    covered = {place for token in tokens(text) for place in range(token.start, token.end)}
    assert all(place in covered for place, letter in enumerate(text) if re.match(r"\w", letter))


@given(TEXTS, TEXTS)
def test_lines_can_be_read_one_by_one(one: str, other: str) -> None:
    """A line break parts words, and what stands on one line does not change how another is read."""
    assert words(f"{one}\n{other}") == words(one) + words(other)


def test_a_hyphen_parts_words_and_an_apostrophe_does_not() -> None:
    """So that non-negotiable is found as two words, and isn't as one."""
    assert words("non-negotiable isn't Iran’s") == ["non", "negotiable", "isn't", "Iran’s"]


def test_scripts_without_spaces_have_a_token_a_character() -> None:
    """A phrase of such a script is then a sequence like any other."""
    assert words("导弹 test") == ["导", "弹", "test"]


@pytest.mark.parametrize(
    ("language", "code"),
    [(None, "en"), ("en-GB", "en"), ("en_US", "en"), ("DE", "de"), ("zh-Hans", ""), ("x" * 9, ""), ("", "en")],
)
def test_a_language_is_folded_by_its_primary_subtag(language: str | None, code: str) -> None:
    """Regions do not matter, and languages without a stemmer share one way of folding."""
    assert stemmer(language) == code


def test_british_english_has_the_spelling_families_too() -> None:
    """A region in the language of a feed must not switch them off."""
    assert fold("programmes", "en-GB") == fold("program", "en") == fold("program")


def test_a_language_has_its_own_stems() -> None:
    """German words are stemmed as German, and not at all where no stemmer is known."""
    assert fold("Verhandlungen", "de") == fold("Verhandlung", "de")
    assert fold("missiles", "zh") == "missiles"


@given(TEXTS, st.integers(0, 4))
def test_the_first_sentences_are_the_first_of_all(text: str, count: int) -> None:
    """To stop early changes nothing."""
    assert first_sentences(text, count) == sentences(text)[:count]


@given(TEXTS)
def test_sentences_are_ordered_and_lose_no_word(text: str) -> None:
    """Their spans do not overlap, have no white space around them, and hold all that is not white space."""
    spans = sentences(text)
    edges = [edge for span in spans for edge in span]
    assert edges == sorted(edges)
    assert all(text[a:b] and text[a:b] == text[a:b].strip() for a, b in spans)
    assert "".join("".join(text[a:b].split()) for a, b in spans) == "".join(text.split())


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("Mr. Smith met Gen. Lee. They talked.", 2),
        ("The U.S. Army left. It rained.", 2),
        ("He said “Never.” She left!", 2),
        ("Prices rose 3.5 percent. Why?", 2),
        ("A headline\nA sentence", 2),
        ("导弹。谈判。", 2),
        ("one sentence. but no capital", 1),
        ("", 0),
    ],
)
def test_sentences_end_where_a_reader_ends_them(text: str, count: int) -> None:
    """Abbreviations and figures do not end one; line breaks do."""
    assert len(sentences(text)) == count


@pytest.mark.parametrize(
    "unit", [".", '."', "a'", "'", "-", "\u200b", ". ", "?!", "\n ", "A.", "ß", "导", "a\u0301", "is", "—“"]
)
def test_long_runs_of_odd_characters_are_read_in_one_pass(unit: str) -> None:
    """A quarter of a million repetitions end, and give at most a token and a sentence each."""
    text = unit * 250_000
    assert len(words(text)) <= 250_000 * len(unit)
    assert len(sentences(text)) <= 250_001
    assert len(fold(text)) <= 200
