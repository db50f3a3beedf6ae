"""What is sent and what comes back: byte for byte, and nothing more."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders import NOON
from tests.edges.servers import Listener, Site, listen, plain, says, serve
from worker.errors import Unusable
from worker.web import hops
from worker.web.client import LiveWeb
from worker.web.network import Network

pytestmark = [pytest.mark.enable_socket, pytest.mark.allow_hosts(["127.0.0.0/8"])]

AGENT = "wirewatch/test (+https://wire.example)"


@pytest.fixture
def site() -> Iterator[Site]:
    """Give a server on loopback."""
    with serve() as running:
        yield running


def opened(*ports: int) -> LiveWeb:
    """Return a web that may ask these ports of this machine."""
    return LiveWeb(Network(allow_private=True, allow_ports=ports), user_agent=AGENT)


def lines(listener: Listener) -> list[bytes]:
    """Return the lines of the last request that a listener was sent."""
    return listener.asked[-1].removesuffix(b"\r\n\r\n").split(b"\r\n")


@pytest.mark.parametrize(
    ("etag", "modified"),
    [
        (b'"1"', b"Wed, 11 Feb 2026 12:00:00 GMT"),
        (b'W/"weak"', b"Wed, 11 Feb 2026 12:00:00 +0200"),
        (b"unquoted", b"yesterday-ish"),
        (b'"\xe9"', b"mercredi 11 f\xe9vrier 2026"),
        ('"é"'.encode(), b"2026-02-11T12:00:00Z"),
        (b'"two  spaces\tand a tab"', b"Wed,  11  Feb  2026"),
        (b'"a", "b"', b"0"),
        (b'""', b"-1"),
    ],
    ids=["plain", "weak", "unquoted", "latin-1", "utf-8", "inner-spaces", "list-like", "empty"],
)
def test_a_validator_returns_byte_for_byte(etag: bytes, modified: bytes) -> None:
    """Strict servers compare bytes: what comes in as text goes out again as the same bytes."""
    head = b"HTTP/1.1 200 OK\r\nConnection: close\r\nETag: " + etag + b"\r\nLast-Modified:   " + modified + b"\r\n"
    with listen(says(head + b"Content-Length: 0\r\n\r\n")) as listener:
        web = opened(listener.port)
        url = f"http://127.0.0.1:{listener.port}/"
        got = web.get(url, now=NOON, headers={}).headers
        web.get(url, now=NOON, headers={"If-None-Match": got["etag"], "if-modified-since": got["last-modified"]})
        web.close()
        assert b"if-none-match: " + etag in lines(listener)
        assert b"if-modified-since: " + modified in lines(listener)


@settings(max_examples=200)
@given(st.lists(st.tuples(st.binary(min_size=1, max_size=8), st.binary(max_size=20)), max_size=6))
def test_every_header_value_survives_the_way_in_and_out(raw: list[tuple[bytes, bytes]]) -> None:
    """Whatever bytes: the first value of a name begins what is kept, and goes out as it was."""
    found = hops.response_headers(raw)
    for name, value in reversed(raw):
        kept = found[name.decode("latin-1").lower()]
        assert value.decode("latin-1") in kept
        assert hops.own_headers({"if-none-match": kept})[b"if-none-match"] == kept.encode("latin-1")


def test_headers_that_repeat_are_joined_but_validators_are_not() -> None:
    """A list of validators would be one that no server knows again."""
    raw = [(b"ETag", b'"1"'), (b"Cache-Control", b"max-age=60"), (b"etag", b'"2"'), (b"cache-control", b"public")]
    raw += [(b"Last-Modified", b"now"), (b"Last-Modified", b"then"), (b"Location", b"/a"), (b"Location", b"/b")]
    assert hops.response_headers(raw) == {
        "etag": '"1"',
        "cache-control": "max-age=60, public",
        "last-modified": "now",
        "location": "/a",
    }


@pytest.mark.parametrize(
    "target",
    [
        "/feed?b=2&a=1",
        "/feed?",
        "/%e9%C3%a9/%7Euser/~user",
        "/a/../b/./c//d",
        "/feed?q=a+b%20c&&x=|^{}<>\"'`",
        "/feed;v=1?url=http://other.example/?a=b",
        "?only=query",
    ],
    ids=["order", "empty-query", "escape-case", "dots", "odd", "nested", "no-path"],
)
def test_an_address_is_sent_unaltered(target: str) -> None:
    """Neither sorted nor tidied up: the publisher knows what the feed is called."""
    with listen(says(b"HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n")) as listener:
        web = opened(listener.port)
        url = f"http://127.0.0.1:{listener.port}{target}"
        answer = web.get(url + "#fragment", now=NOON, headers={})
        web.close()
        sent = target if target.startswith("/") else f"/{target}"
        assert lines(listener)[0] == b"GET " + sent.encode() + b" HTTP/1.1"
        assert lines(listener)[1] == b"Host: 127.0.0.1:%d" % listener.port or b"host: 127.0.0.1:%d" % listener.port in [
            line.lower() for line in lines(listener)
        ]
        assert answer.url == url + "#fragment"


def test_what_http_cannot_carry_is_encoded() -> None:
    """Spaces and letters beyond ASCII, as browsers do."""
    with listen(says(b"HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n")) as listener:
        web = opened(listener.port)
        web.get(f"http://127.0.0.1:{listener.port}/a b/é?q=ü", now=NOON, headers={})
        web.close()
        assert lines(listener)[0] == b"GET /a%20b/%C3%A9?q=%C3%BC HTTP/1.1"


def test_we_send_what_is_needed_and_nothing_more() -> None:
    """No cookie after Set-Cookie, no Referer, no cache-buster; the caller's own Accept stands before ours."""
    answer = b"HTTP/1.1 200 OK\r\nConnection: close\r\nSet-Cookie: track=1\r\nContent-Length: 0\r\n\r\n"
    with listen(says(answer)) as listener:
        web = opened(listener.port)
        for headers in ({}, {"Accept": "application/rss+xml"}):
            web.get(f"http://127.0.0.1:{listener.port}/", now=NOON, headers=headers)
            expected = {
                b"host: 127.0.0.1:%d" % listener.port,
                b"user-agent: " + AGENT.encode(),
                b"accept-encoding: gzip",
                b"accept: " + headers.get("Accept", "*/*").encode(),
            }
            assert set(lines(listener)[1:]) == expected
        web.close()


