"""Every format of feeds becomes the same entries."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from tests.builders import feed
from worker.errors import Unusable
from worker.feeds.document import Document, parse
from worker.model import Reason

RSS_091 = """<?xml version="1.0"?><!DOCTYPE rss PUBLIC "-//Netscape Communications//DTD RSS 0.91//EN"
"http://my.netscape.com/publish/formats/rss-0.91.dtd"><rss version="0.91"><channel><title>Wire</title>
<image><title>Logo</title><url>https://wire.example/l.gif</url><link>https://wire.example/</link></image>
<item><title>One</title><link>https://wire.example/1</link><description>Said &amp;amp; done</description>
</item></channel></rss>"""
RSS_2 = """<rss version="2.0"><channel><title>Wire</title><item><title>One</title><link>https://wire.example/1</link>
<author>a@wire.example</author><category>World</category><description>Said &amp;amp; done</description></item>
</channel></rss>"""
ATOM = """<?xml version="1.0" encoding="utf-8"?><feed xmlns="http://www.w3.org/2005/Atom"><title>Wire</title>
<entry><title>One</title><id>https://wire.example/1</id><link href="https://wire.example/1"/>
<author><name>A</name></author><content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml"><p>Said <b>&amp;</b>
done</p><script>x()</script></div></content></entry></feed>"""
RDF = """<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/">
<channel rdf:about="https://wire.example/"><title>Wire</title><items><rdf:Seq><rdf:li resource="https://wire.example/1"/>
</rdf:Seq></items></channel><item rdf:about="https://wire.example/1"><title>One</title>
<link>https://wire.example/1</link><description>Said &amp;amp; done</description></item></rdf:RDF>"""
JSON_FEED = """{"version": "https://jsonfeed.org/version/1.1", "title": "Wire", "items": [{"id":
"https://wire.example/1", "url": "https://wire.example/1", "title": "One", "authors": [{"name": "A"}],
"content_html": "<p>Said &amp; <b>done</b></p>"}]}"""
SITEMAP = """<?xml version="1.0" encoding="UTF-8"?><urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"
xmlns:news="http://www.google.com/schemas/sitemap-news/0.9"><url><loc>https://wire.example/1</loc><news:news>
<news:publication><news:name>The Wire</news:name><news:language>en</news:language></news:publication>
<news:publication_date>2026-02-11T13:00:00+01:00</news:publication_date><news:title>One &amp; two</news:title>
</news:news></url><url><loc>https://wire.example/about</loc></url></urlset>"""


def document(text: str, **headers: str) -> Document:
    """Return the document that a text makes."""
    return parse(text.encode(), feed=feed(), headers=headers)


@pytest.mark.parametrize(
    "text", [RSS_091, RSS_2, ATOM, RDF, JSON_FEED], ids=["rss-0.91", "rss-2.0", "atom", "rdf", "json-feed"]
)
def test_every_format_tells_the_same(text: str) -> None:
    """Title, address, identity and text are the same, and nothing is wrong with any of them."""
    read = document(text)
    (entry,) = read.entries
    assert (read.title, read.warning, read.cut) == ("Wire", "", False)
    assert (entry.title, entry.url, entry.key) == ("One", "https://wire.example/1", "https://wire.example/1")
    assert entry.text.split() == ["Said", "&", "done"]
    assert entry.outlet == "Wire"


def test_a_news_sitemap_is_a_feed() -> None:
    """Pages with news:news are entries, known by their address; other pages of the same sitemap are not."""
    (entry,) = document(SITEMAP).entries
    assert (entry.title, entry.key, entry.language) == ("One & two", "https://wire.example/1", "en")
    assert entry.published_at == datetime(2026, 2, 11, 12, 0, tzinfo=UTC)
    assert entry.outlet == "Wire"


def test_a_sitemap_that_was_cut_is_read_as_far_as_it_goes() -> None:
    """The first page is whole, and the end is known to be missing."""
    read = document(SITEMAP[: SITEMAP.index("<loc>https://wire.example/about")])
    assert [entry.title for entry in read.entries] == ["One & two"]
    assert read.cut


