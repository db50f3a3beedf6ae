"""Redirects: followed as far as they may be, remembered, and told no secrets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler

import pytest

from tests.builders import NOON
from tests.edges.servers import Listener, Site, listen, plain, says, serve
from worker.errors import Unusable
from worker.web.client import LiveWeb
from worker.web.hops import first, onward
from worker.web.network import Network
from worker.web.response import Response

pytestmark = [pytest.mark.enable_socket, pytest.mark.allow_hosts(["127.0.0.0/8"])]

OWN = {
    "authorization": "Bearer key",
    "cookie": "session=1",
    "x-api-key": "key",
    "user-agent": "special",
    "accept": "application/rss+xml",
    "if-none-match": '"1"',
    "if-modified-since": "yesterday",
    "a-im": "feed",
}


@pytest.fixture
def site() -> Iterator[Site]:
    """Give a server on loopback."""
    with serve() as running:
        yield running


@pytest.fixture
def other() -> Iterator[Site]:
    """Give another one, whose port makes it another origin."""
    with serve() as running:
        yield running


def get(url: str, *sites: Site | Listener, headers: dict[str, str] | None = None) -> Response:
    """Ask for an address, with the ports of these sites allowed."""
    network = Network(allow_private=True, allow_ports=tuple(site.port for site in sites))
    web = LiveWeb(network, user_agent="ours")
    try:
        return web.get(url, now=NOON, headers=headers or {})
    finally:
        web.close()


@pytest.mark.parametrize(
    ("chain", "moved"),
    [
        ([], False),
        ([301], True),
        ([308], True),
        ([301, 308, 301], True),
        ([302], False),
        ([303], False),
        ([307], False),
        ([301, 302], False),
        ([307, 301], False),
    ],
    ids=lambda value: "-".join(map(str, value)) or "none" if isinstance(value, list) else "",
)
def test_only_a_wholly_permanent_chain_is_a_move(site: Site, chain: list[int], moved: bool) -> None:
    """RFC 9110 sections 15.4.2 to 15.4.9."""
    for number, status in enumerate(chain):
        site.answers[f"/{number}"] = plain(b"moved", status=status, Location=f"/{number + 1}")
    site.answers[f"/{len(chain)}"] = plain(b"here")
    answer = get(site.url("/0"), site)
    assert (answer.body, answer.moved) == (b"here", moved)
    assert answer.redirects == tuple(site.url(f"/{number}") for number in range(len(chain)))


@pytest.mark.parametrize("status", [300, 304, 305, 306])
def test_other_answers_of_the_300s_are_no_redirects(site: Site, status: int) -> None:
    """They come back as they are, whatever Location says."""
    site.answers["/"] = plain(status=status, Location="/elsewhere")
    assert get(site.url("/"), site).status == status
    assert len(site.asked) == 1


@pytest.mark.parametrize(
    "nowhere",
    [plain(status=301), plain(status=301, Location=""), plain(status=301, Location="  ")],
    ids=["none", "empty", "blank"],
)
def test_a_redirect_to_nowhere_is_an_answer(site: Site, nowhere: Callable[[BaseHTTPRequestHandler], None]) -> None:
    """There is nothing to follow."""
    site.answers["/"] = nowhere
    answer = get(site.url("/"), site)
    assert (answer.status, answer.redirects, answer.moved) == (301, (), False)


def test_another_origin_hears_no_secret(site: Site, other: Site) -> None:
    """Only the caller's validators and what it accepts go along, and what was dropped stays dropped."""
    site.answers |= {"/": plain(status=301, Location="/same"), "/same": plain(status=301, Location=other.url("/"))}
    other.answers["/"] = plain(status=301, Location=site.url("/back"))
    site.answers["/back"] = plain(b"here")
    answer = get(site.url("/").replace("://", "://user:pass@"), site, other, headers=OWN)
    assert (answer.body, answer.url) == (b"here", site.url("/back"))
    for asked in site.asked[:2]:
        assert OWN.items() <= asked.headers.items()
    safe = {name: OWN[name] for name in ("accept", "if-none-match", "if-modified-since", "a-im")}
    for asked in (other.asked[0], site.asked[2]):
        assert safe.items() <= asked.headers.items()
        assert asked.headers["user-agent"] == "ours"
        assert not {"authorization", "cookie", "x-api-key"} & asked.headers.keys()


def test_a_password_stays_with_its_origin(site: Site, other: Site) -> None:
    """Relative or absolute, a redirect within the origin keeps it; one that leaves, or names another, does not."""
    site.answers["/"] = plain(status=301, Location=site.url("/b"))
    site.answers["/b"] = plain(status=301, Location="c")
    site.answers["/c"] = plain(status=301, Location=other.url("/").replace("://", "://evil:one@"))
    other.answers["/"] = plain(b"here")
    answer = get(site.url("/").replace("://", "://user:pass@"), site, other)
    assert [asked.headers.get("authorization") for asked in site.asked] == ["Basic dXNlcjpwYXNz"] * 3
    assert "authorization" not in other.asked[0].headers
    assert answer.url == other.url("/")


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("/b c?d e", "http://wire.example/b%20c?d%20e"),
        ("/caf\xc3\xa9", "http://wire.example/caf%C3%A9"),
        ("/caf\xe9", "http://wire.example/caf%E9"),
        ("next?x=1#part", "http://wire.example/news/next?x=1"),
        ("?page=2", "http://wire.example/news/feed?page=2"),
        ("//cdn.example/x", "http://cdn.example/x"),
        ("https://WIRE.example:8443/X", "https://WIRE.example:8443/X"),
        ("http://user:pw@cdn.example/x", "http://cdn.example/x"),
        ("//user:pw@cdn.example/x", "http://cdn.example/x"),
        ("http://caf\xc3\xa9.example/", "http://café.example/"),
        (" /spaced ", "http://wire.example/spaced"),
    ],
)
def test_a_location_is_read_as_browsers_read_it(location: str, expected: str) -> None:
    """Relative, without a scheme, with spaces, in UTF-8 or in whatever else."""
    assert onward(first("http://wire.example/news/feed?x=0"), location).text == expected


@pytest.mark.parametrize("location", ["http://[broken/", "mailto:desk@wire.example", "javascript:1", "https:///x"])
def test_a_location_that_is_no_address_is_refused(location: str) -> None:
    """There is nobody to ask."""
    with pytest.raises(Unusable):
        onward(first("http://wire.example/"), location)


def test_a_redirects_own_body_is_not_read(site: Site) -> None:
    """However much there is of it."""
    endless = says(
        b"HTTP/1.1 302 Found\r\nLocation: " + site.url("/").encode() + b"\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"400\r\n" + b"x" * 1024 + b"\r\n",
        repeat=100_000,
    )
    site.answers["/"] = plain(b"here")
    with listen(endless) as listener:
        assert get(f"http://127.0.0.1:{listener.port}/", site, listener).body == b"here"
