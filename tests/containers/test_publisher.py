"""The publisher: a recording whose articles appear one after another, over real HTTP."""

from __future__ import annotations

import http.client
import json
import signal
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from http.client import HTTPMessage
from pathlib import Path
from urllib.parse import urlsplit

import feedparser
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.processes import ROOT, begin, ended, wirewatch
from tests.service.beside import wait_for
from worker.articles.extraction import Extract, extract
from worker.replay.publisher import Publisher, address, moment, moved
from worker.replay.recording import Recording, load

pytestmark = [pytest.mark.enable_socket, pytest.mark.allow_hosts(["127.0.0.1"])]

SEEDS = load(ROOT / "seeds")
EVERY = timedelta(seconds=10)


class Clock:
    """A clock that the test turns."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Return the seconds that have passed."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """Give a clock that stands still."""
    return Clock()


@pytest.fixture
def publisher(clock: Clock) -> Iterator[Publisher]:
    """Give the seeds, published."""
    with Publisher(SEEDS, every=EVERY, passed=clock) as running:
        yield running


def get(url: str, **headers: str) -> tuple[int, HTTPMessage, bytes]:
    """Return status, headers and body of an answer; ``headers`` have ``_`` for the hyphen."""
    parts = urlsplit(url)
    with closing(http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=30)) as connection:
        connection.request("GET", parts.path, headers={name.replace("_", "-"): text for name, text in headers.items()})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()


def titles(publisher: Publisher) -> list[str]:
    """Return the titles of all entries of all feeds."""
    found = [feedparser.parse(get(feed)[2]) for feed in publisher.feeds]
    return [entry.title for feed in found for entry in feed.entries]


def test_articles_appear_one_after_another_from_the_first_poll_on(publisher: Publisher, clock: Clock) -> None:
    """However long nobody asks, the first feed that is asked for is empty; then one more is out after each span."""
    clock.now += 3600
    assert get(f"{publisher.url}/")[0] == 200  # a look at the list starts nothing
    clock.now += 3600
    counts = []
    for _ in range(7):
        counts.append(len(titles(publisher)))
        clock.now += EVERY.total_seconds()
    assert counts == [0, 1, 2, 3, 4, 5, 5]
    assert sorted(titles(publisher)) == sorted(article.title for article in SEEDS.articles)


def test_entries_lead_to_pages_that_are_there_from_the_same_moment_on(publisher: Publisher, clock: Clock) -> None:
    """Each link is this server's; its page is read as the article that was recorded, and is missing until it is out."""
    for article in SEEDS.articles:
        assert get(address(article.url, publisher.url))[0] == 404
    titles(publisher)
    clock.now += EVERY.total_seconds() * len(SEEDS.articles)
    links = [entry.link for feed in publisher.feeds for entry in feedparser.parse(get(feed)[2]).entries]
    assert sorted(links) == sorted(address(article.url, publisher.url) for article in SEEDS.articles)
    for article in SEEDS.articles:
        status, headers, body = get(address(article.url, publisher.url))
        assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
        read = extract(body, url=article.url, charset="utf-8")
        assert isinstance(read, Extract)
        assert " ".join(article.text.split())[-60:] in " ".join(read.text.split())


def test_a_feed_says_that_it_is_never_fresh_and_answers_conditionally(publisher: Publisher, clock: Clock) -> None:
    """What the recording knows of freshness is of its own time; 304 while nothing has come, 200 when it has."""
    feed = publisher.feeds[0]
    _, headers, _ = get(feed)
    assert headers.get_all("cache-control") == ["no-cache"]
    assert get(feed, If_None_Match=headers["etag"])[0] == 304
    clock.now += EVERY.total_seconds()
    assert get(feed, If_None_Match=headers["etag"])[0] == 200


def test_it_serves_nothing_else(publisher: Publisher) -> None:
    """No robots.txt, no files of this machine, no other outlet."""
    for path in ("/robots.txt", "/../../etc/passwd", "/elsewhere.example/feed.xml", "/%00"):
        assert get(f"{publisher.url}{path}")[0] == 404, path


@given(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=2)), st.integers(min_value=1, max_value=3600))
def test_time_only_goes_on_and_ends_with_the_recording(passed: timedelta, seconds: int) -> None:
    """More passes, more is out; never before the beginning, and never beyond the last article."""
    every = timedelta(seconds=seconds)
    now, later = moment(SEEDS, passed, every=every), moment(SEEDS, passed + every, every=every)
    assert SEEDS.start <= now <= later <= SEEDS.articles[-1].published_at
    assert later > now or now == SEEDS.articles[-1].published_at


def test_what_was_published_at_one_time_appears_together(tmp_path: Path) -> None:
    """Two articles of one time take one turn."""
    lines = [{"id": str(n), "title": f"Report {n}", "published_at": f"2026-02-1{n // 2}T10:00:00Z"} for n in range(4)]
    (tmp_path / "articles.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    recorded = load(tmp_path / "articles.jsonl")
    counts = [_out(recorded, n) for n in range(4)]
    assert counts == [0, 2, 4, 4]


def _out(recorded: Recording, turns: int) -> int:
    now = moment(recorded, turns * EVERY, every=EVERY)
    return sum(article.published_at <= now for article in recorded.articles)


def test_moving_a_recording_keeps_everything_but_its_addresses() -> None:
    """Dates, texts and names are those that were recorded; no two addresses become one."""
    there = moved(SEEDS, "http://publisher:8700/")
    assert [(a.id, a.text, a.published_at) for a in there.articles] == [
        (a.id, a.text, a.published_at) for a in SEEDS.articles
    ]
    urls = [article.url for article in there.articles] + [feed.url for feed in there.feeds]
    assert all(url.startswith("http://publisher:8700/") and "//" not in url[7:] for url in urls)
    assert len(set(urls)) == len(SEEDS.articles) + len(SEEDS.feeds)


def test_the_command_publishes_until_it_is_stopped(tmp_path: Path) -> None:
    """It says where its feeds are and what is asked for, and ends well when told to."""
    process = begin("publisher", ROOT / "seeds", "--listen", "127.0.0.1:0", "--every", "1s", cwd=tmp_path)
    said = tmp_path / "stderr"
    wait_for(lambda: said.exists() and said.read_text().count("/feed.xml\n") == 5, "the list of feeds")
    urls = [line.removeprefix("publisher: ") for line in said.read_text().splitlines()]
    wait_for(lambda: sum(get(url)[2].count(b"<title>") for url in urls) == 10, "all articles")
    psutil.Process(process.pid).send_signal(signal.SIGTERM)
    done = ended(process, tmp_path)
    assert done.code == 0
    assert done.err.endswith("publisher: 5 of 5 articles came out\n")


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("seeds", "--listen", "8700"), "--listen: 8700 is no HOST:PORT"),
        (("seeds", "--every", "soon"), "--every: soon is no duration"),
        (("seeds", "--every", "0s"), "--every: it must be longer than nothing"),
        (("nowhere",), "nowhere: does not exist"),
        (("seeds", "--listen", "192.0.2.1:8700"), "192.0.2.1:8700 cannot be had"),
    ],
    ids=["no-port", "no-duration", "no-time", "no-recording", "no-address-of-ours"],
)
def test_the_command_says_what_it_cannot_do(tmp_path: Path, args: tuple[str, ...], said: str) -> None:
    """Exit code 2 and a sentence."""
    (tmp_path / "seeds").symlink_to(ROOT / "seeds")
    done = wirewatch("publisher", *args, cwd=tmp_path)
    assert (done.code, done.out) == (2, "")
    assert said in done.err.replace("'", "")
