"""Feed documents become entries."""

from __future__ import annotations

import gzip
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import feed
from worker.errors import Unusable
from worker.feeds.document import parse
from worker.feeds.markup import plain
from worker.feeds.xml_feed import read_xml
from worker.model import Reason

RSS = """<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0"><channel><title>Wire</title><lastBuildDate>{built}</lastBuildDate>
{items}</channel></rss>"""


def rss(*items: str, built: str = "Wed, 11 Feb 2026 12:00:00 GMT") -> bytes:
    """Return an RSS document with the given items."""
    return RSS.format(items="\n".join(f"<item>{item}</item>" for item in items), built=built).encode()


def entries(body: bytes) -> list[tuple[str, str]]:
    """Return keys and titles of a document's entries."""
    return [(e.key, e.title) for e in parse(body, feed=feed(), headers={}).entries]


def test_a_guid_is_the_key_and_else_the_link() -> None:
    """The guid identifies an entry; the canonical link stands in for it."""
    body = rss(
        "<guid>tag:1</guid><link>https://wire.example/1</link><title>One</title>",
        "<link>http://www.wire.example/2/?utm_source=rss</link><title>Two</title>",
    )
    assert sorted(entries(body)) == [("https://wire.example/2", "Two"), ("tag:1", "One")]


def test_an_entry_without_guid_and_link_is_known_by_title_and_date() -> None:
    """Two titles are two entries even when nothing else tells them apart."""
    keys = [key for key, _ in entries(rss("<title>One</title>", "<title>Two</title>"))]
    assert len(set(keys)) == 2
    assert all(key.startswith("title:") for key in keys)


def test_a_repeated_guid_is_one_entry_and_the_newest_wins() -> None:
    """Al-Monitor repeats a guid four times in one document."""
    item = "<guid>tag:1</guid><title>{}</title>"
    assert entries(rss(item.format("new"), item.format("old"))) == [("tag:1", "new")]


def test_entries_come_oldest_first_and_undated_ones_last() -> None:
    """Articles are read in the order in which they were published."""
    body = rss(
        "<title>late</title><pubDate>Wed, 11 Feb 2026 12:00:00 GMT</pubDate>",
        "<title>undated</title>",
        "<title>early</title><pubDate>Wed, 11 Feb 2026 06:00:00 EST</pubDate>",
    )
    assert [title for _, title in entries(body)] == ["early", "late", "undated"]


def test_relative_links_are_resolved_against_the_feed() -> None:
    """A link that begins with a slash belongs to the feed's host."""
    (found,) = parse(rss("<link>/news/1</link><title>One</title>"), feed=feed(), headers={}).entries
    assert found.url == "https://wire.example/news/1"


def test_the_longest_of_content_and_summary_is_the_text() -> None:
    """Markup becomes plain text with a line a paragraph."""
    body = rss(
        "<title>One</title><description>short</description>"
        "<content:encoded xmlns:content='http://purl.org/rss/1.0/modules/content/'>"
        "<![CDATA[<p>First &amp; foremost</p><script>x()</script><p>Second</p>]]></content:encoded>"
    )
    (found,) = parse(body, feed=feed(), headers={}).entries
    assert found.text == "First & foremost\nSecond"


def test_the_source_of_an_entry_is_its_outlet() -> None:
    """An aggregator's feed names the outlet of each entry."""
    body = rss('<title>One</title><source url="https://other.example/">Other</source>')
    (found,) = parse(body, feed=feed(), headers={}).entries
    assert found.outlet == "Other"


@pytest.mark.parametrize(
    ("body", "said", "name"),
    [
        (b"", "empty", Reason.NOT_A_FEED),
        (b"<!DOCTYPE html><html><body>Log in</body></html>", "HTML page", Reason.HTML_PAGE),
        (b'<?xml version="1.0"?><!-- a --><html xmlns="http://www.w3.org/1999/xhtml"/>', "HTML page", Reason.HTML_PAGE),
        (b"<script>location='/login'</script>", "HTML page", Reason.HTML_PAGE),
        (b"{}", "begins with", Reason.NOT_A_FEED),
        (b"plain words", "begins with", Reason.NOT_A_FEED),
        (b"<Error><Code>AccessDenied</Code></Error>", "root element <error>", Reason.NOT_A_FEED),
        (b'<opml version="2.0"><body/></opml>', "wirewatch opml", Reason.NOT_A_FEED),
        (gzip.compress(rss("<title>One</title>")), "compressed with gzip", Reason.NOT_A_FEED),
        (b"%PDF-1.7", "PDF", Reason.NOT_A_FEED),
    ],
    ids=["empty", "login-page", "xhtml", "script", "json", "words", "error", "opml", "gzip", "pdf"],
)
def test_what_is_no_feed_is_named(body: bytes, said: str, name: Reason) -> None:
    """A body that is no feed is an error with its own words and name, never "0 new entries"."""
    with pytest.raises(Unusable, match=said) as caught:
        parse(body, feed=feed(), headers={})
    assert caught.value.name == name


