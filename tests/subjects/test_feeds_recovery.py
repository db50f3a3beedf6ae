"""Malformed documents are read as what they were meant to be, hostile ones at a price that is bounded."""

from __future__ import annotations

import xml.sax
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders import feed
from tests.hostile import feeds
from worker.errors import Unusable
from worker.feeds.document import Document, parse
from worker.feeds.encoding import decode
from worker.feeds.recovery import clean

TITLE = "Müller’s plan – „ça va“"


def rss(items: str, declaration: str = '<?xml version="1.0" encoding="UTF-8"?>') -> str:
    """Return an RSS document."""
    return f'{declaration}<rss version="2.0"><channel><title>Wire</title>{items}</channel></rss>'


def item(title: str, more: str = "") -> str:
    """Return an item with a title."""
    return f"<item><guid>tag:1</guid><title>{title}</title>{more}</item>"


def read(body: bytes, content_type: str = "") -> Document:
    """Return the document that a body makes."""
    return parse(body, feed=feed(), headers={"content-type": content_type} if content_type else {})


WHOLE = rss(item(TITLE))


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (WHOLE.encode(), "text/xml; charset=iso-8859-1"),
        (WHOLE.encode(), "text/xml; charset=utf-16"),
        (WHOLE.encode(), 'application/rss+xml; charset="no-such-thing"'),
        (b"\xef\xbb\xbf" + WHOLE.encode(), ""),
        (b"\xef\xbb\xbf\xef\xbb\xbf\r\n" + WHOLE.encode(), ""),
        (WHOLE.replace("UTF-8", "utf-16").encode("utf-16"), ""),
        (WHOLE.encode("utf-16-le"), "text/xml; charset=utf-8"),
        (WHOLE.encode("utf-16-be"), ""),
        (WHOLE.encode("utf-32"), ""),
        (WHOLE.replace("UTF-8", "utf-16").encode(), ""),
        (WHOLE.replace("UTF-8", "windows-1252").encode("cp1252"), "text/xml; charset=utf-8"),
        (WHOLE.replace("UTF-8", "ISO-8859-1").encode("cp1252"), ""),
        (WHOLE.encode("cp1252"), ""),
        (rss(item(TITLE), "").encode("cp1252"), "text/xml; charset=windows-1252"),
        (b"\n\n  " + WHOLE.encode(), ""),
        (b"<br />\n<b>Warning</b>: include(x.php) in <b>/a.php</b> on line <b>3</b><br />\n" + WHOLE.encode(), ""),
        (b"Notice: Undefined index\n" + WHOLE.encode(), ""),
        (rss(item(TITLE), "").encode(), "text/plain"),
        (WHOLE.encode() + b"<script>track()</script>", ""),
        (WHOLE.replace("<item>", "\x00\x08<item>\ufffe").encode(), ""),
        (rss(item("M&uuml;ller&rsquo;s plan &ndash; &bdquo;&ccedil;a va&ldquo;")).encode(), ""),
        (rss(item("M&#252;ller&#x2019;s plan – „ça va“&#0;&#x8;")).encode(), ""),
        (rss(item(f"<b>{TITLE}</b>")).encode(), ""),
        (rss(item(f"<![CDATA[{TITLE}]]>")).encode(), ""),
    ],
    ids=[
        "header-says-latin", "header-says-utf-16", "header-says-nonsense", "bom", "two-boms", "utf-16",
        "utf-16-le-bare", "utf-16-be-bare", "utf-32", "declares-utf-16", "header-says-utf-8", "latin-1",
        "latin-1-declared-utf-8",
        "header-alone", "blank-lines", "php-warning", "notice", "no-declaration", "junk-after", "control-characters",
        "html-entities", "numbers", "markup-in-title", "cdata",
    ],
)  # fmt: skip
def test_the_title_is_read_whatever_is_wrong_around_it(body: bytes, content_type: str) -> None:
    """Encodings, junk and references that parsers of XML refuse do not change what the feed says."""
    document = read(body, content_type)
    assert [entry.title for entry in document.entries] == [TITLE]
    assert not document.cut