def test_an_index_of_sitemaps_names_those_to_use() -> None:
    """The message names three child sitemaps, the one for news before the others."""
    names = ["pages-1", "pages-2", "pages-3", "news"]
    maps = "".join(f"<sitemap><loc>https://wire.example/{name}.xml</loc></sitemap>" for name in names)
    with pytest.raises(
        Unusable, match=r"use https://wire\.example/news\.xml or .*pages-1.xml or .*pages-2.xml\)"
    ) as caught:
        document(f'<sitemapindex xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{maps}</sitemapindex>')
    assert caught.value.name == Reason.NOT_A_FEED


def test_a_sitemap_without_news_is_refused() -> None:
    """It has neither titles nor times, so nothing in it could be told from anything else."""
    with pytest.raises(Unusable, match="without news:news"):
        document("<urlset><url><loc>https://wire.example/about</loc></url></urlset>")


def json_feed(*items: object, **fields: object) -> str:
    """Return a JSON Feed with the given items."""
    return json.dumps({"version": "https://jsonfeed.org/version/1", "items": items} | fields)


def test_a_json_feed_may_write_its_fields_in_several_ways() -> None:
    """Numbers are ids as well, the longest text counts, an external address stands in, the older date is the one."""
    number = {"id": 7, "summary": "short", "content_text": "longer text", "title": " Two\nlines "}
    outside = {"external_url": "https://other.example/x", "date_modified": "2026-02-11", "title": "x"}
    dated = {"id": "d", "date_published": "2026-02-11T12:00:00Z", "date_modified": "2026-02-12T12:00:00Z", "title": "y"}
    text = json_feed(number, outside, dated, "nonsense", None).replace('"id": 7', '"id": ' + "7" * 4500)
    first, third, second = document(text).entries
    assert first.key == "https://other.example/x"
    assert third.published_at == datetime(2026, 2, 11, 12, 0, tzinfo=UTC)
    assert (second.text, second.title, len(second.key)) == ("longer text", "Two lines", 2048)


def test_a_json_feed_that_was_cut_is_read_up_to_its_last_whole_item() -> None:
    """The item in which it ends is left out."""
    text = json_feed({"id": "1", "title": "One"}, {"id": "2", "title": "Two"})
    read = document(text[: text.index("Two")])
    assert [entry.key for entry in read.entries] == ["1"]
    assert read.cut
    assert "the end is missing" in read.warning


@pytest.mark.parametrize(
    "text",
    [
        '{"items": [{"id": "1", "title": "One"}]}',
        '{"version": "https://jsonfeed.org/version/1", "items": {}}',
        '{"version": "https://jsonfeed.org/version/1", "items": ' + "[" * 100_000,
        "{" + '"a":{' * 100_000,
        '{"version": 1, "items": []}',
    ],
    ids=["no-version", "no-list", "deep-list", "deep-object", "number"],
)
def test_other_json_is_no_feed(text: str) -> None:
    """JSON that is no JSON Feed, or too deep for any reader, is refused by name."""
    with pytest.raises(Unusable, match="no JSON Feed") as caught:
        document(text)
    assert caught.value.name == Reason.NOT_A_FEED


@pytest.mark.parametrize("kind", ["rss", "json", "sitemap"])
def test_more_than_two_thousand_entries_are_not_read(kind: str) -> None:
    """What comes first is read, and the warning says that there was more."""
    numbers = range(2100)
    texts = {
        "rss": RSS_2.replace(
            "<item>", "".join(f"<item><guid>{n}</guid><title>t</title></item>" for n in numbers) + "<item>"
        ),
        "json": json_feed(*({"id": str(n), "title": "t"} for n in numbers)),
        "sitemap": "<urlset xmlns:news='n'>"
        + "".join(f"<url><loc>https://w.example/{n}</loc><news:news/></url>" for n in numbers)
        + "</urlset>",
    }
    read = document(texts[kind])
    assert len(read.entries) == 2000
    assert "more than 2000 entries" in read.warning
    assert not read.cut
