"""Feed documents become entries."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import feed
from worker.errors import Unusable
from worker.feeds.document import body_hash, parse, plain

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
    ("body", "said"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><html><body>Log in</body></html>", "HTML page"),
        (b"{}", "begins with"),
        (b"plain words", "begins with"),
    ],
    ids=["empty", "login-page", "json", "words"],
)
def test_what_is_no_feed_is_named(body: bytes, said: str) -> None:
    """A body that is no feed is an error with its own words, never "0 new entries"."""
    with pytest.raises(Unusable, match=said):
        parse(body, feed=feed(), headers={})


def test_a_body_that_is_a_path_or_an_address_opens_nothing(tmp_path: Path) -> None:
    """The parser would open a str or a path; sockets are forbidden in this test, and the file is a feed."""
    local = tmp_path / "local.xml"
    local.write_bytes(rss("<title>Secret</title>"))
    for body in (str(local).encode(), b"http://127.0.0.1:9/feed.xml", b"file://" + str(local).encode()):
        with pytest.raises(Unusable):
            parse(body, feed=feed(), headers={})


def test_a_broken_document_is_read_as_far_as_it_goes() -> None:
    """A document that was cut off still tells its first entries, with a warning."""
    whole = rss("<guid>tag:1</guid><title>One</title>", "<guid>tag:2</guid><title>Two</title>")
    document = parse(whole[: whole.index(b"Two")], feed=feed(), headers={})
    assert ("tag:1", "One") in [(e.key, e.title) for e in document.entries]
    assert document.warning


def test_the_hash_ignores_dates_of_the_channel_only() -> None:
    """A new lastBuildDate is no change; a new date of an item is one."""
    item = "<title>One</title><pubDate>{}</pubDate>"
    old = rss(item.format("Wed, 11 Feb 2026 12:00:00 GMT"))
    rebuilt = rss(item.format("Wed, 11 Feb 2026 12:00:00 GMT"), built="Thu, 12 Feb 2026 12:00:00 GMT")
    edited = rss(item.format("Thu, 12 Feb 2026 12:00:00 GMT"))
    assert body_hash(old) == body_hash(rebuilt)
    assert body_hash(old) != body_hash(edited)


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