def test_bytes_of_two_encodings_are_both_read() -> None:
    """An old comment in Windows-1252 inside of a document in UTF-8 spoils nothing else."""
    document = read(
        rss(item("Zürich Genève Málaga", "<description>caf@</description>")).encode().replace(b"@", b"\xe9")
    )
    assert [(entry.title, entry.text) for entry in document.entries] == [("Zürich Genève Málaga", "café")]
    assert "Windows-1252" in document.warning


def test_cyrillic_in_an_undeclared_encoding_is_guessed() -> None:
    """Where most of the bytes are letters, statistics know them."""
    title = "министр заявила в понедельник, что переговоры о мосте продолжатся после голосования в совете"
    (entry,) = read(rss(item(title)).encode("cp1251")).entries
    assert entry.title == title


@pytest.mark.parametrize(
    ("inside", "title"),
    [
        (item("Fish & chips &bogus; &amp; AT&T"), "Fish & chips &bogus; & AT&T"),
        (item("1 < 2 <3"), "1 < 2 <3"),
        (item("One", "<description>a<br>b<p>c</description>"), "One"),
        ("<item><guid>tag:1</guid><title>One</item>", "One"),
        (item("One", "<media:thumbnail url='x'/>"), "One"),
        (item("One", "<link href=unquoted title=it's />"), "One"),
        ("<item><guid>tag:1</guid><title>One</title>", "One"),
        (item("One") + "</div></p>", "One"),
        ("<!-- never closed" + item("One"), "One"),
        ("<Item><GUID>tag:1</guid><title>One</Title></item>", "One"),
        (item("One", "<author>" + "a.b-" * 16_000 + "</author>"), "One"),
        (item("One", "<author>never closed <image>"), "One"),
        (item("One", "<textinput><title>x</title></textinput>"), "One"),
        (item("One", "<source url='https://o.example/'>O <author>x</author></source>"), "One"),
    ],
    ids=[
        "ampersands", "less-than", "html-in-description", "unclosed-title", "unknown-prefix", "unquoted",
        "unclosed-item", "stray-ends", "unclosed-comment", "mixed-case", "huge-author", "unclosed-author", "textinput",
        "source",
    ],
)  # fmt: skip
def test_an_entry_is_read_whatever_is_wrong_inside(inside: str, title: str) -> None:
    """Unescaped, unclosed, unknown and useless markup costs neither the entry nor its neighbours."""
    document = read(rss(inside + "<item><guid>tag:2</guid><title>Two</title></item>").encode())
    assert {entry.key: entry.title for entry in document.entries} == {"tag:1": title, "tag:2": "Two"}
    assert not document.cut


@given(st.integers(0, len(rss(item("One") + item("Two").replace("tag:1", "tag:2"), ""))))
def test_a_document_that_was_cut_never_shows_half_an_entry(length: int) -> None:
    """However much of a document arrives, its entries are among those of the whole one."""
    whole = rss(item("One") + item("Two").replace("tag:1", "tag:2"), "")
    try:
        document = read(whole[:length].encode())
    except Unusable:
        return
    assert [(entry.key, entry.title) for entry in document.entries] in (
        [],
        [("tag:1", "One")],
        [("tag:2", "Two"), ("tag:1", "One")],
    )
    assert document.cut == (length < len(whole))


BOMB = '<!DOCTYPE rss [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'


@pytest.mark.parametrize(
    "inside",
    [
        item("One", "<description>" + "<b>" * 20_000 + "x" + "</b>" * 20_000 + "</description>"),
        item("One", "<b>" * 20_000),
        item("One", "<description>" + "<!--" * 35_000 + "</description>"),
        item("One", "".join(f"<category>{n}</category>" for n in range(20_000))),
        item("One", "".join(f'<x{n}:a xmlns:x{n}="u{n}"/>' for n in range(5000))),
        item("One", f'<link rel="x" title="{"a" * 100_000}"/>'),
        item("One", "&" * 200_000 + "<![CDATA["),
    ],
    ids=["nested", "nested-open", "comments", "categories", "namespaces", "attribute", "references"],
)
def test_what_a_parser_gets_to_see_is_small_and_well_formed(inside: str) -> None:
    """Nothing that costs the square of its length is left: a few elements, none deep, every one closed."""
    cleaned = clean(rss(inside, ""))
    counter = _Counter()
    xml.sax.parseString(cleaned.text.encode(), counter)  # noqa: S317 - that it may be parsed is the claim
    assert counter.deepest <= 100
    assert counter.elements < 20
    assert [entry.title for entry in read(rss(inside).encode()).entries] in ([], ["One"])