def test_a_user_and_password_in_the_address_are_sent_as_such(site: Site) -> None:
    """RFC 7617; the request line and Host say nothing of them, and a header of the caller's own stands before them."""
    site.answers["/"] = plain(b"in")
    web = opened(site.port)
    url = f"http://us%40er:p%3Aw%C3%A9@127.0.0.1:{site.port}/"
    assert web.get(url, now=NOON, headers={}).body == b"in"
    web.get(url, now=NOON, headers={"Authorization": "Bearer x"})
    web.close()
    sent = [asked.headers["authorization"] for asked in site.asked]
    assert sent == ["Basic " + base64.b64encode("us@er:p:wé".encode()).decode(), "Bearer x"]
    assert "us" not in site.asked[0].headers["host"]


@pytest.mark.parametrize(
    "headers",
    [{"x-key": "s3cret\r\nhost: other"}, {"x-key": "s3cret–"}, {"x key": "s3cret"}, {"x-key": "s3cret\0"}],
    ids=["line-break", "dash", "name", "nul"],
)
def test_a_header_that_cannot_be_sent_is_refused_without_being_shown(site: Site, headers: dict[str, str]) -> None:
    """Its value may be a key."""
    web = opened(site.port)
    with pytest.raises(Unusable) as refused:
        web.get(site.url("/"), now=NOON, headers=headers)
    web.close()
    assert "s3cret" not in str(refused.value)
    assert refused.value.name == "forbidden"
    assert site.asked == []
