"""The live web against a real server on loopback."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from datetime import timedelta

import pytest

from tests.builders import NOON
from tests.edges.servers import Site, dripping, packed, plain, serve
from worker.errors import Retryable, Unusable
from worker.web.client import LiveWeb
from worker.web.network import Network
from worker.web.response import Response

pytestmark = [pytest.mark.enable_socket, pytest.mark.allow_hosts(["127.0.0.1"])]


@pytest.fixture
def site() -> Iterator[Site]:
    """Give a server on loopback."""
    with serve() as running:
        yield running


def get(site: Site, path: str = "/", headers: dict[str, str] | None = None, **limits: object) -> Response:
    """Ask the site, with private addresses allowed unless a test says otherwise."""
    allowed: dict[str, object] = {"allow_private": ("127.0.0.0/8",), "allow_ports": (site.port,)}
    web = LiveWeb(Network(**(allowed | limits)), user_agent="wirewatch/test (+https://wire.example)")  # type: ignore[arg-type]
    try:
        return web.get(path if "://" in path else site.url(path), now=NOON, headers=headers or {})
    finally:
        web.close()


def test_an_answer_comes_back_whole(site: Site) -> None:
    """Status, body and headers, with names in lower case and values untouched."""
    site.answers["/"] = plain(b"hello", ETag='W/"1 x"', Last_Modified="yesterday-ish")
    answer = get(site)
    assert (answer.status, answer.body, answer.headers["etag"]) == (200, b"hello", 'W/"1 x"')
    assert answer.headers["last-modified"] == "yesterday-ish"


def test_we_say_who_we_are_and_nothing_more(site: Site) -> None:
    """An honest User-Agent; no cookie, no Referer, no encoding that we could not bound."""
    site.answers["/"] = plain(b"", Set_Cookie="track=1")
    with_cookie = LiveWeb(
        Network(allow_private=True, allow_ports=(site.port,)), user_agent="wirewatch/test (+https://wire.example)"
    )
    for _ in range(2):
        with_cookie.get(site.url("/"), now=NOON, headers={"if-none-match": '"1"'})
    with_cookie.close()
    for asked in site.asked:
        assert asked.headers["user-agent"] == "wirewatch/test (+https://wire.example)"
        assert asked.headers["accept-encoding"] == "gzip"
        assert asked.headers["if-none-match"] == '"1"'
        assert not {"cookie", "referer"} & asked.headers.keys()


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_compressed_body_is_unpacked(site: Site, encoding: str) -> None:
    """Both encodings of RFC 9110 that we can bound."""
    site.answers["/"] = packed(b"hello " * 1000, encoding=encoding)
    assert get(site).body == b"hello " * 1000


@pytest.mark.parametrize(
    ("body", "headers", "said"),
    [
        (gzip.compress(b"0" * 50_000_000), {"Content_Encoding": "gzip"}, "decoded body is larger"),
        (gzip.compress(gzip.compress(b"hello")), {"Content_Encoding": "gzip, gzip"}, "not asked for"),
        (b"x" * 200_000, {}, "body is larger"),
        (b"no gzip", {"Content_Encoding": "gzip"}, "not what its Content-Encoding says"),
        (b"x", {"Content_Encoding": "br"}, "not asked for"),
    ],
    ids=["gzip-bomb", "double-gzip", "large", "false-gzip", "brotli"],
)
def test_a_body_beyond_the_limits_is_refused(site: Site, body: bytes, headers: dict[str, str], said: str) -> None:
    """Sizes count on the wire and decoded alike."""
    site.answers["/"] = plain(body, status=200, **headers)
    with pytest.raises(Unusable, match=said):
        get(site, max_body=100_000)


def test_a_body_that_never_ends_is_left(site: Site) -> None:
    """A byte now and then keeps every read timeout from firing; the deadline does not care."""
    site.answers["/"] = dripping(10_000, 0.01)
    with pytest.raises(Retryable, match=r"network\.deadline"):
        get(site, deadline=timedelta(milliseconds=100))


def test_redirects_are_followed_and_remembered(site: Site) -> None:
    """Each hop is known, so that a permanent move can be told from a detour."""
    site.answers |= {
        "/": plain(status=301, Location="/b"),
        "/b": plain(status=302, Location="/c"),
        "/c": plain(b"here"),
    }
    answer = get(site)
    assert (answer.body, answer.url) == (b"here", site.url("/c"))
    assert answer.redirects == (site.url("/"), site.url("/b"))


def test_a_loop_of_redirects_ends(site: Site) -> None:
    """Five hops, then no more."""
    site.answers["/"] = plain(status=301, Location="/")
    with pytest.raises(Unusable, match="more than 5 redirects"):
        get(site)
    assert len(site.asked) == 6


@pytest.mark.parametrize("location", ["file:///etc/hostname", "ftp://127.0.0.1/x", "http://[::ffff:127.0.0.1]/"])
def test_a_redirect_leads_nowhere_it_should_not(site: Site, location: str) -> None:
    """Schemes, ports and addresses are checked at every hop."""
    site.answers["/"] = plain(status=302, Location=location)
    with pytest.raises(Unusable):
        get(site)


@pytest.mark.parametrize("allow", [False, ("127.77.0.0/16",)], ids=["public-only", "another-network"])
def test_no_connection_is_made_to_a_private_address(site: Site, allow: bool | tuple[str, ...]) -> None:
    """The server sees nothing at all."""
    with pytest.raises(Unusable, match="not a public address"):
        get(site, allow_private=allow)
    with pytest.raises(Unusable, match="not a public address"):
        get(site, site.url("/", host="localhost"), allow_private=allow)
    assert site.asked == []


def test_a_port_that_is_not_allowed_is_refused(site: Site) -> None:
    """Only web ports unless the configuration says more."""
    with pytest.raises(Unusable, match="allow_ports"):
        get(site, allow_ports=(80, 443))


def test_nobody_listening_is_worth_another_try(site: Site) -> None:
    """A refused connection is temporary."""
    with pytest.raises(Retryable):
        get(site, f"http://127.0.0.1:{_free_port()}/", allow_ports=tuple(range(1024, 65536)))


def _free_port() -> int:
    with serve() as gone:
        return gone.port


def test_proxies_of_the_environment_are_ignored(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy would see every address that is watched, and connect where we would not."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    site.answers["/"] = plain(b"direct")
    assert get(site).body == b"direct"
