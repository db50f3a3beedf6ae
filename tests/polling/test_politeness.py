"""What a publisher sees of our manners: behaviours 21 to 24."""

from __future__ import annotations

import gzip
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.builders import NOON, at
from tests.polling.conftest import AGENT, Watch, item, reasons, rss, wire
from tests.polling.publisher import Answer, Publisher, Reply, Seen
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


def slow(seconds: float) -> Answer:
    """Return an answer that takes its time."""

    def answer(connection: socket.socket, seen: Seen) -> None:  # noqa: ARG001 - an answer's signature
        time.sleep(seconds)
        connection.sendall(Reply(rss(item(1))).raw())

    return answer


def work(watch: Watch, *, until: Callable[[], bool], rooms: int) -> None:
    """Have some flows poll on the wall clock until something has come about, for a minute at most."""
    stop = threading.Event()
    steps = Steps(claim=poll.claim, do=poll.do, record=poll.record, release=poll.release)
    threads = [
        threading.Thread(
            target=Flow(watch.p, steps, room=16, name="t").serve, kwargs={"clock": wall_clock, "stop": stop}
        )
        for _ in range(rooms)
    ]
    for thread in threads:
        thread.start()
    end = time.monotonic() + 60
    while not until() and time.monotonic() < end:
        time.sleep(0.01)
    stop.set()
    for thread in threads:
        thread.join()
