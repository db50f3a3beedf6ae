from __future__ import annotations

from datetime import UTC, datetime

import pytest

from worker.articles.extraction import shorten, tidy
from worker.articles.head import choose_title, language_of, read_date, without_site
from worker.articles.trees import HTML_MAX, TAGS_MAX, bounded


@pytest.mark.parametrize(
    ("title", "site", "headline"),
    [
        ("Talks on arms end in Geneva | The Courier", "", "Talks on arms end in Geneva"),
        ("Talks on arms end in Geneva - BBC News", "", "Talks on arms end in Geneva"),
        ("Talks end – Courier", "Courier", "Talks end"),
        ("Iran - United States", "", "Iran - United States"),
        ("Exclusive : the minister resigns", "", "Exclusive : the minister resigns"),
        ("One - two - three four five | Site", "", "One - two - three four five"),
        ("Non-negotiable, says minister", "", "Non-negotiable, says minister"),
    ],
)
def test_the_name_of_the_site_is_no_part_of_the_headline(title: str, site: str, headline: str) -> None:
    """What stands behind the last separator goes if it is short; a headline with a dash stays whole."""
    assert without_site(title, site) == headline


@pytest.mark.parametrize(
    ("headings", "shared", "document", "title"),
    [
        (["Talks end - at last"], "", "Talks end - at last | Courier", "Talks end - at last"),
        (["The Courier", "Talks end"], "", "Talks end | The Courier", "Talks end"),
        (["More stories"], "Talks end in Geneva", "Geneva talks over | Courier", "Talks end in Geneva"),
        ([], "", "Talks end in Geneva today | Courier", "Talks end in Geneva today"),
        (["Only a heading"], "", "", "Only a heading"),
        ([], "", "", ""),
    ],
    ids=["heading-in-title", "second-heading", "shared", "document", "heading-alone", "nothing"],
)
def test_the_headline_is_what_heading_and_title_agree_on(
    headings: list[str], shared: str, document: str, title: str
) -> None:
    """Of all that calls itself a title, the heading that the document's title contains is the headline."""
    assert choose_title(headings=headings, shared=shared, document=document) == title


@pytest.mark.parametrize(
    ("tag", "code"),
    [("en-GB", "en"), ("FA", "fa"), ("pt_BR", "pt"), ("", None), ("english", None), ("x-default", None)],
)
def test_a_language_tag_gives_its_two_letter_code(tag: str, code: str | None) -> None:
    """Regions do not matter, and what is no code is not guessed at."""
    assert language_of(tag) == code


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-02-11T09:30:00+01:00", datetime(2026, 2, 11, 8, 30, tzinfo=UTC)),
        ("2026-02-11T09:30:00Z", datetime(2026, 2, 11, 9, 30, tzinfo=UTC)),
        ("2026-02-11", datetime(2026, 2, 11, tzinfo=UTC)),
        ("1970-01-01T00:00:00Z", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("yesterday", None),
    ],
)
def test_a_date_of_a_page_is_read_in_utc_or_not_at_all(text: str, moment: datetime | None) -> None:
    """Default values of publishing software are not dates."""
    assert read_date(text) == moment


def test_a_text_loses_the_headline_it_begins_with() -> None:
    """The headline is matched as a headline, and a text that repeats it would count it twice."""
    assert tidy("TALKS END\n\n  First   paragraph. \n- a point\n", titles=("Talks end",)) == "First paragraph.\na point"


def test_a_text_that_is_nothing_but_its_headline_is_kept() -> None:
    """Nothing is lost by taking away what is there twice."""
    assert tidy("Talks end", titles=("Talks end",)) == "Talks end"


def test_a_long_text_ends_with_a_sentence() -> None:
    """A cut inside of a sentence could turn its meaning round."""
    text = "The minister agreed. The minister did not agree to that."
    assert shorten(text, 40) == "The minister agreed."
    assert shorten(text, 400) == text


def test_a_page_above_the_limits_first_loses_its_scripts() -> None:
    """Scripts are most of a large page, and the article behind them must not be what is cut."""
    page = f"<script>{'x' * HTML_MAX}</script><p>The article.</p>"
    assert bounded(page) == ("<p>The article.</p>", False)


@pytest.mark.parametrize("page", ["<p>" + "x" * HTML_MAX, "<b>x</b>" * TAGS_MAX], ids=["characters", "tags"])
def test_a_page_that_is_still_too_large_is_cut_and_says_so(page: str) -> None:
    """Reading costs time by tags and characters, and both have an end."""
    kept, cut = bounded(page)
    assert cut
    assert len(kept) <= HTML_MAX
    assert kept.count("<") <= TAGS_MAX
