"""Marks, and what else stands between a text and a page: nothing is lost, and nothing is more than text."""

from __future__ import annotations

import html
import re
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from tests.builders import NOON, article
from worker.console.marks import marked, paragraphs, passages, spans
from worker.console.rendering import ago, counted, environment, is_page, link, query, segment, span, when
from worker.console.search import _found
from worker.console.visible import visible
from worker.ledger.archive import Hit, units
from worker.model import Evidence

SPANS = st.lists(st.tuples(st.integers(-5, 60), st.integers(-5, 60)), max_size=6)


def plain(page: Markup) -> str:
    """Return what a reader sees of a marked text."""
    return html.unescape(re.sub(r"</?mark>", "", page))


@given(text=st.text(max_size=50), chosen=SPANS)
def test_marks_change_nothing_of_a_text(text: str, chosen: list[tuple[int, int]]) -> None:
    """A reader sees every character, made visible; elements are marks alone, and balanced."""
    page = marked(text, chosen)
    assert plain(page) == visible(text)
    assert re.findall(r"<[^>]*>", page) == ["<mark>", "</mark>"] * page.count("<mark>")


@given(text=st.text(max_size=50), chosen=SPANS)
def test_what_is_marked_is_what_the_spans_say(text: str, chosen: list[tuple[int, int]]) -> None:
    """Character by character, however the spans lie."""
    wanted = {n for a, b in chosen for n in range(max(0, a), min(len(text), b))}
    inside = "".join(
        html.unescape(found) for found in re.findall(r"<mark>(.*?)</mark>", marked(text, chosen), re.DOTALL)
    )
    assert inside == "".join(visible(text[n]) for n in sorted(wanted))


@given(text=st.text(alphabet="ab<\n ", max_size=60), chosen=SPANS)
def test_the_paragraphs_of_a_text_hold_all_of_it_but_blank_lines(text: str, chosen: list[tuple[int, int]]) -> None:
    """And every mark, each within its paragraph."""
    found = paragraphs(text, chosen)
    assert [plain(each) for each in found] == [line for line in text.split("\n") if line.strip()]


def test_evidence_is_shown_in_its_paragraph_which_is_cut_far_from_it() -> None:
    """Two pieces in one paragraph come in one excerpt."""
    text = "First.\n" + "x" * 500 + " missiles and rockets " + "y" * 500 + "\nLast."
    evidence = [
        Evidence(field="text", start=text.index(word), end=text.index(word) + len(word), text=word)
        for word in ("missiles", "rockets")
    ]
    (passage,) = passages(article(1, text=text), evidence)
    assert "<mark>missiles</mark> and <mark>rockets</mark>" in passage
    assert passage.startswith("…xxx")
    assert passage.endswith("yyy…")
    assert "First" not in passage
    assert len(passage) < 900


def test_evidence_of_the_title_is_no_passage_of_the_text() -> None:
    """It is marked where the title stands."""
    said = Evidence(field="title", start=0, end=8, text="Headline")
    assert passages(article(1), [said]) == []
    assert spans(article(1), [said], "title") == [(0, 8)]


@given(text=st.text(max_size=80))
def test_visible_text_turns_nothing_and_can_be_sent(text: str) -> None:
    """Whatever came in; what could be seen before is as it was."""
    shown = visible(text)
    shown.encode()
    assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufeff]", shown)
    assert visible(shown) == shown
    if text.isprintable():
        assert shown == text


@pytest.mark.parametrize(
    ("url", "is_link"),
    [
        ("https://wire.example/1", True),
        ("HTTP://wire.example", True),
        ("javascript:alert(1)", False),
        (" javascript:alert(1)", False),
        ("java\nscript:alert(1)", False),
        ("data:text/html,x", False),
        ("//wire.example", False),
        ("https://", False),
        ("https://[", False),
        ("", False),
    ],
)
def test_only_addresses_of_pages_are_links(url: str, is_link: bool) -> None:
    """Anything else is shown as its words; a link opens nothing of ours to the other side."""
    shown = link(url, "<b>words")
    assert is_page(url) is is_link
    assert ('rel="noopener noreferrer"' in shown) is is_link
    assert "&lt;b&gt;words" in shown
    assert "<b>" not in shown


def test_a_quote_in_an_address_stays_inside_of_it() -> None:
    """It cannot end the attribute."""
    assert 'href="https://wire.example/&#34; onclick=&#34;x"' in link('https://wire.example/" onclick="x', "w")


def test_spans_and_times_are_said_in_few_words() -> None:
    """In the two greatest units."""
    lengths = {5: "5 s", 60: "1 min", 3_600: "1 h", 5_460: "1 h 31 min", 183_600: "2 d 3 h", 86_400 * 40: "40 d"}
    assert {seconds: span(seconds) for seconds in lengths} == lengths
    assert span(timedelta(seconds=-90)) == "−1 min"
    assert ">3 h ago<" in ago(NOON - timedelta(hours=3), NOON)
    assert ">in 10 min<" in ago(NOON + timedelta(minutes=10), NOON)
    assert ">2026-02-11 12:00<" in when(NOON)
    assert ">never<" in when(None)
    assert (counted(1, "story", "stories"), counted(1200, "story", "stories")) == ("1 story", "1,200 stories")


@given(value=st.text(max_size=20))
def test_an_id_is_one_segment_of_a_path(value: str) -> None:
    """Whatever is in it."""
    assert not set(segment(value.encode("utf-8", "replace").decode())) & set("/?#&\"'<> ")


def test_a_link_leaves_out_what_is_empty() -> None:
    """And quotes the rest."""
    assert query(a="", b=None, c="x y&z") == "?c=x+y%26z"
    assert query(a="") == ""


def test_a_template_that_names_what_nobody_gave_is_an_error() -> None:
    """And not a hole in the page."""
    from jinja2 import UndefinedError

    with pytest.raises(UndefinedError):
        environment().from_string("{{ nobody }}").render()
    assert environment().from_string("{{ x }}{{ x|upper }}").render(x="<\u202e") == "&lt;[U+202E]&lt;[U+202E]"


@given(text=st.text(max_size=400), query_text=st.text(max_size=20))
def test_pieces_of_a_hit_are_pieces_of_its_text(text: str, query_text: str) -> None:
    """Marked or not, whatever was searched for."""
    hit = Hit(article=article(1, text=text, title=text), story_id=None)
    found = _found(hit, units(query_text))
    assert plain(found.title) in {visible(text), "(no title)"}
    for piece in found.pieces:
        assert plain(piece).removeprefix("…").removesuffix("…") in visible(text)
