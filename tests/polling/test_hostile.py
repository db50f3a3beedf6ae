"""What a hostile publisher cannot do to us: behaviours 37 to 40."""

from __future__ import annotations

import gzip
import json
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from functools import cache
from pathlib import Path

import pytest

from tests.builders import NOON, at
from tests.polling.conftest import PUBLISHERS, Watch, item, reasons, rss, wire
from tests.polling.publisher import Publisher, Reply, Seen, publisher
from tests.processes import DEADLINE, begin, ended, wirewatch
from worker.articles.extraction import Extract, NoText
from worker.live.cage import Cage
from worker.live.readers import caged

pytestmark = [pytest.mark.enable_socket, pytest.mark.allow_hosts(["127.77.0.1", "127.77.0.2", "127.0.0.1"])]

MIB = 1024 * 1024
GOOD = Reply(rss(item(1)))


def dripping(connection: socket.socket, _: Seen) -> None:
    """Send a byte now and then, for ever."""
    connection.sendall(b"HTTP/1.1 200 X\r\nContent-Length: 100000\r\n\r\n")
    while True:
        connection.sendall(b"x")
        time.sleep(0.05)


def dripping_headers(connection: socket.socket, _: Seen) -> None:
    """Send headers a byte at a time, for ever."""
    connection.sendall(b"HTTP/1.1 200 X\r\nX-Long: ")
    while True:
        connection.sendall(b"x")
        time.sleep(0.05)


def endless_headers(connection: socket.socket, _: Seen) -> None:
    """Send headers as fast as they are taken, for ever."""
    connection.sendall(b"HTTP/1.1 200 X\r\n")
    while True:
        connection.sendall(b"X-More: " + b"x" * 1000 + b"\r\n")


def large(connection: socket.socket, _: Seen) -> None:
    """Send a hundred megabytes without saying so."""
    connection.sendall(b"HTTP/1.1 200 X\r\n\r\n")
    for _number in range(100):
        connection.sendall(b"x" * MIB)


@cache
def _packed() -> bytes:
    """Return 400 MB of nothing, packed; that takes two seconds."""
    return gzip.compress(bytes(400 * MIB), 9)


def bomb(times: int) -> Reply:
    """Return a body that was packed so often, is small on the wire and 400 MB when it is unpacked."""
    raw = _packed()
    for _ in range(times - 1):
        raw = gzip.compress(raw)
    return Reply(raw, headers=(("Content-Encoding", ", ".join(["gzip"] * times)),))


