"""One form for one page."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from worker.url import absolute, canonical, host, shown


@pytest.mark.parametrize(
    "other",
    [
        "http://wire.example/news/1",
        "https://www.wire.example/news/1",
        "https://WIRE.example:443/news/1/",
        "https://wire.example/news/1?utm_source=rss&utm_medium=feed",
        "https://wire.example/news/1#comments",
        " https://wire.example/news/1?at_campaign=64&traffic_source=rss ",
        "https://wire.example/news/1?partner=rss&emc=rss&feature=share",
        "https://wire.example/news/1?gad_source=1&wbraid=x&_ga=2.1&srsltid=y&mtm_campaign=z&mkt_tok=t&ScCid=s",
    ],
    ids=["http", "www", "case-and-port", "utm", "fragment", "other-tracking", "from-the-feed", "clicks"],
)
def test_addresses_of_one_page_have_one_form(other: str) -> None:
    """What only says where a reader came from is no part of an identity."""
    assert canonical(other) == "https://wire.example/news/1"


@pytest.mark.parametrize(
    "other",
    [
        "https://wire.example/news/2",
        "https://wire.example/news/1?page=2",
        "https://wire.example/news/1?source=reuters",
        "https://wire.example/news/1?from=2026-02-11",
        "https://wire.example/news/1?id=utm_source",
        "https://m.wire.example/news/1",
        "https://amp.wire.example/news/1",
        "https://wire.example:8443/news/1",
        "https://wire.example/News/1",
        "https://wire.example/#!/news/1",
        "urn:uuid:1225c695-cfb8-4ebb-aaaa-80da344efa6a",
        "http://[broken/1",
    ],
    ids=[
        "path",
        "parameter",
        "source",
        "from",
        "value",
        "mobile",
        "amp",
        "port",
        "path-case",
        "route",
        "urn",
        "broken",
    ],
)
def test_addresses_of_other_pages_differ(other: str) -> None:
    """Everything that may choose another page stays."""
    assert canonical(other) != "https://wire.example/news/1"


@example("https://wire.example/\x85#")
@example("https://wire.example/ ?a= \ud800")
@given(st.text(max_size=80).map(lambda path: "https://wire.example/" + path))
def test_the_form_is_its_own_form(url: str) -> None:
    """Applying the rule twice changes nothing."""
    assert canonical(canonical(url)) == canonical(url)


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ("/a", "https://wire.example/a"),
        ("b", "https://wire.example/news/b"),
        ("//cdn.example/c", "https://cdn.example/c"),
        ("https://other.example/d", "https://other.example/d"),
        ("", ""),
        ("javascript:alert(1)", ""),
        ("mailto:desk@wire.example", ""),
        ("file:///etc/hostname", ""),
        ("http://[broken", ""),
    ],
)
def test_links_are_resolved_or_refused(link: str, expected: str) -> None:
    """Only what can be an http(s) address is one."""
    assert absolute("https://wire.example/news/feed.xml", link) == expected


def test_a_host_has_no_www() -> None:
    """Hosts are compared without case and www."""
    assert host("https://WWW.Wire.example:8080/x") == "wire.example"
    assert host("no address") == ""


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://wire.example/feed?a=1", "https://wire.example/feed?a=1"),
        ("https://user:pass@wire.example/feed", "https://***@wire.example/feed"),
        ("https://user@p@wire.example/@desk", "https://***@wire.example/@desk"),
        ("https://wire.example/?token=x&page=2", "https://wire.example/?token=***&page=2"),
        ("https://wire.example/?page=2&API_KEY=x&apikey=y", "https://wire.example/?page=2&API_KEY=***&apikey=***"),
        ("https://wire.example/?X-Amz-Signature=x", "https://wire.example/?X-Amz-Signature=***"),
        ("https://wire.example/?%74oken=x;auth=y", "https://wire.example/?%74oken=***;auth=***"),
        ("https://wire.example/#access_token=x", "https://wire.example/#access_token=***"),
        ("https://wire.example/?sig=a=b", "https://wire.example/?sig=***"),
        (
            "https://wire.example/?author=desk&keyword=x&design=y",
            "https://wire.example/?author=desk&keyword=x&design=y",
        ),
        ("https://wire.example/" + "x" * 400, "https://wire.example/" + "x" * 278 + "…"),
        ("http://us:pass", "http://us:***"),
        ("http://us:8pass/x", "http://us:***/x"),
        ("http://wire.example:8080/a:b", "http://wire.example:8080/a:b"),
        ("http://[::1]:8080/", "http://[::1]:8080/"),
    ],
)
def test_no_secret_of_an_address_is_shown(url: str, expected: str) -> None:
    """Passwords and keys stay out of messages; everything else helps to find the feed."""
    assert shown(url) == expected


@given(st.text(max_size=400))
def test_any_text_can_be_shown(text: str) -> None:
    """In at most 300 characters."""
    assert len(shown(text)) <= 300
    assert len(shown("https://a:" + text.replace("/", "") + "@wire.example/")) <= 300
