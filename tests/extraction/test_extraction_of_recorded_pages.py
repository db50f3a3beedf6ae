"""Recorded texts must come back from the pages that the replay makes of them."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.articles import Extract, extract
from worker.replay.furniture import furnish
from worker.replay.pages import page, paragraphs
from worker.replay.recording import load
from worker.replay.web import RecordedArticle
from worker.text import terms

SEEDS = Path(__file__).parents[2] / "seeds"
#: One outlet for each of the three plans by which pages are built.
OUTLETS = {furnish(name).style: name for name in ("The Mill", "Seaside Echo", "Outlet 3", "Outlet 5", "Outlet 8")}
_SHORT = {
    "three-lines": "Talks end in Oman\nBoth sides met for an hour.\nNo date was set for another round.",
    "one-paragraph": "The council voted on Monday to keep the ferry, by nine votes to four.",
    "quotes-and-lists": "A line above\n“We will not,” he said.\n1. a point\n2. a point\nHe left <b>early</b> & alone.",
    "four-words": "The minister has resigned.",
    "chinese": "外交部发言人周一表示，导弹计划不容谈判。\n他说这是防御性的。",
    "arabic": "قال المتحدث إن البرنامج الصاروخي غير قابل للتفاوض.",
}


def an_article(text: str, *, outlet: str = "The Mill", title: str = "A headline of its own") -> RecordedArticle:
    """Return a recorded article whose fields do not matter apart from those given."""
    return RecordedArticle(
        id="1",
        url="https://x.example/1",
        title=title,
        text=text,
        outlet=outlet,
        published_at=datetime(2026, 2, 11, tzinfo=UTC),
    )


def read(article: RecordedArticle, *, marked: bool = True) -> Extract:
    """Return what is read from the page of ``article``, with or without the publisher's mark of the body."""
    body = page(article)
    if not marked:
        assert b"articleBody" in body
        body = body.replace(b' itemprop="articleBody"', b"")
    read_ = extract(body, url=article.url, charset="utf-8")
    assert isinstance(read_, Extract), read_
    return read_


def f1(found: str, wanted: str) -> float:
    """Return the F1 of the words of ``found`` against those of ``wanted``, as multisets."""
    one, other = Counter(terms(found)), Counter(terms(wanted))
    return 2 * (one & other).total() / (one.total() + other.total())


def test_the_three_plans_of_pages_are_all_tried() -> None:
    """The outlets of these tests stand for every way in which pages are built."""
    assert sorted(OUTLETS) == [0, 1, 2]


@pytest.mark.parametrize("number", range(5))
@pytest.mark.parametrize("outlet", [None, *OUTLETS.values()])
@pytest.mark.parametrize("marked", [True, False], ids=["marked", "unmarked"])
def test_a_seed_comes_back_from_its_page(number: int, outlet: str | None, *, marked: bool) -> None:
    """At least 98 of 100 words are the seed's own, and nothing of the furniture is among them."""
    seed = load(SEEDS).articles[number]
    shown = seed if outlet is None else an_article(seed.text, outlet=outlet, title=seed.title)
    found = read(shown, marked=marked)
    assert f1(found.text, seed.text) >= 0.98
    assert [sentence for sentence in furnish(shown.outlet).sentences() if sentence in found.text] == []


@pytest.mark.parametrize("text", _SHORT.values(), ids=_SHORT)
@pytest.mark.parametrize("outlet", OUTLETS.values())
@pytest.mark.parametrize("marked", [True, False], ids=["marked", "unmarked"])
def test_a_short_text_comes_back_as_it_was(text: str, outlet: str, *, marked: bool) -> None:
    """A brief is not lost among the furniture, whether or not the publisher marks its body."""
    assert read(an_article(text, outlet=outlet), marked=marked).text == text


def test_a_text_that_begins_with_its_headline_shows_it_once() -> None:
    """The headline is the heading of the page and no paragraph of it."""
    article = an_article(_SHORT["three-lines"], title="Talks End in Oman")
    assert page(article).decode().count("Talks") == 3  # <title>, og:title, h1
    assert read(article).text == "\n".join(paragraphs(article)) == article.text.partition("\n")[2]


_WORD = st.text(st.characters(categories=["Lu", "Ll", "Lo", "Nd"]), min_size=1, max_size=12)
_PARAGRAPH = st.lists(_WORD, min_size=4, max_size=40).map(lambda words: " ".join(words) + ".")
_PAGES = st.lists(_PARAGRAPH, min_size=1, max_size=12, unique=True).map("\n".join)


@settings(max_examples=60, deadline=None)
@given(_PAGES, st.sampled_from(sorted(OUTLETS.values())))
def test_any_text_comes_back_from_its_page(text: str, outlet: str) -> None:
    """Whatever the script and the length, the words of the page's text are the words recorded."""
    article = an_article(text, outlet=outlet)
    # Words thrown together may be those of an error page; their text is kept then too.
    found = extract(page(article), url=article.url, charset="utf-8")
    assert f1(found.text, text) >= 0.98
    assert [sentence for sentence in furnish(outlet).sentences() if sentence in found.text] == []


@given(st.text(max_size=200), st.text(max_size=40), st.text(max_size=20))
def test_a_page_can_be_made_and_read_of_anything(text: str, title: str, outlet: str) -> None:
    """Control characters, halves of characters and markup in a recording break neither page nor reader."""
    article = an_article(text, outlet=outlet, title=title)
    assert page(article) == page(article)
    extract(page(article), url=article.url, charset="utf-8")


def test_the_page_gives_date_language_and_headline() -> None:
    """What a feed may leave out, the page of a recorded article says."""
    seed = load(SEEDS).articles[0]
    found = read(seed)
    assert (found.title, found.language, found.published_at) == (seed.title, "en", seed.published_at)