@pytest.mark.parametrize("closed", [True, False], ids=["closed", "open"])
def test_elements_of_the_channel_are_never_deep(closed: bool) -> None:
    """What may be a hint is kept, up to a depth that no stack minds; the entry after it is read."""
    nest = "<a>" * 20_000 + "</a>" * 20_000 * closed
    counter = _Counter()
    xml.sax.parseString(clean(rss(nest, "")).text.encode(), counter)  # noqa: S317 - that it may be parsed is the claim
    assert counter.deepest == 100
    assert [entry.title for entry in read(rss(nest + item("One")).encode()).entries] == ["One"]


@pytest.mark.parametrize("name", ["author", "dc:creator", "managingEditor", "webMaster", "itunes:owner", "category"])
def test_nobody_gets_to_see_an_author(name: str) -> None:
    """Neither of the channel nor of an entry: the parser's price for one grows with its square."""
    element = f"<{name}>A.B-{'c' * 2000}</{name}>"
    assert "A.B" not in clean(rss(element + item("One", element), "")).text


class _Counter(xml.sax.ContentHandler):
    """Counts elements, and how deep they lie."""

    def __init__(self) -> None:
        super().__init__()
        self.elements = self.depth = self.deepest = 0

    def startElement(self, name: str, attrs: xml.sax.xmlreader.AttributesImpl) -> None:  # noqa: N802 - SAX's name
        """Count one more."""
        del name, attrs
        self.elements += 1
        self.depth += 1
        self.deepest = max(self.deepest, self.depth)

    def endElement(self, name: str) -> None:  # noqa: N802 - SAX's name
        """Leave one."""
        del name
        self.depth -= 1


def test_no_entity_of_a_document_is_ever_resolved() -> None:
    """A bomb of entities is a few characters of text."""
    document = read((BOMB + rss(item("&b;"), "")).encode())
    assert [entry.title for entry in document.entries] == ["&b;"]
    assert "ENTITY" not in clean(BOMB + rss(item("&b;"), "")).text


@given(st.text(alphabet="<>/!?-[]&;#x\"'= CDATAitemlkp:\n", max_size=300))
@settings(max_examples=300)
def test_whatever_comes_in_is_balanced_when_it_goes_out(text: str) -> None:
    """Every element that begins ends, in order, so that nobody after us must guess."""
    opened: list[str] = []
    for tag in clean(f"<rss>{text}</rss>").text.split("<")[1:]:
        name = tag.partition(">")[0]
        if name.startswith("/"):
            assert opened.pop() == name[1:]
        elif not name.endswith("/"):
            opened.append(name.split()[0] if name.split() else name)
    assert not opened


@given(st.binary(max_size=400), st.sampled_from(["", "text/xml; charset=idna", "text/xml; charset=utf-7"]))
def test_any_bytes_are_text(body: bytes, content_type: str) -> None:
    """Decoding never fails, and never asks a codec that was made for other things."""
    text, _ = decode(body, content_type=content_type)
    assert text.encode("utf-8")[:0] == b""


@pytest.mark.parametrize("seed", range(3))
def test_hostile_documents_are_read_or_refused(seed: int) -> None:
    """Nothing else than ``Unusable`` comes out, and the same documents come out of the same seed."""
    refusals: list[Unusable] = []
    for body in feeds(seed, 25):
        try:
            parse(body, feed=feed(), headers={"content-type": "application/rss+xml"})
        except Unusable as error:
            refusals.append(error)
    assert {refusal.name for refusal in refusals} <= {"html-page", "not-a-feed"}
    assert not [refusal for refusal in refusals if "could not be parsed" in str(refusal)]
    assert list(islice(feeds(seed, 3), 3)) == list(feeds(seed, 3))
