"""What a publisher sees of our manners: behaviours 21 to 24."""

from __future__ import annotations

import gzip
import os
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from tests import valkey
from tests.builders import NOON, at
from tests.polling.conftest import AGENT, Watch, item, reasons, rss, wire
from tests.polling.publisher import Answer, Publisher, Reply, Seen
from tests.processes import DEADLINE, begin, ended
from worker.ledger import entries
from worker.live.clock import wall_clock
from worker.live.flow import Flow, Steps
from worker.model import Feed
from worker.stages import poll

pytestmark = [pytest.mark.enable_socket, pytest.mark.allow_hosts(["127.77.0.1"])]


def twenty(press: Publisher) -> list[Feed]:
    """Return twenty feeds of one host."""
    for n in range(20):
        press.say(f"/{n}", Reply(rss(item(n))))
    return [wire(press, f"/{n}", id=f"f{n}") for n in range(20)]


def test_21_the_gap_of_a_host_is_kept_by_twenty_feeds(watch: Watch, press: Publisher) -> None:
    """Twenty feeds that are due at once are spread over twenty seconds, and none is forgotten."""
    watch.network = replace(watch.network, per_host_gap=timedelta(seconds=1))
    watch.start(*twenty(press))
    polls = [len(watch.poll(NOON + timedelta(seconds=second))) for second in range(25)]
    assert polls[:20] == [1] * 20
    assert sum(polls) == len(press.seen) == 20


def test_21_no_more_than_two_connections_at_once(watch: Watch, press: Publisher) -> None:
    """With a crowd of threads and publishers who take their time, two are in hand and the others wait."""
    feeds = twenty(press)
    for n in range(20):
        press.say(f"/{n}", slow(0.03))
    watch.network = replace(watch.network, per_host_concurrency=2)
    watch.start(*feeds, now=wall_clock())
    work(watch, until=lambda: len(press.seen) == 20, rooms=1)
    assert press.most == 2
    assert len({seen.path for seen in press.seen}) == 20


def test_22_two_workers_never_poll_one_feed_at_once(watch: Watch, press: Publisher) -> None:
    """Each feed is in one hand only, and each is polled once an interval."""
    feeds = twenty(press)
    busy: set[str] = set()
    twice: list[str] = []

    def answer(connection: socket.socket, seen: Seen) -> None:
        twice.extend([seen.path] if seen.path in busy else [])
        busy.add(seen.path)
        time.sleep(0.02)
        busy.discard(seen.path)
        connection.sendall(Reply(rss(item(1))).raw())

    for n in range(20):
        press.say(f"/{n}", answer)
    watch.network = replace(watch.network, per_host_concurrency=64)
    watch.start(*feeds, now=wall_clock())
    work(watch, until=lambda: len(press.seen) == 20, rooms=2)
    assert twice == []
    assert sorted(seen.path for seen in press.seen) == sorted(f"/{n}" for n in range(20))


def test_23_we_say_who_we_are_and_leave_no_traces(watch: Watch, press: Publisher) -> None:
    """Product and address; no cookie after Set-Cookie, no Referer, and the URL as it was configured."""
    path = "/Feed.XML?b=2&a=1&c=%7e%7E&q=x+y&"
    press.say(path, Reply(rss(item(1)), headers=(("Set-Cookie", "track=1; Path=/"), ("ETag", '"1"'))))
    watch.start(wire(press, path))
    for n in range(3):
        watch.poll(at(10 * n))
    assert [seen.path for seen in press.seen] == [path] * 3
    for seen in press.seen:
        assert seen.headers["user-agent"] == AGENT
        assert seen.headers["host"] == f"127.77.0.1:{press.port}"
        assert not {"cookie", "referer", "from", "via", "cache-control", "pragma"} & seen.headers.keys()


def test_24_we_say_what_we_can_read(watch: Watch, press: Publisher) -> None:
    """Accept names the kinds of feed, and Accept-Encoding only what can be bounded."""
    press.say("/feed.xml", Reply(rss(item(1))))
    watch.start(wire(press))
    watch.poll()
    headers = press.seen[0].headers
    for kind in ("application/rss+xml", "application/atom+xml", "application/rdf+xml", "application/feed+json"):
        assert kind in headers["accept"]
    assert headers["accept-encoding"] == "gzip"


def test_24_a_compressed_feed_is_read(watch: Watch, press: Publisher) -> None:
    """Publishers send gzip to those who ask for it."""
    press.say("/feed.xml", Reply(gzip.compress(rss(item(1))), headers=(("Content-Encoding", "gzip"),)))
    watch.start(wire(press))
    assert reasons(watch.poll()) == ["baseline"]
    assert watch.state().state == "ok"


PAGE = "<html><title>A missile</title><article><h1>A missile</h1><p>{}</p></article></html>"


