"""One form for one page."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from worker.url import absolute, canonical, host


@pytest.mark.parametrize(
    "other",
    [
        "http://wire.example/news/1",
        "https://www.wire.example/news/1",
        "https://WIRE.example:443/news/1/",
        "https://wire.example/news/1?utm_source=rss&utm_medium=feed",
        "https://wire.example/news/1#comments",
        " https://wire.example/news/1?at_campaign=64&traffic_source=rss ",
    ],
    ids=["http", "www", "case-and-port", "utm", "fragment", "other-tracking"],
)
def test_addresses_of_one_page_have_one_form(other: str) -> None:
    """What only says where a reader came from is no part of an identity."""
    assert canonical(other) == "https://wire.example/news/1"


@pytest.mark.parametrize(
    "other",
    [
        "https://wire.example/news/2",
        "https://wire.example/news/1?page=2",
        "https://wire.example:8443/news/1",
        "https://wire.example/News/1",
        "https://wire.example/#!/news/1",
        "urn:uuid:1225c695-cfb8-4ebb-aaaa-80da344efa6a",
        "http://[broken/1",
    ],
    ids=["path", "parameter", "port", "path-case", "route", "urn", "broken"],
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