def test_a_page_that_names_feeds_is_refused_with_at_most_three_of_them() -> None:
    """Whoever configured a site's home page is told the addresses to configure instead."""
    links = "".join(f'<link type="application/rss+xml" rel="alternate" href="/feed{n}?a=1&amp;b=2">' for n in range(5))
    page = f"<html><head><link rel='stylesheet' href='/a.css'>{links}</head></html>"
    with pytest.raises(Unusable) as caught:
        parse(page.encode(), feed=feed(), headers={})
    named = [f"https://wire.example/feed{n}?a=1&b=2" for n in range(3)]
    assert " and ".join(named) in str(caught.value)
    assert "feed3" not in str(caught.value)
    assert "a.css" not in str(caught.value)


@pytest.mark.enable_socket
@pytest.mark.allow_hosts(["127.0.0.1"])
def test_a_body_that_is_a_path_or_an_address_opens_nothing(tmp_path: Path) -> None:
    """The parser would open a str or a path: here both lead to a real feed, and nobody asks for it."""
    local = tmp_path / "local.xml"
    local.write_bytes(rss("<title>Secret</title>"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/feed.xml"
        for body in (str(local), f"file://{local}", address):
            assert not read_xml(body, url="https://wire.example/").items
            with pytest.raises(Unusable):
                parse(body.encode(), feed=feed(), headers={})
        bombs = (f'<!DOCTYPE rss [<!ENTITY t SYSTEM "{where}">]>' for where in (f"file://{local}", address))
        for bomb in bombs:
            (found,) = parse(bomb.encode() + rss("<title>A &t; B</title>"), feed=feed(), headers={}).entries
            assert found.title == "A &t; B"
        with pytest.raises(BlockingIOError):
            listener.accept()


def test_a_broken_document_is_read_as_far_as_it_goes() -> None:
    """A document that was cut off still tells its first entries, with a warning."""
    whole = rss("<guid>tag:1</guid><title>One</title>", "<guid>tag:2</guid><title>Two</title>")
    document = parse(whole[: whole.index(b"Two")], feed=feed(), headers={})
    assert [(e.key, e.title) for e in document.entries] == [("tag:1", "One")]
    assert document.cut
    assert "the end is missing" in document.warning
    assert not parse(whole, feed=feed(), headers={}).warning


def test_the_language_of_a_feed_is_as_configured_or_as_it_says() -> None:
    """Two letters of what the channel declares; the configuration is believed before it."""
    body = rss("<title>One</title>").replace(b"</title><last", b"</title><language>pt-BR</language><last")
    assert [parse(body, feed=feed(language=known), headers={}).entries[0].language for known in (None, "es")] == [
        "pt",
        "es",
    ]


@given(st.text(alphabet="<>/&;apscritylebd \n!-'\"=x", max_size=200))
def test_plain_text_never_holds_a_whole_tag_it_knows(markup: str) -> None:
    """Whatever the markup, no paragraph tag or script remains as one."""
    text = plain(markup.replace("&", ""))
    assert "<p>" not in text
    assert "<script>" not in text


def test_plain_text_takes_linear_time_on_endless_scripts() -> None:
    """A million unclosed scripts are looked at once each."""
    assert plain("<script>" * 200_000) == ""
    assert plain("<p " * 200_000).startswith("<p <p")
    assert plain("a<!--" * 200_000) == "a"


def test_plain_text_is_without_comments_and_scripts_in_any_spelling() -> None:
    """Neither a tag inside of a comment nor a letter that grows in lower case shifts what is left out."""
    assert plain("one <!-- a > b --> two") == "one two"
    assert plain("İİİİ<SCRIPT>x()</SCRIPT> three") == "İİİİ three"
