"""robots.txt: what the sites ask for, kept for a day."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler
from itertools import product
from string import ascii_lowercase

import pytest

from tests.builders import NOON, at
from tests.edges.servers import Site, plain, serve
from worker.errors import Retryable, Unusable
from worker.web.client import LiveWeb
from worker.web.gates import OpenGates
from worker.web.network import Network
from worker.web.robots import PARSED, Robots

pytestmark = [pytest.mark.enable_socket, pytest.mark.allow_hosts(["127.0.0.0/8"])]

ROBOTS = "/robots.txt"


@dataclass(slots=True)
class Slowed(OpenGates):
    """Gates that write down how far they were widened."""

    gaps: list[tuple[str, timedelta]] = field(default_factory=list)

    def slow(self, host: str, *, gap: timedelta) -> None:
        """Write it down."""
        self.gaps.append((host, gap))


@dataclass(slots=True)
class Reader:
    """Reads pages of a site as the service does."""

    site: Site
    gates: Slowed = field(default_factory=Slowed)
    web: LiveWeb = field(init=False)

    def __post_init__(self) -> None:
        network = Network(allow_private=True, allow_ports=(self.site.port,), deadline=timedelta(seconds=5))
        self.web = LiveWeb(network, user_agent="wirewatch/test", gates=self.gates)

    def read(self, path: str = "/page", *, now: datetime = NOON) -> str:
        """Return what came of reading a page."""
        try:
            answer = self.web.get(self.site.url(path), now=now, headers={}, robots=True)
        except Unusable as error:
            return f"unusable {error.name}"
        except Retryable as error:
            return f"retryable {error.name}"
        return f"{answer.status}"

    @property
    def asked(self) -> list[str]:
        """The paths that were asked for."""
        return [asked.path for asked in self.site.asked]


@pytest.fixture
def reader() -> Iterator[Reader]:
    """Give a reader of a site on loopback with one page."""
    with serve() as site:
        site.answers["/page"] = plain(b"page")
        made = Reader(site)
        yield made
        made.web.close()


def says(text: str) -> Callable[[BaseHTTPRequestHandler], None]:
    """Return a robots.txt."""
    return plain(text.encode(), Content_Type="text/plain")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "200"),
        ("User-agent: *\nDisallow: /", "unusable robots"),
        ("User-agent: *\nDisallow: /private/\n", "200"),
        ("User-agent: *\nDisallow: /\n\nUser-agent: wirewatch\nDisallow:\n", "200"),
        ("User-agent: *\nAllow: /\n\nUser-agent: WireWatch/1.0\nDisallow: /page\n", "unusable robots"),
        ("User-agent: other\nUser-agent: wirewatch\nDisallow: /\n", "unusable robots"),
        ("User-agent: other\nDisallow: /\n", "200"),
        ("User-agent: wirewatchbot\nDisallow: /\n", "200"),
        ("\ufeffUser-agent: *\r\nDisallow: /p*e$ # no\r\n", "unusable robots"),
        ("User-agent: *\nDisallow: /\nAllow: /page\n", "200"),
        ("User-agent: *\nSitemap: /s.xml\nUser-agent: other\nDisallow: /\n", "unusable robots"),
        ("<html><body>User-agent</body></html>", "200"),
    ],
    ids=[
        "empty", "all", "elsewhere", "us-allowed", "us-forbidden", "us-among-others", "others", "longer-name",
        "wildcard", "longest-wins", "sitemap", "html",
    ],
)  # fmt: skip
def test_a_site_says_what_may_be_read(reader: Reader, text: str, expected: str) -> None:
    """By our own name if it has a group for us, else by the group for everybody (RFC 9309 section 2.2.1)."""
    reader.site.answers[ROBOTS] = says(text)
    assert reader.read() == expected
    assert reader.asked == [ROBOTS, "/page"][: 2 if expected == "200" else 1]


def test_feeds_are_asked_without_it(reader: Reader) -> None:
    """A person has chosen them."""
    reader.site.answers[ROBOTS] = says("User-agent: *\nDisallow: /")
    assert reader.web.get(reader.site.url("/page"), now=NOON, headers={}).status == 200
    assert reader.asked == ["/page"]


def test_it_is_kept_for_a_day(reader: Reader) -> None:
    """And asked for again after it (RFC 9309 section 2.4)."""
    reader.site.answers[ROBOTS] = says("")
    for minutes in (0, 1, 24 * 60 - 1):
        assert reader.read(now=at(minutes)) == "200"
    reader.site.answers[ROBOTS] = says("User-agent: *\nDisallow: /")
    assert reader.read(now=at(24 * 60)) == "unusable robots"
    assert reader.asked == [ROBOTS, "/page", "/page", "/page", ROBOTS]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 451])
def test_a_site_without_one_forbids_nothing(reader: Reader, status: int) -> None:
    """RFC 9309 section 2.3.1.3."""
    reader.site.answers[ROBOTS] = plain(b"User-agent: *\nDisallow: /", status=status)
    assert reader.read() == "200"


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_a_site_that_cannot_answer_forbids_all_for_now(reader: Reader, status: int) -> None:
    """RFC 9309 section 2.3.1.4; it is asked again after some minutes, not for every page."""
    reader.site.answers[ROBOTS] = plain(status=status)
    assert [reader.read(now=at(minutes)) for minutes in (0, 1, 4)] == ["retryable robots"] * 3
    assert reader.asked == [ROBOTS]
    reader.site.answers[ROBOTS] = says("")
    assert reader.read(now=at(6)) == "200"


def test_the_last_answer_holds_while_there_is_no_new_one(reader: Reader) -> None:
    """RFC 9309 section 2.4: an old copy may be used when the site does not answer."""
    reader.site.answers[ROBOTS] = says("User-agent: *\nDisallow: /secret")
    assert reader.read() == "200"
    reader.site.answers[ROBOTS] = plain(status=500)
    assert reader.read(now=at(25 * 60)) == "200"
    assert reader.read("/secret", now=at(25 * 60)) == "unusable robots"
    assert reader.asked.count(ROBOTS) == 2


def test_redirects_are_followed_five_times(reader: Reader) -> None:
    """RFC 9309 section 2.3.1.2: beyond that there is none."""
    answers = reader.site.answers
    answers[ROBOTS] = plain(status=301, Location="/1")
    answers |= {f"/{n}": plain(status=302, Location=f"/{n + 1}") for n in range(1, 5)}
    answers["/5"] = says("User-agent: *\nDisallow: /")
    assert reader.read() == "unusable robots"
    answers |= {"/5": plain(status=302, Location="/6"), "/6": says("User-agent: *\nDisallow: /")}
    assert reader.read(now=at(25 * 60)) == "200"


def test_every_hop_is_asked_for(reader: Reader) -> None:
    """A redirect leads to no page that may not be read."""
    with serve() as other:
        other.answers |= {"/page": plain(b"page"), ROBOTS: says("User-agent: *\nDisallow: /")}
        reader.site.answers[ROBOTS] = says("User-agent: *\nDisallow: /own")
        web = LiveWeb(
            Network(allow_private=True, allow_ports=(reader.site.port, other.port)), user_agent="wirewatch/test"
        )
        for location in (other.url("/page"), "/own"):
            reader.site.answers["/away"] = plain(status=302, Location=location)
            with pytest.raises(Unusable) as forbidden:
                web.get(reader.site.url("/away"), now=NOON, headers={}, robots=True)
            assert forbidden.value.name == "robots"
        web.close()
        assert [asked.path for asked in other.asked] == [ROBOTS]


@pytest.mark.parametrize(
    ("lines", "gap"),
    [
        ("Crawl-delay: 4", 4),
        ("Crawl-delay: 86400", 30),
        ("Request-rate: 1/10", 10),
        ("Crawl-delay: 2\nRequest-rate: 1/8", 8),
        ("Crawl-delay: soon", None),
        ("Crawl-delay: inf", None),
        ("Crawl-delay: 1e300", 30),
        ("Disallow: /x", None),
    ],
)
def test_a_crawl_delay_reaches_the_gates(reader: Reader, lines: str, gap: int | None) -> None:
    """Up to half a minute."""
    reader.site.answers[ROBOTS] = says(f"User-agent: *\n{lines}\n")
    assert reader.read() == "200"
    assert reader.gates.gaps == ([("127.0.0.1", timedelta(seconds=gap))] if gap else [])


def test_what_lies_beyond_500_kib_is_not_read(reader: Reader) -> None:
    """RFC 9309 section 2.5; what comes before it holds."""
    filler = "# nothing\n" * (PARSED // 10)
    reader.site.answers[ROBOTS] = says(f"User-agent: *\nDisallow: /first\n{filler}Disallow: /page\n")
    assert reader.read() == "200"
    assert reader.read("/first") == "unusable robots"


def test_a_robots_file_that_is_made_to_stall_does_not() -> None:
    """Thousands of names times thousands of rules would take the parser hours; the names of others do not reach it."""
    names = "".join(f"User-agent: {''.join(letters)}\n" for letters in product(ascii_lowercase[:20], repeat=3))
    rules = "".join(f"Disallow: /{n}\n" for n in range(8_000))
    content = f"{names}User-agent: *\n{rules}".encode()[:PARSED]
    began = time.process_time()
    robots = Robots()
    with pytest.raises(Unusable):
        robots.check("http://a.example/7", site="http://a.example", key="a", now=NOON, fetch=lambda _: (200, content))
    assert time.process_time() - began < 10


def test_threads_ask_a_site_once(reader: Reader) -> None:
    """The others wait for the one that asks."""
    reader.site.answers[ROBOTS] = says("")
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(lambda _: reader.read(), range(16))) == ["200"] * 16
    assert reader.asked.count(ROBOTS) == 1


def test_the_oldest_sites_are_forgotten() -> None:
    """By their number and by the lines of their files."""
    asked: list[str] = []

    def fetch(url: str) -> tuple[int, bytes]:
        asked.append(url)
        return 200, b"User-agent: *\n" + b"Disallow: /x\n" * 4

    def check(robots: Robots, *sites: str) -> list[str]:
        asked.clear()
        for site in sites:
            robots.check(f"http://{site}/", site=f"http://{site}", key=site, now=NOON, fetch=fetch)
        return [url.removeprefix("http://").removesuffix(ROBOTS) for url in asked]

    by_number = Robots(hosts=2)
    assert check(by_number, "a", "b", "a", "c", "a", "b") == ["a", "b", "c", "b"]
    by_lines = Robots(lines=9)
    assert check(by_lines, "a", "b", "a", "c", "a", "b") == ["a", "b", "c", "b"]


def test_a_permission_of_one_feed_tells_another_nothing(reader: Reader) -> None:
    """That a robots.txt could not be asked for under a narrow permission is no answer under a wide one."""
    reader.site.answers[ROBOTS] = says("User-agent: *\nDisallow: /")
    for allowed, name in ((False, "forbidden"), (True, "robots")):
        with pytest.raises(Unusable) as refused:
            reader.web.get(reader.site.url("/page"), now=NOON, headers={}, robots=True, allow_private=allowed)
        assert refused.value.name == name
