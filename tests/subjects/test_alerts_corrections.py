"""What was wrong with what was told of an article."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import NOON, alert, article, at, match
from worker.alerts.corrections import Change, also, changed, correction, told_in
from worker.alerts.timing import Due
from worker.model import Alert, Article, Evidence, Role

TITLE = "Ostria fires a missile"
TEXT = "Rain fell in Velmark. A missile was tested over the sea on Monday. Ferries stayed in port."
EVIDENCE = (Evidence(field="text", start=24, end=31, text="missile"),)
BEFORE = article(title=TITLE, text=TEXT)
SENTENCE = "A missile was tested over the sea on Monday."


def after(*, matches: bool = True, **changes: Any) -> Change:
    """Return what is to be corrected when the article has become another."""
    return changed(BEFORE, replace(BEFORE, **changes), evidence=EVIDENCE, matches=matches)


@pytest.mark.parametrize(
    "title",
    [
        TITLE,
        TITLE.upper(),
        f"  {TITLE}!",
        "Ostria fires a mis­sile",
        "“Ostria” fires: a missile",
        "Ostria ﬁres a missile",
    ],
    ids=["same", "capitals", "mark", "soft-hyphen", "quotes", "ligature"],
)
def test_case_spaces_and_punctuation_of_a_title_do_not_count(title: str) -> None:
    """Nobody is told of a comma."""
    assert not after(title=title)


@pytest.mark.parametrize("title", ["Ostria fires 2 missiles", "Ostria denies a missile", "Östria fires a missile"])
def test_another_title_is_a_correction(title: str) -> None:
    """A word, a number, a letter."""
    assert after(title=title).detail == f'title was "{TITLE}"'


def test_a_title_where_there_was_none_corrects_nothing() -> None:
    """What was told had none, and was not wrong."""
    assert not changed(article(title=""), article(title=TITLE), evidence=(), matches=True)


def test_evidence_that_is_gone_is_repeated_with_its_sentence() -> None:
    """The reader was shown it."""
    change = after(text="Rain fell in Velmark. Ferries stayed in port.")
    assert change == Change(sentence=SENTENCE)
    assert change.detail == f'the sentence "{SENTENCE}" is gone'


@pytest.mark.parametrize(
    "text",
    [
        TEXT.replace("Rain", "Snow"),
        TEXT.replace("on Monday", "on Tuesday"),
        TEXT.replace(". ", ".\n\n"),
        f"{TEXT} A second MISSILE followed.",
    ],
    ids=["another-sentence", "same-sentence", "paragraphs", "more"],
)
def test_evidence_that_still_stands_there_needs_no_correction(text: str) -> None:
    """Articles are touched up all day."""
    assert not after(text=text)


def test_a_sentence_that_says_the_opposite_with_the_same_words_is_gone() -> None:
    """When the article matches no longer, it is not enough that the word of the evidence stands somewhere."""
    text = TEXT.replace("A missile was", "No missile was")
    assert after(text=text, matches=False) == Change(sentence=SENTENCE)
    assert not after(text=text, matches=True)


def test_an_article_that_says_the_same_and_matches_no_longer_is_not_corrected() -> None:
    """It is the topic that has changed."""
    assert not after(text=f"{TEXT} More was to follow.", matches=False)


def test_one_of_several_pieces_of_evidence_is_enough_to_stand() -> None:
    """The match rests on it."""
    both = (*EVIDENCE, Evidence(field="text", start=0, end=4, text="Rain"))
    assert not changed(BEFORE, replace(BEFORE, text="Rain fell."), evidence=both, matches=True)


def test_without_evidence_nothing_can_be_gone() -> None:
    """A correction that told of an article that matched no longer had none."""
    assert not changed(BEFORE, replace(BEFORE, text="Nothing."), evidence=(), matches=False)


def test_evidence_that_was_not_where_it_said_is_repeated_alone() -> None:
    """The article may have changed before, when nobody looked."""
    moved = (replace(EVIDENCE[0], start=0, end=7),)
    assert changed(BEFORE, replace(BEFORE, text="Nothing."), evidence=moved, matches=False).sentence == "missile"


@given(st.text(max_size=400), st.text(max_size=400), st.text(max_size=50), st.text(max_size=400))
def test_a_correction_that_waits_can_be_read_back(title: str, sentence: str, now_title: str, now_text: str) -> None:
    """What its words say of title and sentence is what they were made of, as far as words are compared."""
    read = told_in(Change(title=title, sentence=sentence).detail)
    for given_, found in ((title, read.title), (sentence, read.sentence)):
        whole = Article(id="x", url="", title=given_, text=given_, outlet="", published_at=NOON)
        if len(" ".join(given_.split())) <= 300:
            again = replace(whole, title=found)
            assert not changed(whole, again, evidence=(), matches=True) or not found
    left = also(read, Change(), article(title=now_title, text=now_text))
    assert left.title in {read.title, ""}
    assert left.sentence in {read.sentence, ""}


def test_what_holds_again_is_not_corrected() -> None:
    """An article that was put back as it was leaves nothing of a correction that waits."""
    waiting = Change(title='"Ostria" fires a missile', sentence=SENTENCE)
    assert not also(told_in(waiting.detail), Change(title="Another"), BEFORE)
    assert also(told_in(waiting.detail), Change(), replace(BEFORE, text="Nothing.")) == Change(sentence=SENTENCE)


def test_of_several_changes_the_first_title_is_the_one_that_was_told() -> None:
    """The one in between nobody has seen."""
    later = replace(BEFORE, title="Third title")
    assert also(Change(title=TITLE), Change(title="Second title"), later).title == TITLE


def test_a_correction_is_an_alert_about_the_same_with_a_key_of_the_new_state() -> None:
    """The same state is told once; the evidence is that of the match as it is now."""
    told = alert(evidence=EVIDENCE, attempt=3, digest="d", repeat=True)
    now = replace(BEFORE, title="Ostria fires nothing")

    def of(state: Article, *, matches: bool = True) -> Alert:
        found = match() if matches else None
        return correction(told, Change(title=TITLE), article=state, match=found, due=Due(at=at(1)), now=at(1))

    made = of(now)
    assert (made.role, made.detail, made.due_at, made.created_at) == (
        Role.CORRECTION,
        f'title was "{TITLE}"',
        at(1),
        at(1),
    )
    assert (made.attempt, made.digest, made.repeat, made.evidence) == (0, None, False, match().evidence)
    assert of(replace(now, text="Other words.")).key == made.key
    gone = of(now, matches=False)
    assert (gone.score, gone.by, gone.evidence, gone.clause) == (0.0, "", (), "")
    assert len({made.key, gone.key, told.key, of(BEFORE).key}) == 4