HOSTILE: dict[str, tuple[Callable[[], Reply | Callable[[socket.socket, Seen], None]], str]] = {
    "gzip-bomb": (lambda: bomb(1), "too-large"),
    "double-gzip": (lambda: bomb(2), "forbidden"),
    "100-megabytes": (lambda: large, "too-large"),
    "a-byte-now-and-then": (lambda: dripping, "timed-out"),
    "dripped-headers": (lambda: dripping_headers, "timed-out"),
    "endless-headers": (lambda: endless_headers, "fetch-failed"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_37_an_answer_without_measure_ends_as_an_error_of_its_feed(watch: Watch, press: Publisher, name: str) -> None:
    """Each with its own name, and the feed waits as after any failure."""
    make, outcome = HOSTILE[name]
    press.say("/feed.xml", make())
    watch.network = replace(watch.network, deadline=timedelta(seconds=1))
    watch.start(wire(press))
    assert reasons(watch.poll()) == [outcome]
    assert (watch.state().state, watch.next_poll() > NOON) == ("failing", True)


def test_37_all_of_them_at_once_leave_the_service_small_and_the_other_feeds_on_time(tmp_path: Path) -> None:
    """A real service: its memory grows by less than 64 MiB, and good feeds are polled while the hostile ones last."""
    with publisher("127.77.0.1") as good, publisher("127.77.0.2") as bad:
        for n in range(4):
            good.say(f"/{n}", GOOD)
        for name, (make, _) in HOSTILE.items():
            bad.say(f"/{name}", *[GOOD] * 2, make())
        configure(tmp_path, good, bad)
        process = begin("run", cwd=tmp_path)
        try:
            assert process.pid is not None
            until(lambda: all(len(bad.asked(f"/{name}")) >= 2 for name in HOSTILE))
            before = peak(process.pid)
            until(lambda: all(len(bad.asked(f"/{name}")) >= 5 for name in HOSTILE))
            grown = peak(process.pid) - before
        finally:
            os.kill(process.pid or 0, signal.SIGTERM)
            code = ended(process, tmp_path).code
        slow = next(seen for seen in bad.seen if seen is bad.asked("/a-byte-now-and-then")[2])
        meanwhile = [seen.path for seen in good.seen if 0 < seen.at - slow.at < 2.0]
    assert code == 0
    assert grown < 64 * MIB, f"grew by {grown / MIB:.0f} MiB"
    assert {"/0", "/1", "/2", "/3"} <= set(meanwhile)
    shown = json.loads(wirewatch("status", "--json", cwd=tmp_path).out)
    outcomes = {feed["id"]: (feed["state"], feed["outcome"]) for feed in shown["feeds"]}
    assert {outcomes[f"good-{n}"][0] for n in range(4)} == {"ok"}
    assert {name: outcomes[name] for name in HOSTILE} == {name: ("failing", why) for name, (_, why) in HOSTILE.items()}


def configure(tmp_path: Path, good: Publisher, bad: Publisher) -> None:
    """Write a configuration that polls both publishers every second and waits two seconds for an answer."""
    config = tmp_path / "config"
    config.mkdir()
    entries = [f"{{id: good-{n}, url: '{good.url(f'/{n}')}'}}" for n in range(4)]
    entries += [f"{{id: {name}, url: '{bad.url(f'/{name}')}'}}" for name in HOSTILE]
    (config / "feeds.yaml").write_text(
        "defaults: {interval: 1s, full_text: true}\nfeeds:\n" + "".join(f"  - {one}\n" for one in entries)
    )
    (config / "service.yaml").write_text(
        f"network: {{allow_private: ['{PUBLISHERS}'], allow_ports: [{good.port}, {bad.port}], deadline: 2s, "
        "per_host_gap: 0s, per_host_concurrency: 16}\n"
        "polling: {adaptive: false, min_interval: 1s, max_interval: 2s}\n"
    )
    (config / "alerts.yaml").write_text("channels: {archive: {type: file, path: alerts.jsonl}}\nroutes: []\n")
    (config / "topics.yaml").write_text("topics: [{id: missiles, any: [missile]}]\n")


def peak(pid: int) -> int:
    """Return the most memory that a process has held so far, in bytes."""
    (line,) = (row for row in Path(f"/proc/{pid}/status").read_text().splitlines() if row.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def until(seen: Callable[[], bool]) -> None:
    """Wait until something has come about."""
    end = time.monotonic() + DEADLINE
    while not seen():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_38_a_body_that_is_a_path_or_an_address_opens_nothing(watch: Watch, press: Publisher, tmp_path: Path) -> None:
    """Feedparser opens files and addresses that it is given as text; it is only ever given a stream."""
    secret = tmp_path / "secret.xml"
    secret.write_bytes(rss(item(1, title="A missile in a file")))
    bodies = (
        str(secret),
        f"file://{secret}",
        "/etc/hostname",
        press.url("/secret.xml"),
        f" {press.url('/secret.xml')}\n",
    )
    press.say("/secret.xml", GOOD)
    feeds = []
    for number, body in enumerate(bodies):
        press.say(f"/{number}", Reply(body.encode(), headers=(("Content-Type", "application/xml"),)))
        feeds.append(wire(press, f"/{number}", id=f"f{number}"))
    watch.start(*feeds)
    for minute in range(5):
        watch.poll(at(minute))
    assert {watch.state(feed.id).outcome for feed in feeds} == {"not-a-feed"}
    assert press.asked("/secret.xml") == []


@pytest.fixture
def private() -> Iterator[Publisher]:
    """Give a service of the intranet, on an address that is not allowed."""
    with publisher("127.0.0.1") as running:
        running.say("/feed.xml", GOOD)
        yield running


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::7f00:1]",
        "0.0.0.0",  # noqa: S104 - an address to refuse
        "2130706433",
        "0x7f.1",
        "0177.0.0.1",
        "127.1",
        "[::1]",
        "[::]",
        "\uff11\uff12\uff17.0.0.1",
    ],
)
def test_39_no_redirect_reaches_a_private_address(
    watch: Watch, press: Publisher, private: Publisher, host: str
) -> None:
    """However it is written; nobody even knocks."""
    watch.network = replace(watch.network, allow_ports=(press.port, private.port))
    target = f"http://{host}:{private.port}/feed.xml"
    press.say("/feed.xml", Reply(status=302, headers=(("Location", target.encode("utf-8").decode("latin-1")),)))
    watch.start(wire(press), wire(press, id="direct", url=target))
    for minute in range(3):
        watch.poll(at(minute))
    assert private.connections == 0
    assert {watch.state("wire").state, watch.state("direct").state} == {"failing"}


