"""The live web against a real server on loopback."""

from __future__ import annotations

import gzip
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from tests.builders import NOON
from tests.edges.servers import Site, dripping, listen, packed, plain, says, serve
from worker.errors import ConfigError, Retryable, Unusable
from worker.web.client import LiveWeb
from worker.web.network import Network
from worker.web.response import Response

pytestmark = [pytest.mark.enable_socket, pytest.mark.allow_hosts(["127.0.0.0/8"])]


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


def test_errors_show_no_secret(site: Site) -> None:
    """Addresses of feeds may hold keys; the errors end up in logs and on screens."""
    site.answers["/?token=s3cret"] = plain(b"x" * 200, Content_Encoding="br")
    site.answers["/b?token=s3cret"] = plain(status=302, Location="/b?token=s3cret")
    gone = f"http://us:s3cret@127.0.0.1:{_free_port()}/?key=s3cret"
    for path in ("/?token=s3cret", "/b?token=s3cret", gone, "ftp://us:s3cret@wire.example/", "http://us:s3cret"):
        with pytest.raises((Unusable, Retryable)) as failed:
            get(site, path, allow_ports=tuple(range(1024, 65536)))
        assert "s3cret" not in str(failed.value)


def test_threads_share_one_web(site: Site) -> None:
    """Sixteen threads at once: each has the answer to its own question."""
    for number in range(64):
        site.answers[f"/{number}"] = plain(f"answer {number}".encode(), ETag=f'"{number}"')
    web = LiveWeb(Network(allow_private=True, allow_ports=(site.port,)), user_agent="test")
    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(lambda n: web.get(site.url(f"/{n}"), now=NOON, headers={}), range(64)))
    web.close()
    assert [(answer.body, answer.headers["etag"]) for answer in answers] == [
        (f"answer {number}".encode(), f'"{number}"') for number in range(64)
    ]


def test_a_connection_is_used_again_and_closed_at_the_end() -> None:
    """One for the three requests; none is left when the web is closed."""
    with listen(_three_times) as listener:
        web = LiveWeb(Network(allow_private=True, allow_ports=(listener.port,)), user_agent="test")
        for _ in range(3):
            assert web.get(f"http://127.0.0.1:{listener.port}/", now=NOON, headers={}).status == 304
        assert listener.connections == 1
        web.close()
        assert _hung_up.wait(10)


_hung_up = threading.Event()


def _three_times(peer: socket.socket) -> None:
    last = b""
    for _ in range(3):
        peer.sendall(b"HTTP/1.1 304 Not Modified\r\n\r\n")
        last = peer.recv(65_536)
    if not last:
        _hung_up.set()


def test_a_proxy_that_is_configured_is_used(site: Site) -> None:
    """Names are its to resolve, its own place may be anywhere, and what says that it is private is not sent to it."""
    with listen(says(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nvia")) as proxy:
        network = Network(proxy=f"http://me:pw@127.0.0.1:{proxy.port}")
        web = LiveWeb(network, user_agent="test")
        assert web.get("http://wire.example/a/../feed?", now=NOON, headers={}).body == b"via"
        assert proxy.asked[0].startswith(b"GET http://wire.example/a/../feed? HTTP/1.1\r\n")
        assert b"Proxy-Authorization: Basic bWU6cHc=" in proxy.asked[0]
        # TLS goes through a tunnel, to the port that is allowed.
        with pytest.raises(Retryable):
            web.get("https://wire.example/feed", now=NOON, headers={})
        assert proxy.asked[1].startswith(b"CONNECT wire.example:443 HTTP/1.1\r\n")
        for url in (site.url("/"), "http://localhost/", "http://2130706433/", "http://wire.example:8080/"):
            with pytest.raises(Unusable):
                web.get(url, now=NOON, headers={})
        web.close()
        assert proxy.connections == 2
    assert site.asked == []
    assert "pw" not in repr(network)


@pytest.mark.parametrize("proxy", ["socks5://me:s3cret@wire.example:1", "wire.example:3128", "http://", "http://[x]"])
def test_an_address_that_is_no_proxy_is_said_at_the_start(proxy: str) -> None:
    """In the configuration's own words, without its password."""
    with pytest.raises(ConfigError, match=r"network\.proxy: expected") as wrong:
        LiveWeb(Network(proxy=proxy), user_agent="test")
    assert "s3cret" not in str(wrong.value)


def test_proxies_of_the_environment_are_ignored(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy would see every address that is watched, and connect where we would not."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    site.answers["/"] = plain(b"direct")
    assert get(site).body == b"direct"
