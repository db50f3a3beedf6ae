"""Items that were shown before are not parsed again, and nothing else changes by it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.builders import NOON, feed, feed_state
from worker.feeds import decisions
from worker.feeds.document import Document, parse
from worker.model import Entry

RSS = (
    '<?xml version="1.0"?><rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/"><channel><title>Wire</title>'
    "<link>https://wire.example/</link><lastBuildDate>{built}</lastBuildDate>{items}</channel></rss>"
)
ATOM = (
    '<feed xmlns="http://www.w3.org/2005/Atom" xml:base="https://wire.example/a/"><title>Wire</title>'
    "<updated>{built}</updated>{items}</feed>"
)
RDF = (
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/">'
    "<channel><title>Wire</title><items><rdf:Seq/></items><date>{built}</date></channel>{items}</rdf:RDF>"
)


def rss_item(guid: str, link: str, title: str, text: str = "") -> str:
    """Return an item; parts that are empty are left out."""
    parts = {"guid": guid, "link": link, "title": title, "description": text and f"<![CDATA[<p>{text}</p>]]>"}
    return "<item>" + "".join(f"<{name}>{value}</{name}>" for name, value in parts.items() if value) + "</item>"


def atom_item(guid: str, link: str, title: str, text: str = "") -> str:
    """Return an entry; parts that are empty are left out."""
    linked = f'<link href="{link}"/>' if link else ""
    named = "".join(f"<{n}>{v}</{n}>" for n, v in {"id": guid, "title": title, "summary": text}.items() if v)
    return f"<entry>{linked}{named}</entry>"


FORMATS = {"rss": (RSS, rss_item), "atom": (ATOM, atom_item), "rdf": (RDF, rss_item)}


def made(form: str, items: list[tuple[str, str, str, str]], built: int = 1) -> bytes:
    """Return a document in one of the formats."""
    whole, item = FORMATS[form]
    return whole.format(built=built, items="\n".join(item(*one) for one in items)).encode()


def read(body: bytes, shown: bytes = b"") -> Document:
    """Parse a document of the feed."""
    return parse(body, feed=feed(), headers={}, shown=shown)


def items(*numbers: int) -> list[tuple[str, str, str, str]]:
    """Return items that share nothing."""
    return [(f"tag:{n}", f"https://wire.example/{n}", f"Title {n}", f"Text {n}") for n in numbers]


@pytest.mark.parametrize("form", FORMATS)
def test_only_what_is_new_is_parsed(form: str) -> None:
    """One new item among nineteen old ones is the only entry; the rest is counted."""
    before = read(made(form, items(*range(19))))
    after = read(made(form, items(19, *range(18)), built=2), before.shown)
    assert [entry.title for entry in after.entries] == ["Title 19"]
    assert after.unchanged == 18


@pytest.mark.parametrize("form", FORMATS)
def test_a_document_of_which_only_the_date_has_changed_has_no_entries(form: str) -> None:
    """Publishers that set the time of building anew at each request cost no parsing."""
    before = read(made(form, items(1, 2, 3)))
    after = read(made(form, items(1, 2, 3), built=2), before.shown)
    assert (after.entries, after.unchanged, after.shown, after.title) == ((), 3, before.shown, "Wire")


def test_an_edited_item_is_an_entry_again() -> None:
    """The text of an item has changed, and so it is parsed."""
    before = read(made("rss", items(1, 2, 3, 4)))
    edited = items(1, 2, 3, 4)
    edited[2] = (*edited[2][:3], "Corrected")
    after = read(made("rss", edited), before.shown)
    assert [(entry.key, entry.text) for entry in after.entries] == [("tag:3", "Corrected")]


@pytest.mark.parametrize("same", range(3))
def test_a_new_item_that_shares_an_identity_has_the_document_read_whole(same: int) -> None:
    """A guid, an address or a title that items share identifies less, which only all of them together tell."""
    before = read(made("rss", items(1, 2, 3, 4)))
    (new,) = items(5)
    shared = tuple(items(1)[0][n] if n == same else part for n, part in enumerate(new))
    after = read(made("rss", [shared, *items(1, 2, 3, 4)]), before.shown)  # type: ignore[list-item]
    assert after.unchanged == 0
    assert after == read(made("rss", [shared, *items(1, 2, 3, 4)]))  # type: ignore[list-item]


def test_what_items_inherit_has_the_document_read_whole() -> None:
    """Another base makes other addresses of the same items."""
    before = read(made("atom", [("tag:1", "x", "One", ""), ("tag:2", "y", "Two", "")]))
    moved = made("atom", [("tag:1", "x", "One", ""), ("tag:2", "y", "Two", "")]).replace(b"/a/", b"/b/")
    after = read(moved, before.shown)
    assert after.unchanged == 0
    assert {entry.url for entry in after.entries} == {"https://wire.example/b/x", "https://wire.example/b/y"}


@pytest.mark.parametrize(
    "body",
    [
        made("rss", items(1, 2)).replace(b"</channel>", b"<item><title>cut off"),
        made("rss", items(1, 2)).replace(b"Text 2", b"]]><!-- <item> "),
        made("rss", items(1, 2)).replace(b"<channel>", b"<channel><item/>"),
        b"Warning: mysql<br>" + made("rss", items(1, 2)),
        b'{"version": "https://jsonfeed.org/version/1.1", "items": [{"id": "1", "title": "One"}]}',
    ],
)
def test_nothing_is_remembered_of_a_document_that_is_not_plain(body: bytes) -> None:
    """Where items cannot be told apart with certainty, or something had to be mended, all is parsed each time."""
    assert read(body).shown == b""


def test_a_mark_within_cdata_begins_no_item() -> None:
    """A text that speaks of feeds is a text."""
    about = ("tag:9", "https://wire.example/9", "On feeds", "Write <item> and </item>, and <item> once more")
    before = read(made("rss", items(1, 2, 3)))
    after = read(made("rss", [about, *items(1, 2, 3)]), before.shown)
    assert [entry.key for entry in after.entries] == ["tag:9"]
    assert after.unchanged == 3


_NAMES = st.sampled_from(["", "a", "b", "c", "d"])
_ITEM = st.tuples(
    _NAMES.map(lambda n: n and f"tag:{n}"),
    st.sampled_from(["", "/", "/a", "/b", "/c", "/d"]).map(lambda n: n and f"https://wire.example{n}"),
    _NAMES.map(lambda n: n and f"Title {n}"),
    st.sampled_from(["", "x", "y"]),
)


_TWICE = [("tag:a", "", "Title a", ""), ("tag:a", "", "", "x")]


@example(form="rss", old=_TWICE, gone=0, new=_TWICE[1:])
@example(
    form="rss", old=[("https://wire.example/a", "", "One", "")], gone=0, new=[("", "https://wire.example/a", "", "x")]
)
@given(
    form=st.sampled_from(sorted(FORMATS)),
    old=st.lists(_ITEM, max_size=8),
    gone=st.integers(0, 3),
    new=st.lists(_ITEM, max_size=4),
)
def test_it_is_the_same_as_parsing_all(
    form: str, old: list[tuple[str, str, str, str]], gone: int, new: list[tuple[str, str, str, str]]
) -> None:
    """What is left out is what the document before had said word for word, and every other entry is as it would be."""
    before = read(made(form, old))
    body = made(form, new + old[: len(old) - gone], built=2)
    short, whole = read(body, before.shown), read(body)
    assert [entry for entry in whole.entries if entry in short.entries] == list(short.entries)
    missing = {entry for entry in map(_said, whole.entries) if entry not in set(map(_said, short.entries))}
    assert missing <= set(map(_said, before.entries))
    assert bool(missing) <= bool(short.unchanged)
    assert (short.title, short.hints, short.shown) == (whole.title, whole.hints, whole.shown)


def _said(entry: Entry) -> tuple[str, str, str]:
    return entry.url, entry.title, entry.text


@given(st.binary(max_size=200))
def test_any_memory_is_safe(memory: bytes) -> None:
    """What another version wrote, or a damaged row, costs a whole parse and nothing else."""
    body = made("rss", items(1, 2, 3))
    assert read(body, memory) == read(body)


def test_all_is_parsed_once_a_day() -> None:
    """What was remembered is used for a day after a whole parse, and not longer."""
    state = replace(feed_state(), shown=b"memory", whole_at=NOON)
    assert decisions.shown_before(state, NOON + timedelta(hours=23)) == b"memory"
    assert decisions.shown_before(state, NOON + timedelta(hours=24)) == b""
    assert decisions.shown_before(feed_state(), NOON) == b""