def test_39_a_feed_of_the_intranet_is_polled_where_that_is_allowed(
    watch: Watch, press: Publisher, private: Publisher
) -> None:
    """And its permission, and the connection made under it, are of no use to another feed."""
    watch.network = replace(watch.network, allow_ports=(press.port, private.port))
    press.say("/feed.xml", Reply(status=302, headers=(("Location", private.url()),)))
    watch.start(
        wire(press, id="intranet", url=private.url(), allow_private=("127.0.0.0/8",)),
        wire(press, interval=timedelta(minutes=11)),
    )
    for minute in range(30):
        watch.poll(at(minute))
    assert (watch.state("intranet").state, watch.state("wire").outcome) == ("ok", "forbidden")
    assert private.connections == len(private.asked()) == 3


LAUGHS = (
    '<?xml version="1.0"?><!DOCTYPE r [<!ENTITY a "ha">'
    + "".join(f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(9))
    + "]><rss version='2.0'><channel><item><title>&j;</title></item></channel></rss>"
).encode()


@pytest.mark.parametrize(
    "body",
    [
        LAUGHS,
        rss("<item><guid>1</guid><author>" + "a@b " * 16_000 + "</author></item>"),
        rss("<item><title>" + "<b>" * 20_000 + "</title></item>"),
        rss("<item><description>" + "&lt;!--" * 20_000 + "</description></item>"),
        b"<rss version='2.0'><channel>" + b"<x>" * 20_000,
    ],
    ids=["laughs", "author", "nested-markup", "comments", "nested-elements"],
)
def test_40_a_document_that_wears_out_its_reader_ends(watch: Watch, press: Publisher, body: bytes) -> None:
    """Parsed in time, or killed and counted; and the feed beside it is read."""
    press.say("/feed.xml", Reply(body))
    press.say("/good.xml", GOOD)
    watch.start(wire(press), wire(press, "/good.xml", id="good"))
    cage = Cage(1, timedelta(seconds=5))
    try:
        watch.p = replace(watch.p, readers=caged(cage))
        for second in range(5):
            watch.poll(NOON + timedelta(seconds=second))
    finally:
        cage.close()
    assert watch.state("good").state == "ok"
    assert watch.state().polled_at is not None
    assert watch.state().outcome in {"baseline", "overran", "not-a-feed"}


def test_40_a_page_that_kills_its_readers_becomes_a_dead_letter_and_is_told_from_the_feed(
    watch: Watch, press: Publisher
) -> None:
    """Five attempts, each in a process of its own; its neighbours are read meanwhile and are not charged."""
    from worker.ledger import dead, overview

    press.say("/robots.txt", Reply(status=404))
    html = b"<html><title>Harvest</title><article><p>" + b"The harvest was good this year, farmers say. " * 9
    for number in (1, 2, 3):
        press.say(f"/{number}", Reply(html, headers=(("Content-Type", "text/html"),)))
    entries = [item(n, title=f"A missile {n}", link=press.url(f"/{n}"), text=f"Number {n}.") for n in (1, 2, 3)]
    press.say("/feed.xml", Reply(rss(*entries)))
    watch.start(wire(press, full_text=False))
    cage = Cage(1, timedelta(seconds=20))
    try:
        watch.p = replace(watch.p, readers=replace(caged(cage), page=deadly(cage, press.url("/2"))))
        for minute in range(0, 600, 5):
            watch.work(at(minute))
    finally:
        cage.close()
    with watch.p.ledger.read() as t:
        (letter,) = dead.letters(t)
        assert (letter.subject, letter.attempts) == (press.url("/2"), 5)
        assert "signal 9" in letter.reason
        assert overview.counts(t)["articles"] == 3
    assert "A missile 2" in {alert["title"] for alert in watch.told()}
    assert len(press.asked("/1")) == len(press.asked("/3")) == 1


def deadly(cage: Cage, url: str) -> Callable[..., Extract | NoText]:
    """Return a reader of pages whose process dies of one of them."""
    good = caged(cage).page

    def read(html: bytes, **more: object) -> Extract | NoText:
        if more["url"] == url:
            cage.call(_die)
        return good(html, **more)

    return read


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