def test_robots_txt_is_obeyed_for_pages_and_not_asked_for_feeds(watch: Watch, press: Publisher) -> None:
    """A page that is forbidden is not asked for: its entry is told from the feed's own text, and says why."""
    press.say("/robots.txt", Reply(b"User-agent: *\nDisallow: /feed.xml\nDisallow: /private/\nCrawl-delay: 7\n"))
    page = Reply(PAGE.format("A missile was tested at sea. " * 9).encode(), headers=(("Content-Type", "text/html"),))
    press.say("/open/1", page)
    press.say("/open/2", page)
    press.say("/private/1", page)
    links = {"a": "/open/1", "b": "/private/1", "c": "/open/2"}
    shown = [item(n, title=f"A missile {n}", link=press.url(to)) for n, to in links.items()]
    press.say("/feed.xml", Reply(rss(*shown)))
    watch.start(wire(press, full_text=False))
    done = [reasons(watch.work(NOON + timedelta(seconds=second))) for second in range(20)]
    first, second, *pages = (seen.path for seen in press.seen)
    assert (first, second, sorted(pages)) == ("/feed.xml", "/robots.txt", ["/open/1", "/open/2"])
    assert [some.count("feed-text") for some in done if "feed-text" in some] == [1]
    with watch.p.ledger.read() as t:
        (row,) = entries.find(t, press.url("/private/1"))
    assert (row.reason, row.detail) == ("feed-text", "robots")
    # The crawl delay is the host's gap from then on.
    times = [second for second, some in enumerate(done) if "page" in some]
    assert times[1] - times[0] >= 7


def test_a_link_that_hides_its_article_is_told_from_the_feed(watch: Watch, press: Publisher) -> None:
    """Google News: nothing is asked of it."""
    link = "https://news.google.com/rss/articles/CBMiabc?oc=5"
    press.say("/feed.xml", Reply(rss(item(1, title="A missile", link=link))))
    watch.start(wire(press, full_text=False))
    assert reasons(watch.work()) == ["baseline", "feed-text", "delivered"]
    with watch.p.ledger.read() as t:
        (row,) = entries.find(t, link)
    assert row.detail == "aggregator-link"


def test_a_host_that_does_not_answer_is_left_alone_for_a_while(watch: Watch, press: Publisher) -> None:
    """After five failures in a row the other feeds of the host wait, and are not charged with a failure."""
    feeds = [wire(press, f"/{n}", id=f"f{n}") for n in range(12)]
    for n in range(12):
        press.say(f"/{n}", lambda connection, _: connection.close())
    watch.start(*feeds)
    for second in range(30):
        watch.poll(NOON + timedelta(seconds=second))
    assert len(press.seen) < 12
    states = [watch.state(f"f{n}") for n in range(12)]
    assert sum(state.failures > 0 for state in states) == len(press.seen)
    for n in range(12):
        press.say(f"/{n}", Reply(rss(item(n))))
    for minute in range(1, 60):
        watch.poll(at(minute))
    assert {watch.state(f"f{n}").state for n in range(12)} == {"ok"}


def test_21_the_gap_of_a_host_is_kept_by_services_that_share_a_broker(tmp_path: Path, press: Publisher) -> None:
    """Two services with ledgers of their own ask one host: between any two requests there is the gap."""
    for n in range(8):
        press.say(f"/{n}", Reply(rss(item(n))))
    with valkey.server() as url:
        broker = url.replace("unix://", "redis+socket://")
        places = [tmp_path / "one", tmp_path / "two"]
        for number, place in enumerate(places):
            configure(place, press, broker, range(number, 8, 2))
        processes = [begin("run", cwd=place) for place in places]
        end = time.monotonic() + DEADLINE
        while len(press.seen) < 8 and time.monotonic() < end:
            time.sleep(0.01)
        for process, place in zip(processes, places, strict=True):
            os.kill(process.pid or 0, signal.SIGTERM)
            assert ended(process, place).code == 0
    assert sorted(seen.path for seen in press.seen) == [f"/{n}" for n in range(8)]
    times = sorted(seen.at for seen in press.seen)
    # A busy machine may keep a request on its way for longer than the gates allow for.
    assert min(later - earlier for earlier, later in pairwise(times)) > 0.3


def configure(place: Path, press: Publisher, broker: str, numbers: range) -> None:
    """Write a configuration with some of the feeds, all of one host."""
    config = place / "config"
    config.mkdir(parents=True)
    lines = [f"  - {{id: f{n}, url: '{press.url(f'/{n}')}'}}\n" for n in numbers]
    (config / "feeds.yaml").write_text(f"feeds:\n{''.join(lines)}")
    (config / "service.yaml").write_text(
        f"broker: '{broker}'\n"
        f"network: {{allow_private: ['127.77.0.0/16'], allow_ports: [{press.port}], per_host_gap: 0.5}}\n"
    )
    (config / "alerts.yaml").write_text("channels: {}\nroutes: []\n")
    (config / "topics.yaml").write_text("topics: [{id: missiles, any: [missile]}]\n")


def slow(seconds: float) -> Answer:
    """Return an answer that takes its time."""

    def answer(connection: socket.socket, seen: Seen) -> None:  # noqa: ARG001 - an answer's signature
        time.sleep(seconds)
        connection.sendall(Reply(rss(item(1))).raw())

    return answer


def work(watch: Watch, *, until: Callable[[], bool], rooms: int) -> None:
    """Have some flows poll on the wall clock until something has come about, for a minute at most."""
    steps = Steps(claim=poll.claim, do=poll.do, record=poll.record, release=poll.release)
    flows = [Flow(watch.p, steps, room=16, name="poll", clock=wall_clock) for _ in range(rooms)]
    for flow in flows:
        flow.start()
        flow.go()
    end = time.monotonic() + 60
    while not until() and time.monotonic() < end:
        time.sleep(0.01)
    for flow in flows:
        flow.close()
